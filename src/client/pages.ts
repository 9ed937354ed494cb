/** Lists that come in pages. */
import type { CallOptions } from './requests.js';

export interface PageOptions extends CallOptions {
  /** Most on this page, 1 to 200; default 50. */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

/** What one request may list. */
export const MOST_PER_PAGE = 200;

/** The rows of all pages; one is asked for when the rows before it are used up. A page can be empty before the last. */
export async function* pagesOf<Row>(
  pageAt: (
    cursor: string | undefined,
  ) => Promise<{ readonly rows: readonly Row[]; readonly next: string | null }>,
): AsyncGenerator<Row, void, undefined> {
  let cursor: string | undefined;
  do {
    const { rows, next } = await pageAt(cursor);
    yield* rows;
    cursor = next ?? undefined;
  } while (cursor !== undefined);
}
