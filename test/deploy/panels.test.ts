import { expect } from 'chai';
import { startSink } from '../support/sink.js';
import { type Dashboard, panelsOf, readDashboards } from './support/dashboards.js';
import { addressOf, openScene, type Scene, shown, variablesOf } from './support/scene.js';

interface Asked {
  readonly dashboard: Dashboard;
  readonly title: string;
  readonly expr: string;
}

/** From the first job on. */
const DEADLINE_MS = 50_000;
/** Scrapes that a wave lasts, and the calm after it. */
const WAVE = 5;

describe('the panels of deploy/grafana, asked of a Prometheus that scrapes a Sluice under load', function () {
  this.timeout(2 * DEADLINE_MS);
  let scene: Scene;
  let endpoint: Awaited<ReturnType<typeof startSink>>;
  let dashboards: readonly Dashboard[];
  before(async () => {
    dashboards = readDashboards();
    endpoint = await startSink(() => ({ status: 500 }));
    scene = await openScene({
      env: { RETRY_BASE_MS: '50', RETRY_MAX_MS: '100' },
      async launch(stage) {
        const serve = await stage.serve();
        const others = await Promise.all([stage.record(), stage.work()]);
        return [serve, ...others.map(addressOf)].map((url) => new URL(url).host);
      },
    });
  });
  after(async () => {
    await scene?.close();
    await endpoint?.close();
  });

  it('all have data, and the variables values', async () => {
    const { prometheus } = scene;
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    const loaded = new AbortController();
    const load = putUnderLoad(loaded.signal);
    let without: readonly Asked[] = dashboards.flatMap((dashboard) =>
      panelsOf(dashboard).flatMap(({ title, targets }) =>
        targets.map(({ expr }) => ({ dashboard, title, expr })),
      ),
    );
    try {
      await scene.until(
        deadline,
        async () => {
          without = await withoutData(without);
          return without.length === 0;
        },
        () =>
          `without data:\n${without.map(({ dashboard, title, expr }) => `${dashboard.uid}, ${title}: ${expr}`).join('\n')}`,
      );
    } finally {
      loaded.abort();
      await load;
    }
    for (const dashboard of dashboards) {
      const variables = await variablesOf(dashboard, prometheus);
      expect(variables['queue'], dashboard.uid).to.deep.equal(['default']);
      expect(variables['instance'], dashboard.uid).to.have.lengthOf(3);
    }
    const { node, prefix } = await variablesOf(dashboardOf('sluice-broker'), prometheus);
    expect(node).to.have.lengthOf(1);
    expect(prefix).to.deep.equal([scene.stage.prefix]);
  });

  async function withoutData(asked: readonly Asked[]): Promise<readonly Asked[]> {
    const left: Asked[] = [];
    for (const dashboard of dashboards) {
      const own = asked.filter((one) => one.dashboard === dashboard);
      if (own.length === 0) continue;
      const variables = await variablesOf(dashboard, scene.prometheus);
      for (const one of own)
        if ((await shown(one.expr, variables, scene.prometheus)).length === 0) left.push(one);
    }
    return left;
  }

  /**
   * After each scrape: jobs that succeed, run for a while, are delayed, fail and die, and requests that are refused. In waves, as
   * there is no forecast while a backlog grows.
   */
  async function putUnderLoad(signal: AbortSignal): Promise<void> {
    const { stage, prometheus } = scene;
    const push = { url: `${endpoint.url}/orders` };
    for (let scrape = 0; !signal.aborted; scrape++) {
      await prometheus.scraped();
      if (scrape % (2 * WAVE) >= WAVE) continue;
      const many = Array.from({ length: 30 }, (_, n) => ({ type: 'echo', payload: n }));
      const mixed = [
        { type: 'sleep', payload: { ms: 300 }, priority: 'high' },
        { type: 'echo', payload: 1, delayMs: 1_500, priority: 'low' },
        { type: 'http.push', payload: push, maxAttempts: 2 },
      ];
      await stage.call('POST', '/v1/jobs/batch', [...many, ...mixed]);
      await stage.submit({ type: 'echo', payload: 1 });
      await stage.call('POST', '/v1/jobs', { type: 'unheard-of', payload: 1 });
    }
  }

  function dashboardOf(uid: string): Dashboard {
    const found = dashboards.find((dashboard) => dashboard.uid === uid);
    if (found === undefined) throw new Error(`no dashboard ${uid}`);
    return found;
  }
});
