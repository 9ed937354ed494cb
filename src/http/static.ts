/** Files for browsers, open without a key: a closed table of paths, so that nothing else of the disk can be asked for. */
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type Router from '@koa/router';
import { answer, answerUnchanged } from './answer.js';
import type { Answering, RequestState } from './context.js';

/** Its bytes are read at the first request, and kept; `text` is asked then. */
export type StaticFile = { readonly type: string } & (
  | { readonly file: URL }
  | { readonly text: () => string | Promise<string> }
);

export interface Static {
  /** Path to the route that its requests are counted as. */
  readonly labels: ReadonlyMap<string, string>;
  /** `GET` and `HEAD`; the router refuses other methods. */
  addTo(router: Router<RequestState>): void;
}

interface Kept {
  readonly body: Buffer;
  readonly etag: string;
}

/**
 * @param files  by path; `type` is the media type with its charset
 * @param policy  `Content-Security-Policy` of all of them. It need not forbid framing or guessing of types: that is said here
 * @param label  the route as which all of them are counted; without it each is its own
 */
export function createStatic(
  files: Readonly<Record<string, StaticFile>>,
  policy: string,
  label?: string,
): Static {
  const shared = {
    'Content-Security-Policy': `${policy}; frame-ancestors 'none'`,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    // Kept by browsers, but asked for each time: paths stay the same when Sluice is updated.
    'Cache-Control': 'no-cache',
  };

  function routeOf(file: StaticFile): Answering {
    let kept: Promise<Kept> | undefined;
    return async (context) => {
      // A failure is not kept: a file that is missing for a moment is there again after it.
      kept ??= read(file).catch((error: unknown) => {
        kept = undefined;
        throw error;
      });
      const { body, etag } = await kept;
      const headers = { ...shared, ETag: etag };
      if (isKnown(context.req.headers['if-none-match'], etag)) answerUnchanged(context, headers);
      else answer(context, 200, body, headers, file.type);
    };
  }

  return {
    labels: new Map(Object.keys(files).map((path) => [path, label ?? path])),
    addTo(router) {
      for (const [path, file] of Object.entries(files)) router.get(path, routeOf(file));
    },
  };
}

async function read(file: StaticFile): Promise<Kept> {
  const body = 'file' in file ? await readFile(file.file) : Buffer.from(await file.text());
  return { body, etag: `"${hash('sha256', body, 'base64url').slice(0, 22)}"` };
}

/** `If-None-Match` (RFC 9110, section 13.1.2): any of a list, weak or not. */
function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((one) => {
    const tag = one.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}
