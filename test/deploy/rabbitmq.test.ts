/** The files of deploy/rabbitmq on a real node: it takes them, and they do what they say. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import amqp from 'amqplib';
import { expect } from 'chai';
import { request } from 'undici';
import { describeTopology } from '../../src/broker/rabbitmq/topology.js';
import { Refused } from '../../src/job/errors.js';
import { lanes } from '../../src/job/job.js';
import { usualConsumerTimeoutMs } from '../../src/worker/prefetch.js';
import { makeJob } from '../broker/inbox.js';
import { createRabbitBench, type RabbitBench } from '../broker/rabbitmq/bench.js';
import { answerOf, eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { type RabbitNode, startNode } from '../support/rabbitmq.js';
import { enabledPlugins, rabbitmqConf, textOf, top, type Yaml, yamlOf } from './support/deployed.js';
import { readme } from './support/readme.js';

const run = promisify(execFile);

const QUEUES = ['default', 'mail'];

describe('policies.sh', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-policies-'));
    // Prints what it is asked for.
    await symlink('/bin/echo', join(folder, 'rabbitmqctl'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const runWith = (limit: string): Promise<{ stdout: string; stderr: string; code?: number }> =>
    run('sh', [join(top, 'deploy/rabbitmq/policies.sh')], {
      env: { PATH: `${folder}:${process.env['PATH']}`, LANE_MAX_BYTES: limit },
    }).catch((error) => error);

  for (const limit of ['10GB', '-5', '0', '1,"expires":1']) {
    it(`changes nothing for LANE_MAX_BYTES=${limit}, and says what it takes`, async () => {
      const { stdout, stderr, code } = await runWith(limit);
      expect({ stdout, code }).to.deep.equal({ stdout: '', code: 2 });
      expect(stderr).to.match(
        /^LANE_MAX_BYTES=.*: it is a whole number of bytes, .* no policy was changed$/m,
      );
    });
  }

  it('sets a limit for the lanes alone, and none for an empty one', async () => {
    const { stdout } = await runWith('1000');
    expect(stdout.split('\n').filter((line) => line.includes('max-length-bytes'))).to.have.length(1);
    expect((await runWith('')).stdout)
      .to.include('set_policy')
      .and.not.include('max-length-bytes');
  });
});

describe('the files for RabbitMQ, on a real node', function () {
  this.timeout(120_000);
  let node: RabbitNode;
  let management: string;
  let prometheus: string;
  let bench: RabbitBench;

  before(async () => {
    const [managementPort, prometheusPort] = [await freePort(), await freePort()];
    management = `http://127.0.0.1:${managementPort}`;
    prometheus = `http://127.0.0.1:${prometheusPort}`;
    node = await startNode({
      config: {
        ...rabbitmqConf(),
        // The usual ports may be taken on this machine.
        'management.tcp.ip': '127.0.0.1',
        'management.tcp.port': String(managementPort),
        'prometheus.tcp.ip': '127.0.0.1',
        'prometheus.tcp.port': String(prometheusPort),
        // Else it counts every 5 s.
        collect_statistics_interval: '1000',
      },
      advancedConfig: textOf('deploy/rabbitmq/advanced.config'),
      plugins: enabledPlugins(),
    });
  });
  after(() => node.remove());
  beforeEach(() => {
    bench = createRabbitBench(node.url, QUEUES);
  });
  afterEach(() => bench.close());

  const setPolicies = (env: Readonly<Record<string, string>> = {}): Promise<string> =>
    node.runBeside('sh', [join(top, 'deploy/rabbitmq/policies.sh')], { AMQP_PREFIX: bench.prefix, ...env });

  /** The policy of each queue of this prefix, and what it sets: name without the prefix -> policy and definition. */
  async function policies(): Promise<Map<string, { readonly policy: string; readonly sets: string }>> {
    const ask = async (...args: string[]): Promise<Record<string, string>[]> =>
      JSON.parse(await node.rabbitmqctl('--formatter=json', ...args));
    const all = await ask('list_policies');
    const definitions = new Map(all.map(({ name, definition }) => [name, String(definition)]));
    const queues = await ask('list_queues', 'name', 'policy');
    return new Map(
      queues
        .filter(({ name = '' }) => name.startsWith(`${bench.prefix}.`))
        .map(({ name = '', policy = '' }) => [
          name.slice(bench.prefix.length + 1),
          { policy, sets: definitions.get(policy) ?? '' },
        ]),
    );
  }

  it('has taken every setting', async () => {
    const conf = rabbitmqConf();
    const read = await node.rabbitmqctl(
      'eval',
      `[rabbit_data_coercion:to_binary(io_lib:format("~p", [Value])) || Value <- [
        element(2, application:get_env(rabbit, consumer_timeout)),
        element(2, application:get_env(rabbit, max_message_size)),
        element(2, application:get_env(rabbit, cluster_partition_handling)),
        element(2, application:get_env(rabbit, vm_memory_high_watermark)),
        rabbit_disk_monitor:get_disk_free_limit(),
        maps:get(wal_max_size_bytes, ra_system:fetch(quorum_queues)),
        element(2, application:get_env(rabbit, dead_letter_worker_publisher_confirm_timeout))]].`,
    );
    const values = [...read.matchAll(/<<"(.*?)">>/g)].map(([, value]) => value);
    expect(values).to.deep.equal([
      conf['consumer_timeout'],
      conf['max_message_size'],
      conf['cluster_partition_handling'],
      conf['vm_memory_high_watermark.relative'],
      '2000000000',
      conf['raft.wal_max_size_bytes'],
      '10000', // of advanced.config
    ]);
    expect(Object.keys(conf), 'settings that are not read back here').to.have.length(6);
    expect(conf['disk_free_limit.absolute']).to.equal('2GB');
    expect(Number(conf['consumer_timeout']), 'what workers count on').to.equal(usualConsumerTimeoutMs);
  });

  it('runs the plugins, whose metrics know the queues', async () => {
    await bench.open();
    const lane = `queue="${bench.prefix}.jobs.default.normal"`;
    const read = async (): Promise<string> =>
      (await request(`${prometheus}/metrics/detailed?family=queue_coarse_metrics`)).body.text();
    // The node gathers these numbers from time to time.
    const metrics = await answerOf(read, (text) => text.includes(lane));
    expect(metrics).to.match(/^rabbitmq_detailed_queue_messages_ready\{/m);
  });

  it('spreads the leaders of every queue, and leaves what safety needs to the arguments', async () => {
    await setPolicies();
    await bench.open();
    const found = await policies();
    const queues = describeTopology(bench.prefix, QUEUES).steps.filter(({ kind }) => kind === 'queue');
    const isControl = (name: string): boolean => name.startsWith('control');
    expect([...found.keys()].filter((name) => !isControl(name))).to.have.length(queues.length);
    for (const [name, { policy, sets }] of found) {
      if (isControl(name)) continue; // of one connection, gone with it
      const isLane = name.startsWith('jobs.');
      expect(policy, name).to.equal(`${bench.prefix}-${isLane ? 'lanes' : 'others'}`);
      expect(sets, name)
        .to.include('balanced')
        .and.not.match(/limit|dead|ttl|expires|overflow|length/);
    }
  });

  it('bounds the lanes, and nothing else, where it is told to: then the broker refuses a job', async () => {
    const broker = await bench.open();
    await setPolicies({ LANE_MAX_BYTES: '1000' });
    const bounded = [...(await policies())].filter(([, { sets }]) => sets.includes('length'));
    expect(bounded.map(([name]) => name)).to.have.members(
      QUEUES.flatMap((queue) => lanes.map((lane) => `jobs.${queue}.${lane}`)),
    );

    const job = (): ReturnType<typeof makeJob> =>
      makeJob({ body: Buffer.from(JSON.stringify('x'.repeat(600))) });
    let refusal: unknown;
    // A quorum queue counts a moment later, so it takes some more than its limit.
    for (let tries = 0; tries < 1_000 && refusal === undefined; tries++) {
      await broker.publish(job()).catch((error: unknown) => {
        refusal = error;
      });
    }
    expect(refusal).to.be.instanceOf(Refused);
    expect((refusal as Refused).code).to.equal('queue_full');

    // What is taken out makes room.
    const connection = await amqp.connect(node.url);
    const channel = await connection.createChannel();
    await channel.purgeQueue(`${bench.prefix}.jobs.default.normal`);
    await connection.close();
    const isTaken = (): Promise<boolean> =>
      broker.publish(job()).then(
        () => true,
        () => false,
      );
    // The queue tells it to the channels that it has refused, in its own time.
    await eventually(isTaken);
  });

  it("lets KEDA's question for the depth find the lanes of all queues and no other queue", async () => {
    const scaled = yamlOf('deploy/kubernetes/scaling.yaml').find(({ kind }: Yaml) => kind === 'ScaledObject');
    const { metadata } = scaled.spec.triggers[0];
    const broker = await bench.open();
    await Promise.all([...Array(5)].map(() => broker.publish(makeJob())));
    await broker.publish(makeJob({ dueAtMs: Date.now() + 600_000 }));
    const pattern = String(metadata.queueName).replace('sluice', bench.prefix);
    const url = new URL('/api/queues/%2F', management);
    url.search = new URLSearchParams({
      page: '1',
      use_regex: metadata.useRegex,
      pagination: 'false',
      name: pattern,
      page_size: metadata.pageSize,
    }).toString();

    const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
    const ask = async (): Promise<{ name: string; messages?: number }[]> => {
      const answer = await request(url, { headers: { authorization } });
      return ((await answer.body.json()) as { items: { name: string; messages?: number }[] }).items;
    };
    const sum = (items: readonly { messages?: number }[]): number =>
      items.reduce((total, { messages = 0 }) => total + messages, 0);
    // The node gathers these numbers from time to time.
    const items = await answerOf(ask, (found) => sum(found) >= 5);
    expect(items.map(({ name }) => name)).to.have.members(
      QUEUES.flatMap((queue) => lanes.map((lane) => `${bench.prefix}.jobs.${queue}.${lane}`)),
    );
    expect(sum(items)).to.equal(5);
  });

  it('knows the commands of the runbook', async () => {
    await bench.open();
    const commands = [...readme.matchAll(/`(rabbitmqctl|rabbitmq-queues) ([^`]+)`/g)];
    expect(commands).to.have.length.greaterThan(5);
    for (const [, tool = '', args = ''] of commands)
      await node.runBeside('sh', ['-c', `${tool} ${args}`.replaceAll('sluice.', `${bench.prefix}.`)]);
  });
});
