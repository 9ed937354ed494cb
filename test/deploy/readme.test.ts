/** deploy/README.md: an entry for every alert, and nothing in it that is not there. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { errorStatus } from '../../src/api/contract.js';
import { settings } from '../../src/config/settings.js';
import { startSluice } from '../support/sluice.js';
import { filesOf, rabbitmqConf, textOf, top, type Yaml, yamlOf } from './support/deployed.js';
import { blockBehind, filesMadeBy, readme, runbook } from './support/readme.js';

function alertRules(): readonly Yaml[] {
  const [{ groups }] = yamlOf('deploy/prometheus/alerts.yaml') as [Yaml];
  return (groups as readonly Yaml[]).flatMap(({ rules }) => rules as readonly Yaml[]);
}

/** Dashboards by the word that the runbook has for them: the titles of their panels. */
function panelsByDashboard(): ReadonlyMap<string, readonly string[]> {
  const files = filesOf('deploy/grafana').filter((file) => file.endsWith('.json'));
  return new Map(
    files.map((file) => {
      const { panels } = JSON.parse(textOf(`deploy/grafana/${file}`)) as { panels: { title: string }[] };
      return [file.replace('.json', ''), panels.map(({ title }) => title)];
    }),
  );
}

describe('the runbook', () => {
  let alerts: readonly Yaml[];
  let panels: ReadonlyMap<string, readonly string[]>;
  before(() => {
    alerts = alertRules();
    panels = panelsByDashboard();
  });

  it('has an entry for each alert, in their order, where their links point', () => {
    expect(runbook().map(({ alert }) => alert)).to.deep.equal(alerts.map(({ alert }) => alert));
    for (const { alert, annotations } of alerts)
      expect(annotations.runbook_url, alert).to.match(
        new RegExp(`deploy/README\\.md#${alert.toLowerCase()}$`),
      );
  });

  it('says in each entry what it means, what to look at, what to do and when it is harmless', () => {
    for (const { alert, text } of runbook()) {
      const parts = [...text.matchAll(/^\*\*(.+?)\*\*/gm)].map(([, part]) => part);
      expect(parts, alert).to.deep.equal(['Means.', 'Look.', 'Do.', 'Harmless when']);
    }
  });

  it('names panels that are on the dashboards, that of the alert among them', () => {
    for (const { alert, text } of runbook()) {
      const named = [...text.matchAll(/\*(\w+): ([^*]+)\*/g)];
      for (const [, dashboard = '', panel] of named)
        expect(panels.get(dashboard), `${alert}: ${dashboard}`).to.include(panel);
      const { annotations } = alerts.find((one) => one.alert === alert) as Yaml;
      expect(
        named.map(([, dashboard, panel]) => `sluice-${dashboard}: ${panel}`),
        alert,
      ).to.include(`${annotations.dashboard}: ${annotations.panel}`);
    }
  });

  it('links to entries that are there, from anywhere in the page', () => {
    const headingsOf = (text: string): string[] =>
      [...text.matchAll(/^##+ (.+)$/gm)].map(([, title = '']) => title.toLowerCase().replaceAll(' ', '-'));
    const headings = headingsOf(readme);
    const links = [...readme.matchAll(/\]\((?<to>[^)]+)\)/g)].map(({ groups: found }) =>
      String(found?.['to']),
    );
    expect(links).to.have.length.greaterThan(10);
    for (const link of links) {
      const [path = '', heading] = link.split('#');
      if (path !== '') expect(existsSync(join(top, 'deploy', path)), link).to.equal(true);
      if (heading !== undefined)
        expect(path === '' ? headings : headingsOf(textOf(join('deploy', path))), link).to.include(heading);
    }
  });
});

describe('deploy/README.md', function () {
  this.timeout(60_000);

  it('names commands and options of the command line as they are', async () => {
    const used = [...readme.matchAll(/npx sluice (?<command>[a-z]+)(?<rest>[^`]*)`/g)];
    expect(used).to.have.length.greaterThan(5);
    const wanted = new Map<string, Set<string>>();
    for (const { groups: found } of used) {
      const [rest = '', command = ''] = [found?.['rest'], found?.['command']];
      const sub = /^ (replay|discard|list)\b/.exec(rest)?.[1];
      const words = sub === undefined ? command : `${command} ${sub}`;
      const options = wanted.get(words) ?? new Set();
      for (const [option] of rest.matchAll(/--[a-z-]+/g)) options.add(option);
      wanted.set(words, options);
    }
    for (const [words, options] of wanted) {
      const help = startSluice([...words.split(' '), '--help']);
      expect((await help.exited).code, words).to.equal(0);
      for (const option of options) expect(help.stdout.join('\n'), words).to.include(option);
    }
  });

  it('names settings, error codes and broker settings as they are', () => {
    const known = new Set([
      ...Object.values(settings).flatMap(({ name }) => [name, `${name}_FILE`]),
      ...[
        'SLUICE_URL',
        'SLUICE_API_KEY',
        'SLUICE_PORT',
        'KEY',
        'END',
        'LANE_MAX_BYTES',
        'NODE_VERSION',
        'NODE_OPTIONS',
      ],
      ...readEnvNames(),
    ]);
    const shouted = [...readme.matchAll(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b/g)].map(([name]) => name);
    expect(shouted.filter((name) => !known.has(name))).to.deep.equal([]);
    expect(textOf('deploy/rabbitmq/policies.sh')).to.include('LANE_MAX_BYTES');
    for (const [, status, code] of readme.matchAll(/`?(4\d\d|503)`? `?([a-z]+_[a-z_]+|overloaded)`/g))
      expect(errorStatus, String(code)).to.have.property(String(code), Number(status));
    for (const name of ['vm_memory_high_watermark', 'raft.wal_max_size_bytes'])
      expect(Object.keys(rabbitmqConf()).join(' ')).to.include(name);
  });

  it('leaves its reader in the top folder, with the rights of files as they were', async () => {
    for (const heading of ['## On one machine', '## On Kubernetes']) {
      const made = await filesMadeBy(
        `here=$(pwd); mask=$(umask)\n${blockBehind(heading)}\ntest "$(pwd) $(umask)" = "$here $mask"\nls -l deploy/.env >> seen || ls -ld deploy/kubernetes/secrets >> seen`,
        ['deploy'],
        ['seen'],
      );
      expect(made[0], 'nobody else may read it').to.match(/^[-d]rw[-x]------ /);
    }
  });

  it('builds and runs files that are there', () => {
    const paths = [...readme.matchAll(/\bdeploy\/[a-zA-Z0-9_./-]*[a-zA-Z]/g)].map(([path]) => path);
    expect(paths).to.have.length.greaterThan(10);
    // Written by the reader.
    const made = ['deploy/.env', 'deploy/kubernetes/secrets'];
    for (const path of paths)
      if (!made.includes(path)) expect(existsSync(join(top, path)), path).to.equal(true);
    const ignored = textOf('.gitignore').split('\n');
    expect(ignored, 'what holds passwords').to.include.members(['deploy/.env', 'deploy/kubernetes/secrets/']);
    expect(blockBehind('## The image')).to.equal('docker build -f deploy/Dockerfile -t sluice .\n');
  });

  /** What the commands write into `.env`. */
  function readEnvNames(): string[] {
    return [...blockBehind('## On one machine').matchAll(/^([A-Z_]+)=\$?/gm)].map(([, name = '']) => name);
  }
});
