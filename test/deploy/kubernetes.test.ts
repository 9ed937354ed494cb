/** The manifests, held against the schemas of Kubernetes and KEDA, against each other and against the code. No cluster is there. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { describeTopology } from '../../src/broker/rabbitmq/topology.js';
import { opsPaths } from '../../src/http/ops.js';
import { lanes } from '../../src/job/job.js';
import { filesOf, textOf, top, type Yaml, yamlOf } from './support/deployed.js';
import { imageEnvironment, lastStep } from './support/dockerfile.js';
import { blockBehind, filesMadeBy } from './support/readme.js';
import { configOf, roles, STOP_BEYOND_GRACE_MS, samples } from './support/settings.js';

const run = promisify(execFile);
const folder = 'deploy/kubernetes';
const [kustomization] = yamlOf(`${folder}/kustomization.yaml`) as [Yaml];
const manifests = (kustomization.resources as string[]).flatMap((file) => yamlOf(`${folder}/${file}`));

type Models = Readonly<Record<string, new (data: Yaml) => { validate(): void }>>;
// Not imported: their declarations have faults that only `skipLibCheck` forgives.
const require = createRequire(import.meta.url);
const apps: Models = require('kubernetes-models/apps/v1');
const core: Models = require('kubernetes-models/v1');
const policy: Models = require('kubernetes-models/policy/v1');
const keda: Models = require('@kubernetes-models/keda/keda.sh/v1alpha1');

/** Which package knows the shape of a kind. */
const known: Readonly<Record<string, { readonly models: Models; readonly from: string }>> = {
  Deployment: { models: apps, from: 'kubernetes-models/apps/v1' },
  Namespace: { models: core, from: 'kubernetes-models/v1' },
  PodDisruptionBudget: { models: policy, from: 'kubernetes-models/policy/v1' },
  ScaledObject: { models: keda, from: '@kubernetes-models/keda/keda.sh/v1alpha1' },
  Service: { models: core, from: 'kubernetes-models/v1' },
  TriggerAuthentication: { models: keda, from: '@kubernetes-models/keda/keda.sh/v1alpha1' },
};

/** @throws Error  it does not fit the schema of its kind, or nothing is known of that */
function validate(manifest: Yaml): void {
  const Model = known[manifest.kind]?.models[manifest.kind];
  if (Model === undefined) throw new Error(`nothing is known of the kind ${manifest.kind}`);
  new Model(manifest).validate();
}

function named(kind: string, name: string): Yaml {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

const deployments = roles.map((role) => ({ role, deployment: named('Deployment', role) }));
const podOf = (deployment: Yaml): Yaml => deployment.spec.template.spec;

/** A key -> value file as kustomize reads it. */
function settingsEnv(): Record<string, string> {
  const lines = textOf(`${folder}/settings.env`).split('\n');
  const set = lines.filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(set.map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]));
}

/** What TypeScript says of documents as literals of their types: names that no schema knows are its faults, too. */
async function faultsOfTypes(documents: readonly Yaml[]): Promise<string[]> {
  // Where the packages are found, and no other test comes upon it.
  const own = await mkdtemp(join(top, 'node_modules/.sluice-manifests-'));
  try {
    const texts = documents.map(
      (one, number) =>
        `import type { I${one.kind} } from '${known[one.kind]?.from}';\nexport const it${number}: I${one.kind} = ${JSON.stringify(one, null, 1)};\n`,
    );
    await Promise.all(texts.map((text, number) => writeFile(join(own, `it${number}.ts`), text)));
    const tsc = join(top, 'node_modules/typescript/bin/tsc');
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--skipLibCheck', '--types', ''];
    const files = texts.map((_text, number) => join(own, `it${number}.ts`));
    const { stdout } = await run(process.execPath, [tsc, '--ignoreConfig', ...options, ...files]).catch(
      (error: { stdout?: string }) => ({ stdout: String(error.stdout) }),
    );
    return stdout.split('\n').filter((line) => line.includes('error'));
  } finally {
    await rm(own, { recursive: true });
  }
}

describe('the Kubernetes manifests', function () {
  this.timeout(60_000);

  it('fit the schemas of Kubernetes and of KEDA', () => {
    expect(manifests).to.have.length.greaterThan(9);
    for (const one of manifests)
      expect(() => validate(one), `${one.kind} ${one.metadata.name}`).to.not.throw();
    const wrong = structuredClone(named('Deployment', 'serve'));
    wrong.spec.template.spec.containers[0].ports[0].containerPort = '8080';
    expect(() => validate(wrong)).to.throw('containerPort');
  });

  it('have no field that those do not know', async () => {
    expect(await faultsOfTypes(manifests)).to.deep.equal([]);
    const wrong = structuredClone(named('Deployment', 'serve'));
    wrong.spec.template.spec.enableServiceLink = false;
    const faults = await faultsOfTypes([wrong]);
    expect(faults.join('\n')).to.include('enableServiceLink');
  });

  it('are all in the kustomization, beside files that are there', () => {
    const others = ['kustomization.yaml', 'settings.env'];
    expect([...kustomization.resources, ...others]).to.have.members(filesOf(folder));
    const { version } = JSON.parse(textOf('package.json')) as { version: string };
    expect(kustomization.images).to.deep.equal([{ name: 'sluice', newName: 'sluice', newTag: version }]);
    expect(kustomization.namespace).to.equal(named('Namespace', 'sluice').metadata.name);
  });

  for (const { role, deployment } of deployments) {
    describe(role, () => {
      const pod = podOf(deployment);
      const [container] = pod.containers;
      const env = { ...imageEnvironment(), ...settingsEnv() };
      for (const { name, value } of container.env) env[name] = value;

      it('runs its role, as the image has it, with settings that the role takes', () => {
        expect(container.args).to.deep.equal([role]);
        expect(container.command, 'the entry point').to.equal(undefined);
        expect(container.envFrom).to.deep.equal([{ configMapRef: { name: 'sluice-settings' } }]);
        expect(kustomization.configMapGenerator).to.deep.equal([
          { name: 'sluice-settings', envs: ['settings.env'] },
        ]);
        const config = configOf(env, role);
        expect(config.amqpUrls).to.have.length(2);
        expect(config.databaseUrl).to.not.equal(undefined);
        expect(config.apiKeys).to.have.length(role === 'serve' ? 1 : 0);
      });

      it('finds its secrets where they are mounted, made from files that the README lets one write', () => {
        const [generator] = kustomization.secretGenerator;
        const made = (generator.files as string[]).map((file) => file.split('='));
        for (const [key, path] of made) expect(path).to.equal(`secrets/${key}`);
        expect(made.map(([key]) => key)).to.have.members(Object.keys(samples));

        const volume = pod.volumes.find(({ secret }: Yaml) => secret !== undefined);
        expect(volume.secret.secretName).to.equal(generator.name);
        const mount = container.volumeMounts.find(({ name }: Yaml) => name === volume.name);
        const there = volume.secret.items.map(({ key, path }: Yaml) => {
          expect(key).to.equal(path);
          return `${mount.mountPath}/${path}`;
        });
        const asked = Object.entries(env).filter(([name]) => name.endsWith('_FILE'));
        expect(asked.map(([, path]) => path)).to.have.members(there);
      });

      it('is left alone by service links, and runs as the user of the image without rights', () => {
        expect(pod.enableServiceLinks).to.equal(false);
        const [uid, gid] = lastStep('USER').text.split(':').map(Number);
        expect(pod.securityContext).to.include({
          runAsNonRoot: true,
          runAsUser: uid,
          runAsGroup: gid,
          fsGroup: gid,
        });
        expect(container.securityContext).to.deep.include({
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
        });
        const mounts = container.volumeMounts.map(({ mountPath }: Yaml) => mountPath);
        expect(mounts).to.include(imageEnvironment()['DATA_DIR']);
      });

      it('is asked on its own routes and port', () => {
        const [port] = container.ports;
        expect(String(port.containerPort)).to.equal(
          imageEnvironment()[role === 'serve' ? 'PORT' : 'WORKER_PORT'],
        );
        const { startupProbe, livenessProbe, readinessProbe } = container;
        const probes = [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }: Yaml) => httpGet);
        expect(probes.map(({ path }: Yaml) => path)).to.deep.equal(['/livez', '/livez', '/readyz']);
        for (const { path, port: asked } of probes) {
          expect(opsPaths).to.include(path);
          expect(asked).to.equal(port.name);
        }
        const { annotations } = deployment.spec.template.metadata;
        expect(annotations['prometheus.io/port']).to.equal(String(port.containerPort));
        expect(opsPaths).to.include(annotations['prometheus.io/path']);
      });

      it('has time to stop, and to compute', () => {
        const { shutdownGraceMs, jobTimeoutMs } = configOf(env, role);
        const preStop = container.lifecycle?.preStop.exec.command as string[] | undefined;
        expect(preStop?.[0] ?? 'sleep').to.equal('sleep');
        const leastMs = Number(preStop?.[1] ?? 0) * 1000 + shutdownGraceMs + STOP_BEYOND_GRACE_MS;
        expect(pod.terminationGracePeriodSeconds * 1000).to.be.at.least(leastMs);
        const { periodSeconds, failureThreshold } = container.livenessProbe;
        if (role === 'work') expect(periodSeconds * failureThreshold * 1000).to.be.greaterThan(jobTimeoutMs);
      });

      it('is the one that its budget and its services mean', () => {
        const { labels } = deployment.spec.template.metadata;
        expect(deployment.spec.selector.matchLabels).to.deep.equal(labels);
        expect(named('PodDisruptionBudget', role).spec.selector.matchLabels).to.deep.equal(labels);
        expect(labels).to.include(named('Service', 'sluice-metrics').spec.selector);
        const takesRequests = role === 'serve';
        expect(
          Object.entries(named('Service', 'sluice').spec.selector).every(
            ([key, value]) => labels[key] === value,
          ),
        ).to.equal(takesRequests);
      });
    });
  }

  it('let serve answer until it is out of the service', () => {
    const [container] = podOf(named('Deployment', 'serve')).containers;
    expect(Number(container.lifecycle.preStop.exec.command[1])).to.be.at.least(5);
    expect(named('Deployment', 'serve').spec.strategy.rollingUpdate.maxUnavailable).to.equal(0);
  });

  it('scale the workers, whose number nobody else sets, on the lanes of all queues', () => {
    const { spec } = named('ScaledObject', 'work');
    expect(named('Deployment', spec.scaleTargetRef.name).spec.replicas).to.equal(undefined);
    expect(spec.minReplicaCount).to.be.greaterThan(0);
    const [{ metadata, authenticationRef, type }] = spec.triggers;
    expect(type).to.equal('rabbitmq');
    const { secretTargetRef } = named('TriggerAuthentication', authenticationRef.name).spec;
    const generator = kustomization.secretGenerator.find(
      ({ name }: Yaml) => name === secretTargetRef[0].name,
    );
    expect(generator.files).to.deep.equal([`${secretTargetRef[0].key}=secrets/management-url`]);
    expect(generator.options, 'KEDA would not find a name with a hash').to.deep.equal({
      disableNameSuffixHash: true,
    });

    // In test/deploy/rabbitmq.test.ts a real node answers this question.
    const pattern = new RegExp(metadata.queueName);
    const { names, steps } = describeTopology('sluice', ['default', 'mail']);
    const found = steps.filter((step) => step.kind === 'queue' && pattern.test(step.name));
    const expected = ['default', 'mail'].flatMap((queue) => lanes.map((lane) => names.lane(queue, lane)));
    expect(found.map((step) => step.kind === 'queue' && step.name)).to.have.members(expected);
  });

  it('take secrets as the commands of the README write them', async () => {
    const [generator, scaling] = kustomization.secretGenerator;
    const files = [...generator.files, ...scaling.files].map((file: string) => String(file.split('=')[1]));
    const texts = await filesMadeBy(
      blockBehind('## On Kubernetes'),
      [],
      files.map((file) => `${folder}/${file}`),
    );
    const given = Object.fromEntries(
      files.map((file, number) => [file.replace('secrets/', ''), texts[number] ?? '']),
    );
    const config = configOf(
      {
        ...imageEnvironment(),
        API_KEYS: given['api-keys']?.trim() ?? '',
        AMQP_URL: given['amqp-url']?.trim() ?? '',
        DATABASE_URL: given['database-url']?.trim() ?? '',
      },
      'serve',
    );
    expect(config.apiKeys).to.have.length(1);
    expect(new URL(given['management-url'] ?? '').port).to.equal('15672');
    expect(given['management-url'], 'KEDA takes a line break for a part of it').to.not.match(/\s/);
  });
});
