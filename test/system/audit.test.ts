import amqp from 'amqplib';
import { expect } from 'chai';
import pg from 'pg';
import type { Finding } from '../../src/api/audit.js';
import { eventually } from '../support/eventually.js';
import { freshDatabase } from '../support/postgres.js';
import { sharedNode } from '../support/rabbitmq.js';
import { openStage, type Stage } from './stage.js';

/** On SQLite the same is tested without the processes around it, in test/recorder/audit.test.ts. */
describe('sluice verify on RabbitMQ and PostgreSQL, after somebody has meddled', function () {
  this.timeout(120_000);
  let stage: Stage;
  let change: (statement: string) => Promise<void>;
  beforeEach(async () => {
    const url = await freshDatabase();
    stage = await openStage({ env: { DATABASE_URL: url } });
    change = async (statement) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        await client.query(statement);
      } finally {
        await client.end();
      }
    };
    await stage.serve();
  });
  afterEach(() => stage.close());

  async function onBroker<Value>(ask: (channel: amqp.Channel) => Promise<Value>): Promise<Value> {
    const connection = await amqp.connect((await sharedNode()).url);
    try {
      return await ask(await connection.createChannel());
    } finally {
      await connection.close();
    }
  }

  /** @returns ids of jobs that have succeeded, as the store says */
  async function finished(count: number): Promise<string[]> {
    const ids = await Promise.all(
      Array.from({ length: count }, (_, n) => stage.submit({ type: 'echo', payload: n })),
    );
    for (const id of ids) {
      const { body } = await stage.call('GET', `/v1/jobs/${id}?wait=60`);
      expect(body.state).to.equal('succeeded');
    }
    return ids;
  }

  async function expectFault(code: Finding['code'], ids?: readonly string[]): Promise<void> {
    const { code: exit, report } = await stage.verify('--wait', '60');
    expect(
      report.findings.filter(({ severity }) => severity === 'fault').map((one) => one.code),
    ).to.deep.equal([code]);
    if (ids !== undefined) expect(report.findings.find((one) => one.code === code)?.ids).to.deep.equal(ids);
    expect([exit, report.verdict]).to.deep.equal([1, 'fault']);
  }

  it('names a job whose message was deleted from its lane, once that is proven', async () => {
    await stage.record();
    const [first = ''] = await Promise.all([stage.submit({ type: 'echo', payload: 1 })]);
    const others = [
      await stage.submit({ type: 'echo', payload: 2 }),
      await stage.submit({ type: 'echo', payload: 3 }),
    ];
    await onBroker(async (channel) => {
      const message = await channel.get(`${stage.prefix}.jobs.default.normal`, { noAck: true });
      expect(message === false ? undefined : message.properties.messageId).to.equal(first);
    });
    await stage.work();
    for (const id of others)
      expect((await stage.call('GET', `/v1/jobs/${id}?wait=60`)).body.state).to.equal('succeeded');
    await expectFault('job_lost', [first]);
  });

  it('names the batches of events that were purged from the queue of the recorder', async () => {
    await stage.submit({ type: 'echo', payload: 1 });
    await onBroker(async (channel) => {
      // The acceptance is told in the moment after the 202.
      await eventually(async () => (await channel.purgeQueue(`${stage.prefix}.recorder`)).messageCount > 0);
    });
    await stage.record();
    await stage.submit({ type: 'echo', payload: 2 });
    const { code, report } = await stage.verify('--wait', '60');
    expect(
      report.findings.filter(({ severity }) => severity === 'fault').map((one) => one.code),
    ).to.deep.equal(['batches_missing']);
    expect(report.gaps).to.have.length(1);
    expect(report.gaps[0]).to.include({ role: 'serve', first: 1, last: 1 });
    expect([code, report.verdict]).to.deep.equal([1, 'fault']);
  });

  it('names a row that was edited, and counts one that was deleted', async () => {
    await Promise.all([stage.record(), stage.work()]);
    const [edited, deleted] = await finished(3);
    expect((await stage.verify('--wait', '60')).report).to.include({ verdict: 'clean', unaccounted: 0 });
    await change(`UPDATE sluice_jobs SET state = 'queued' WHERE id = '${edited}'`);
    await expectFault('row_edited', [edited ?? '']);
    await change(`UPDATE sluice_jobs SET state = 'succeeded' WHERE id = '${edited}'`);
    await change(`DELETE FROM sluice_jobs WHERE id = '${deleted}'`);
    await expectFault('rows_missing');
  });
});
