/** `sluice top`: on a terminal that a test plays, and as a process. */
import { expect } from 'chai';
import type { QueueView } from '../../src/api/queues.js';
import { show } from '../../src/cli/top.js';
import type { Client } from '../../src/client/client.js';
import { SluiceConnectionError, SluiceHttpError } from '../../src/client/errors.js';
import { createManualClock } from '../support/manual-clock.js';
import { startSluice } from '../support/sluice.js';
import { fakeTerminal } from './fake-terminal.js';
import { type FakeServer, fakeServer, type Reply, type Seen, sluice } from './run.js';

const queue: QueueView = {
  name: 'mail',
  depth: { high: 1, normal: 20, low: 300, total: 321 },
  scheduled: 4,
  active: 5,
  dead: 6,
  consumers: 3,
  oldestAgeMs: 65_000,
  acceptedPerSecond: 1.5,
  drainedPerSecond: 2,
  forecast: { state: 'draining', emptyInMs: 160_500, emptyAt: '2026-01-01T00:02:40.500Z' },
  isPaused: false,
  concurrency: null,
};
const idle: QueueView = {
  ...queue,
  name: 'default',
  depth: { high: 0, normal: 0, low: 0, total: 0 },
  active: 0,
  dead: 0,
  oldestAgeMs: null,
  forecast: { state: 'paused', emptyInMs: null, emptyAt: null },
};
const away = new SluiceConnectionError('unreachable', 'cannot reach http://s: connect ECONNREFUSED');

describe('sluice top on a terminal', () => {
  /** Plays the answers in turn, the last one for ever; `again` lets an interval pass, and its look be drawn. */
  function setup(answers: readonly (readonly QueueView[] | Error)[], rows?: number) {
    const terminal = fakeTerminal(true, rows === undefined ? {} : { rows });
    const clock = createManualClock();
    const stop = new AbortController();
    let asked = 0;
    const list = async (): Promise<readonly QueueView[]> => {
      const answer = answers[Math.min(asked++, answers.length - 1)] ?? [];
      if (answer instanceof Error) throw answer;
      return answer;
    };
    const server = {
      url: 'http://s',
      client: { queues: { list } } as unknown as Client,
      requests: {} as never,
    };
    const { stream: stdout } = terminal;
    const surroundings = { stdout, stderr: fakeTerminal(true).stream, clock, signal: stop.signal };
    const shown = show(server, { intervalMs: 1000 }, surroundings);
    // A test that looks at how it ends does so later.
    shown.catch(() => undefined);
    const frames = (): string[] => terminal.text().split('\u001b[H').slice(1);
    return {
      terminal,
      shown,
      stop,
      async next(): Promise<string> {
        await clock.untilWaiting(1);
        const frame = frames().at(-1) ?? '';
        await clock.advance(1000);
        return frame;
      },
      frames,
      clock,
    };
  }
  /** Without colours. */
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is them that are looked for
  const plain = (text: string): string => text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '');

  it('draws the queues over in place, with what waits in each lane, and gives the terminal back', async () => {
    const { terminal, shown, stop, next } = setup([[queue, idle], [{ ...queue, active: 99 }]]);
    const first = plain(await next()).split('\r\n');
    expect(first[0]).to.equal('sluice top  http://s  2026-01-01T00:00:00.000Z');
    expect(first[1]).to.equal('2 queues, 321 waiting, 8 later, 5 active, 6 dead, 3.0/s in, 4.0/s out');
    expect(first.slice(3)).to.deep.equal([
      'QUEUE    HIGH  NORMAL  LOW  LATER  ACTIVE  DEAD     OLDEST  IN/S  OUT/S  EMPTY',
      'mail        1      20  300      4       5     6  1 min 5 s   1.5      2  in 2 min 41 s',
      'default     0       0    0      4       0     0          -   1.5      2  paused',
    ]);
    expect(plain(await next())).to.match(/^mail .* 99 /m);
    stop.abort();
    await shown;
    const text = terminal.text();
    expect(text.indexOf('\u001b[?1049h')).to.equal(0);
    const left = text.slice(text.indexOf('\u001b[?1049l'));
    expect(text.split('\u001b[?1049')).to.have.length(3);
    expect(text).to.include('\u001b[?25h');
    // What was seen last stays.
    expect(plain(left)).to.match(/^sluice top.*\n1 queue.*\n\nQUEUE.*\nmail .*\n$/);
    // Dead jobs are red.
    expect(text).to.include('\u001b[31m   6\u001b[39m');
  });

  it('says so when the server is gone, shows what it saw last, and goes on when it is back', async () => {
    const answers = [
      [queue],
      away,
      new SluiceHttpError({ ...problem, status: 503 }),
      [{ ...queue, dead: 7 }],
    ];
    const { shown, stop, next } = setup(answers);
    await next();
    const gone = plain(await next());
    expect(gone).to.include(
      'no answer for 1 s: cannot reach http://s: connection refused; does `sluice start` run there?',
    );
    expect(gone).to.match(/^mail .* 6 /m);
    expect(plain(await next())).to.include('no answer for 2 s: 503 store_unavailable: away');
    const back = plain(await next());
    expect(back).to.not.include('no answer');
    expect(back).to.match(/^mail .* 7 /m);
    stop.abort();
    await shown;
  });

  it('ends with a refusal that will not pass, and leaves the terminal as it was', async () => {
    const refusal = new SluiceHttpError({ ...problem, status: 401, code: 'unauthorized' });
    const later = setup([[queue], refusal]);
    await later.next();
    const ended = await later.shown.catch((error: unknown) => error);
    expect(ended).to.equal(refusal);
    expect(later.terminal.text()).to.include('\u001b[?1049l');
    const atOnce = setup([away]);
    expect(await atOnce.shown.catch((error: unknown) => error)).to.equal(away);
    expect(atOnce.terminal.text()).to.equal('');
  });

  it('draws no more lines than the terminal has, and anew when it has changed', async () => {
    const { terminal, shown, stop, clock, frames } = setup([Array.from({ length: 30 }, () => queue)], 10);
    await clock.untilWaiting(1);
    const lines = plain(frames().at(-1) ?? '').split('\r\n');
    expect(lines).to.have.length(10);
    expect(lines.at(-1)).to.equal('and 25 more lines than fit here');
    Object.assign(terminal.stream, { rows: 50 });
    terminal.stream.emit('resize');
    expect(plain(frames().at(-1) ?? '').split('\r\n')).to.have.length(34);
    stop.abort();
    await shown;
  });
});

const problem = {
  status: 503,
  code: 'store_unavailable',
  detail: 'away',
  retryAfterMs: undefined,
  problem: {},
  isOutcomeUnknown: false,
} as const;

describe('sluice top as a process', () => {
  const servers: FakeServer[] = [];
  const serverThat = async (reply: (request: Seen, index: number) => Reply): Promise<FakeServer> => {
    const server = await fakeServer(reply);
    servers.push(server);
    return server;
  };
  const answer: Reply = { status: 200, body: { queues: [queue] } };
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

  it('looks once where there is no terminal, without a colour', async () => {
    const server = await serverThat(() => answer);
    const ended = await sluice(['top', '--url', server.url]);
    expect([ended.code, ended.stderr, server.seen.length]).to.deep.equal([0, '', 1]);
    expect(ended.stdout).to.match(
      /^sluice top .*\n1 queue, 321 waiting.*\n\nQUEUE +HIGH .*\nmail +1 +20 +300 .*\n$/,
    );
    expect(ended.stdout).to.not.include('\u001b');
  });

  it('prints a line of JSON for each look, and says on stderr when the server goes and comes', async () => {
    const server = await serverThat((_, index) =>
      index === 1 || index === 2 ? { status: 0, cut: true } : answer,
    );
    const args = ['top', '--json', '--interval-ms', '100', '--count', '4', '--url', server.url];
    const { code, stdout, stderr } = await sluice(args);
    expect(code).to.equal(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).queues)).to.deep.equal([[queue], [queue]]);
    expect(stderr.trimEnd().split('\n')).to.have.length(2);
    expect(stderr).to.match(
      /^sluice: the connection to http.* failed: .*; asking again\nsluice: the server answers again\n$/,
    );
  });

  it('ends with exit code 0 at Ctrl-C, and when nobody reads it any more', async () => {
    const server = await serverThat(() => answer);
    const args = ['top', '--json', '--interval-ms', '100', '--url', server.url];
    const running = startSluice(args);
    await running.waitForLine(/^\{"at"/);
    running.kill('SIGINT');
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
    expect(running.stderr).to.deep.equal([]);
    expect(await sluice(args, { isUnread: true })).to.include({ code: 0, stderr: '' });
  });

  it('fails at once when the first look does', async () => {
    const server = await serverThat(() => ({
      status: 401,
      body: { code: 'unauthorized', detail: 'no key' },
    }));
    const refused = await sluice(['top', '--json', '--url', server.url]);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.match(/^sluice: 401 unauthorized: no key; give a key/);
    await server.close();
    const nobody = await sluice(['top', '--url', server.url]);
    expect(nobody.code).to.equal(1);
    expect(nobody.stderr).to.match(/connection refused; does `sluice start` run there\?/);
  });
});
