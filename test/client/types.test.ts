/** What the typed client knows of its jobs, at compile time; and the compiler itself, on a user's files, right and wrong. */
import { expect } from 'chai';
import type { JobRequest } from '../../src/api/contract.js';
import {
  type BatchItem,
  type BatchResult,
  type Client,
  createClient,
  type EndedJob,
  type JobsOf,
  type SubmitOptions,
} from '../../src/client/client.js';
import type { AsJson } from '../../src/client/job-types.js';
import type { JobOptions } from '../../src/client/jobs.js';
import { ended } from '../../src/client/waiting.js';
import { type AnyHandler, defineHandler, Type } from '../../src/handler/define.js';
import { hasEnded, states } from '../../src/job/state.js';

/** True only when the two types are the same; a compile-time assertion. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const isTrue = <T extends true>(): T | undefined => undefined;
/** Compiled, never run. */
const compiles = (_: (client: never) => unknown): void => undefined;

interface Mail {
  readonly to: string;
}

const report = defineHandler({
  type: 'report.build',
  payload: Type.Object({ month: Type.String(), copies: Type.Optional(Type.Integer()) }),
  run: async ({ payload }) => ({ month: payload.month, at: new Date(0), skip: undefined as undefined }),
});
const touch = defineHandler({ type: 'touch', payload: Type.Object({}), run: () => undefined });
const unsafe = defineHandler({ type: 'mail.unsafe', payload: Type.Unsafe<Mail>({}), run: () => 1 });
const byHand = defineHandler<Mail, { sent: boolean }, 'mail.hand'>({
  type: 'mail.hand',
  payload: {},
  run: () => ({ sent: true }),
});
const nameless = defineHandler<Mail>({ type: 'mail.nameless', payload: {}, run: () => 1 });
const list = [report, touch] as const;

interface Expected {
  readonly 'report.build': {
    readonly payload: { month: string; copies?: number };
    readonly result: { month: string; at: string };
  };
  readonly touch: { readonly payload: Record<never, never>; readonly result: undefined };
}
type Reports = Expected['report.build'];

isTrue<Same<JobsOf<typeof list>['report.build'], Reports>>();
isTrue<Same<JobsOf<(typeof report | typeof touch)[]>['report.build'], Reports>>();
isTrue<Same<JobsOf<{ default: typeof list }>['report.build'], Reports>>();
isTrue<Same<JobsOf<{ report: typeof report; name: string; help(): void }>['report.build'], Reports>>();
isTrue<Same<JobsOf<{ default: () => Promise<typeof list> }>['report.build'], Reports>>();
isTrue<Same<JobsOf<typeof report>['report.build'], Reports>>();
isTrue<Same<keyof JobsOf<typeof list>, 'report.build' | 'touch'>>();
isTrue<Same<JobsOf<typeof list>['touch']['result'], undefined>>();
isTrue<
  Same<
    JobsOf<[typeof unsafe]>,
    { readonly 'mail.unsafe': { readonly payload: Mail; readonly result: number } }
  >
>();
isTrue<Same<JobsOf<[typeof byHand]>['mail.hand']['result'], { sent: boolean }>>();
isTrue<Same<keyof JobsOf<[typeof nameless]>, never>>();
isTrue<Same<keyof JobsOf<readonly AnyHandler[]>, never>>();
isTrue<Same<JobsOf<Expected>, Expected>>();

isTrue<
  Same<
    AsJson<{ a: Date; b?: number; c: () => 1; d: [Date, 1] }>,
    { a: string; b?: number | undefined; d: [string, 1] }
  >
>();
isTrue<Same<AsJson<unknown>, unknown>>();
isTrue<Same<AsJson<string | undefined>, string | undefined>>();

isTrue<Same<keyof JobOptions, Exclude<keyof JobRequest, 'type' | 'payload'>>>();

compiles(async (client: Client<JobsOf<typeof list>>) => {
  const job = await client.submit(
    'report.build',
    { month: '2026-11' },
    { priority: 'low', runAt: new Date() },
  );
  isTrue<Same<typeof job.type, 'report.build'>>();
  const done = await client.wait(job, { timeoutMs: 5 });
  isTrue<Same<typeof done, EndedJob<Reports['result'], 'report.build'>>>();
  if (done.state === 'succeeded' && !done.resultTruncated)
    isTrue<Same<typeof done.result, Reports['result']>>();
  if (done.state === 'succeeded' && done.resultTruncated) isTrue<Same<typeof done.result, string>>();
  isTrue<Same<Awaited<ReturnType<typeof client.result<'report.build'>>>, Reports['result']>>();
  const view = await client.job('an id');
  if (view.state === 'succeeded') isTrue<Same<typeof view.result, unknown>>();
  for await (const row of client.jobs({ state: 'dead' })) void (await client.wait(row)).state;
  const rows = client.submitBatch([
    { type: 'report.build', payload: { month: '2026-11' } },
    { type: 'touch', payload: {}, delayMs: 5 },
  ]);
  for await (const one of rows) isTrue<Same<typeof one, BatchResult>>();

  // @ts-expect-error there is no such type
  void client.submit('report.burn', {});
  // @ts-expect-error the payload lacks its month
  void client.submit('report.build', { copies: 1 });
  // @ts-expect-error the payload has no such field
  void client.submit('report.build', { month: '', colour: 'red' });
  // @ts-expect-error there is no such lane
  void client.submit('touch', {}, { priority: 'urgent' });
  // @ts-expect-error the payload is that of another type
  void client.submitBatch([{ type: 'report.build', payload: { to: 'x' } }]);
  // @ts-expect-error only a job that succeeded has a result
  void done.result;
  // @ts-expect-error there is no such state
  void client.jobs({ state: 'died' });
});

compiles(async (client: Client) => {
  const job = await client.submit('whatever', 5);
  isTrue<Same<typeof job.type, 'whatever'>>();
  isTrue<Same<Awaited<ReturnType<typeof client.result<'whatever'>>>, unknown>>();
  void client.submitBatch([{ type: 'a', payload: null }] satisfies BatchItem[]);
  const { id } = await client.deadLetters.replay({ type: 'a' });
  isTrue<Same<typeof id, string>>();
  const counted = await client.deadLetters.replay({}, { dryRun: true, ratePerSecond: 1 });
  isTrue<Same<typeof counted.id, string | null>>();
  // @ts-expect-error what is meant must be said
  void client.deadLetters.discard();
});
compiles((options: SubmitOptions) => options.idempotencyKey);

describe('the types of the client', () => {
  it('are those of its handlers, which leave no trace at run time', () => {
    const client = createClient<typeof list>({ url: 'http://sluice.test' });
    expect(Object.keys(client)).to.have.members([
      ...['submit', 'submitBatch', 'job', 'jobs', 'jobPage', 'wait', 'result', 'cancel', 'replay'],
      ...['queues', 'deadLetters', 'audit'],
    ]);
  });

  it('agree with the states on which of them are ends', () => {
    expect(ended).to.deep.equal(Object.fromEntries(states.map((state) => [state, hasEnded(state)])));
  });
});
