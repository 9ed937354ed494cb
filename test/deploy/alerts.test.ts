import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { promtool } from '../support/prometheus.js';
import { alertCases, type Samples } from './support/alert-cases.js';
import { panelOf } from './support/dashboards.js';
import { type Rule, readRules, rulesPath } from './support/rules.js';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const configPath = fileURLToPath(new URL('../../deploy/prometheus/prometheus.yaml', import.meta.url));

describe('the alerts of deploy/prometheus', () => {
  let folder: string;
  let rules: ReadonlyMap<string, Rule>;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-alerts-'));
    rules = new Map(readRules().map((rule) => [rule.alert, rule]));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('are what promtool takes for rules, and the configuration beside them as well', async () => {
    for (const args of [
      ['check', 'rules', rulesPath],
      ['check', 'config', configPath],
    ]) {
      const { isGood, output } = await promtool(...args);
      expect(isGood, output).to.equal(true);
    }
  });

  it('are all tested below', () => {
    expect(Object.keys(alertCases)).to.have.members([...rules.keys()]);
    for (const [alert, { fires, quiet }] of Object.entries(alertCases)) {
      expect(fires.length, alert).to.be.above(0);
      expect(quiet.length, alert).to.be.above(0);
    }
  });

  it('name their entry in the runbook, and a panel that shows what they look at', () => {
    for (const { alert, expr, labels, annotations } of rules.values()) {
      expect(annotations['runbook_url']).to.equal(`deploy/README.md#${alert.toLowerCase()}`);
      expect(labels['severity']).to.be.oneOf(['critical', 'warning']);
      const { targets } = panelOf(annotations['dashboard'] ?? '', annotations['panel'] ?? '');
      const shown = targets.map((target) => target.expr).join(' ');
      const inCommon = metricsIn(expr).filter((metric) => shown.includes(metric));
      // What is stuck on its way is shown by the broker, and only inferred by us.
      if (alert !== 'SluiceDelayedJobsStuck') expect(inCommon, alert).to.not.be.empty;
    }
  });

  it('are seen where the README says', () => {
    const rows = [...readme.matchAll(/^\| [^|]+ \| `(Sluice\w+)` \| (\w+): ([^|]+) \|/gm)];
    expect(rows).to.have.lengthOf(5);
    for (const [, alert = '', dashboard = '', panel] of rows) {
      const annotations = rules.get(alert)?.annotations;
      expect(annotations, alert).to.include({ dashboard: `sluice-${dashboard.toLowerCase()}`, panel });
    }
  });

  for (const [alert, { fires, quiet }] of Object.entries(alertCases)) {
    describe(alert, () => {
      for (const { when, given, atMinute, labels = {}, summary } of fires) {
        it(`fires when ${when}`, async () => {
          const rule = rules.get(alert);
          const expected = {
            exp_labels: { ...labels, ...rule?.labels },
            exp_annotations: { ...rule?.annotations, summary },
          };
          await expectAlerts(alert, given, atMinute, [expected]);
        });
      }
      for (const { when, given, atMinute } of quiet) {
        it(`is quiet when ${when}`, () => expectAlerts(alert, given, atMinute, []));
      }
    });
  }

  async function expectAlerts(
    alert: string,
    given: Samples,
    atMinute: number,
    expected: object[],
  ): Promise<void> {
    const file = join(folder, 'case.yaml');
    const test = {
      interval: '1m',
      input_series: Object.entries(given).map(([series, values]) => ({ series, values })),
      alert_rule_test: [{ eval_time: `${atMinute}m`, alertname: alert, exp_alerts: expected }],
    };
    // JSON is YAML.
    writeFileSync(
      file,
      JSON.stringify({ rule_files: [rulesPath], evaluation_interval: '1m', tests: [test] }),
    );
    const { isGood, output } = await promtool('test', 'rules', file);
    expect(isGood, output).to.equal(true);
  }
});

function metricsIn(expr: string): string[] {
  return [...expr.matchAll(/\b(?:sluice|process)_\w+/g)].map(([name]) => name);
}
