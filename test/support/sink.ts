/** An HTTP endpoint for `http.push`: remembers every request by its `job-id` header. */
import { createServer, type IncomingHttpHeaders } from 'node:http';

export interface SinkRequest {
  /** The `job-id` header, or '' when it is missing. */
  readonly jobId: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface SinkAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Sink {
  readonly url: string;
  /** Requests per job id. */
  readonly counts: ReadonlyMap<string, number>;
  /** Requests in all. */
  readonly total: number;
  /** Resolves when `count` distinct jobs have been seen. */
  untilDistinct(count: number): Promise<void>;
  close(): Promise<void>;
}

/** @param answer  what to reply; it may wait. Default: 204. */
export async function startSink(
  answer: (request: SinkRequest) => SinkAnswer | Promise<SinkAnswer> = () => ({ status: 204 }),
): Promise<Sink> {
  const counts = new Map<string, number>();
  let total = 0;
  const waiting = new Set<{ count: number; resolve: () => void }>();

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined); // the caller went away
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const jobId = String(headers['job-id'] ?? '');
      counts.set(jobId, (counts.get(jobId) ?? 0) + 1);
      total += 1;
      for (const waiter of waiting) {
        if (counts.size < waiter.count) continue;
        waiting.delete(waiter);
        waiter.resolve();
      }
      Promise.resolve(answer({ jobId, method, path: url, headers, body: Buffer.concat(chunks) }))
        .catch((error: unknown) => ({ status: 500, headers: {}, body: String(error) }))
        .then(({ status, headers: extra, body }) => response.writeHead(status, extra).end(body))
        .catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    counts,
    get total() {
      return total;
    },
    untilDistinct: (count) =>
      new Promise((resolve) => {
        if (counts.size >= count) resolve();
        else waiting.add({ count, resolve });
      }),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
