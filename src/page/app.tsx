/** The page around its views: where one is, whether the server answers, and who may come in. */
import type { QueueView } from '../api/queues.js';
import { access, findAccess } from './access.js';
import { AuditPanel } from './audit.js';
import { useCell } from './cell.js';
import { DeadLetters } from './dead-letters.js';
import { count, moment } from './format.js';
import { remember } from './history.js';
import { Job } from './job.js';
import { Jobs } from './jobs.js';
import { KeyPrompt } from './key-prompt.js';
import { h, type JSX, useEffect, useRef, useState } from './lib/preact.js';
import { Notices } from './notices.js';
import { Overview } from './overview.js';
import { usePolled } from './poll.js';
import { hrefOf, type Route, routeOf, type View } from './routes.js';
import { client, forgetKey, hasKey, keyWanted, silentSince } from './server.js';

const titles: Readonly<Record<View, string>> = {
  overview: 'Overview',
  jobs: 'Jobs',
  dead: 'Dead letters',
  audit: 'Audit',
};
/** As long as the server keeps its counts. */
const EVERY_MS = 2_000;

export function App(): JSX.Element {
  const wanted = useCell(keyWanted);
  const { mayRead } = useCell(access);
  useEffect(() => void findAccess(), []);
  return (
    <div class="page">
      {wanted !== undefined ? <KeyPrompt why={wanted} /> : mayRead ? <Inside /> : <p class="waiting">…</p>}
      <Silence />
      <Notices />
    </div>
  );
}

async function loadQueues(): Promise<readonly QueueView[]> {
  const queues = await client.queues.list();
  remember(queues, Date.now());
  return queues;
}

function Inside(): JSX.Element {
  const route = useRoute();
  const { mayOperate } = useCell(access);
  const { value: queues, problem } = usePolled('queues', loadQueues, EVERY_MS);
  const dead = queues?.reduce((sum, queue) => sum + queue.dead, 0) ?? 0;
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);

  useEffect(() => {
    document.title = `${dead > 0 ? `(${count(dead)} dead) ` : ''}${titles[route.view]} · Sluice`;
  }, [dead, route.view]);
  // Whoever goes on by keyboard or screen reader goes on from the beginning of what has come.
  useEffect(() => {
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [route.view, route.id]);

  return (
    <div>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <a class="name" href={hrefOf('overview')}>
          <img src="assets/page/icon.svg" alt="" width="22" height="22" />
          Sluice
        </a>
        <nav aria-label="Views">
          {Object.entries(titles).map(([view, title]) => (
            <a key={view} href={hrefOf(view as View)} aria-current={view === route.view ? 'page' : undefined}>
              {title}
              {view === 'dead' && dead > 0 ? <span class="badge">{count(dead)}</span> : null}
            </a>
          ))}
        </nav>
        <p class="who">
          <a href="docs">API</a>
          {mayOperate ? null : <span title="This key lacks the scope operate">read only</span>}
          {hasKey() ? (
            <button type="button" class="quiet" onClick={forgetKey}>
              Forget key
            </button>
          ) : null}
        </p>
      </header>
      <main ref={main} tabIndex={-1}>
        {problem === undefined ? null : (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <Shown route={route} queues={queues} />
      </main>
    </div>
  );
}

function Shown({ route, queues }: { route: Route; queues: readonly QueueView[] | undefined }): JSX.Element {
  switch (route.view) {
    case 'overview':
      return <Overview queues={queues} />;
    case 'jobs':
      return route.id === undefined ? (
        <Jobs filter={route.filter} queues={queues} />
      ) : (
        <Job key={route.id} id={route.id} />
      );
    case 'dead':
      return <DeadLetters group={route.id} />;
    case 'audit':
      return <AuditPanel />;
  }
}

function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const moved = (): void => setRoute(routeOf(location.hash));
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return route;
}

function Silence(): JSX.Element {
  const since = useCell(silentSince);
  return (
    <div class="silence" role="alert">
      {since === undefined
        ? null
        : `The server does not answer since ${moment(new Date(since).toISOString())}. What is shown is from before; it goes on by itself when the server is back.`}
    </div>
  );
}
