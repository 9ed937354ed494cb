/** What the page shows, as the part of its address behind `#`. Pure but for `go`. */

export type View = 'overview' | 'jobs' | 'dead' | 'audit';

export interface Route {
  readonly view: View;
  /** A job, or a group of dead letters. */
  readonly id: string | undefined;
  /** What a list is narrowed to. */
  readonly filter: Readonly<Record<string, string>>;
}

const views: readonly View[] = ['overview', 'jobs', 'dead', 'audit'];

/** `#/jobs/<id>`, `#/jobs?state=dead`; whatever is none of ours is the overview. */
export function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [first = '', id] = path.split('/').map(decoded);
  const view = views.find((one) => one === first) ?? 'overview';
  return { view, id: id === '' ? undefined : id, filter: Object.fromEntries(new URLSearchParams(query)) };
}

/** Fields of the filter that are empty are left out. */
export function hrefOf(view: View, id?: string, filter: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== '')).toString();
  const path = view === 'overview' ? '' : view;
  return `#/${path}${id === undefined ? '' : `/${encodeURIComponent(id)}`}${query === '' ? '' : `?${query}`}`;
}

export function go(href: string): void {
  location.hash = href;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
