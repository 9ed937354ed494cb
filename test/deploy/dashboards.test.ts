import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { renderDashboards } from '../../deploy/grafana/src/render.js';
import { createMetrics } from '../../src/observe/metrics.js';
import { createLog } from '../../src/runtime/log.js';
import { type Dashboard, type Panel, panelsOf, readDashboards } from './support/dashboards.js';

// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana
const chosen = { type: 'prometheus', uid: '${datasource}' };
const folder = new URL('../../deploy/grafana/', import.meta.url);

describe('the dashboards of deploy/grafana', () => {
  let dashboards: readonly Dashboard[];
  before(() => {
    dashboards = readDashboards();
  });

  it('are what `npm run dashboards` writes, and there are no others', () => {
    const rendered = renderDashboards();
    const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
    expect(files).to.have.members([...rendered.keys()]);
    for (const [name, text] of rendered) expect(readFileSync(new URL(name, folder), 'utf8')).to.equal(text);
  });

  it('are the four that the runbook speaks of', () => {
    expect(dashboards.map(({ uid }) => uid)).to.have.members([
      'sluice-overview',
      'sluice-ingestion',
      'sluice-workers',
      'sluice-broker',
    ]);
  });

  it('give each panel an id of its own', () => {
    for (const { uid, panels } of dashboards) {
      const ids = panels.map(({ id }) => id);
      expect(new Set(ids).size, uid).to.equal(ids.length);
      expect(ids.every((id) => Number.isInteger(id) && id > 0)).to.equal(true);
    }
  });

  it('give each panel a name of its own, for the alerts to point at', () => {
    for (const dashboard of dashboards) {
      const titles = panelsOf(dashboard).map(({ title }) => title);
      expect(new Set(titles).size, dashboard.uid).to.equal(titles.length);
    }
  });

  it('keep every panel within 24 columns, and apart from the others', () => {
    for (const { uid, panels } of dashboards) {
      for (const [index, one] of panels.entries()) {
        expect(one.gridPos.x + one.gridPos.w, `${uid}: ${one.title}`).to.be.at.most(24);
        for (const other of panels.slice(index + 1))
          expect(overlap(one, other), `${uid}: ${one.title} and ${other.title}`).to.equal(false);
      }
    }
  });

  it('let choose a data source, queues and instances, and use no variable that is not there', () => {
    for (const dashboard of dashboards) {
      const names = dashboard.templating.list.map(({ name }) => name);
      expect(names).to.include.members(['datasource', 'queue', 'instance']);
      const known = [...names, '__rate_interval', '__range'];
      const text = JSON.stringify([dashboard.panels, dashboard.templating]);
      for (const [, name] of text.matchAll(/\$\{?(\w+)\}?/g))
        if (name !== '__all') expect(known, dashboard.uid).to.include(name);
    }
  });

  it('ask the data source that was chosen', () => {
    for (const dashboard of dashboards) {
      for (const panel of panelsOf(dashboard)) {
        for (const { datasource } of [panel, ...panel.targets])
          expect(datasource, panel.title).to.deep.equal(chosen);
      }
    }
  });

  it('say of each panel what it shows in which unit, from when on it is bad, and what to do', () => {
    for (const dashboard of dashboards) {
      for (const { title, description, targets, fieldConfig } of panelsOf(dashboard)) {
        expect(description.length, title).to.be.above(15);
        expect(fieldConfig.defaults.unit, title).to.be.a('string').and.not.equal('');
        expect(fieldConfig.defaults.thresholds.steps[0]?.value, title).to.equal(null);
        expect(targets.length, title).to.be.above(0);
      }
    }
  });

  it('show every metric that the product has, and no other of its name', async () => {
    const asked = new Set(
      dashboards
        .flatMap(panelsOf)
        .flatMap(({ targets }) => targets)
        .flatMap(({ expr }) => [...expr.matchAll(/sluice_\w+/g)].map(([name]) => name)),
    );
    const shown = [...asked].map((name) => name.replace(/_(bucket|sum|count)$/, ''));
    expect([...new Set(shown)]).to.have.members(await metricsOfTheProduct());
  });
});

function overlap({ gridPos: one }: Panel, { gridPos: other }: Panel): boolean {
  const meet = (start: number, length: number, its: number, itsLength: number): boolean =>
    start < its + itsLength && its < start + length;
  return meet(one.x, one.w, other.x, other.w) && meet(one.y, one.h, other.y, other.h);
}

async function metricsOfTheProduct(): Promise<string[]> {
  const metrics = createMetrics({
    types: [],
    queues: [],
    log: createLog('silent'),
    brokerStats: { isUp: true, isBlocked: false, reconnects: 0, unconfirmed: 0, undecodable: 0 },
    spooled: () => 0,
    inspect: () => Promise.reject(new Error('asked by nobody')),
    readSide: {
      queues: async () => [],
      rows: async () => 0,
      unaccounted: async () => 0,
    },
  });
  metrics.watchPool(() => []);
  return [...(await metrics.render()).matchAll(/^# TYPE (sluice_\w+)/gm)].map(([, name = '']) => name);
}
