/** A collector on loopback that takes traces as OTLP over HTTP with JSON (opentelemetry-proto 1, `/v1/traces`). */
import { createServer } from 'node:http';

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** '' of a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER';
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly {
    readonly name: string;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly isError: boolean;
  /** Of the process that sent it. */
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface Collector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  /** Resolves with the spans that match, once there are `count` of them. */
  until(count: number, matches: (span: CollectedSpan) => boolean): Promise<readonly CollectedSpan[]>;
  close(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: JSON from outside, read field by field
type Json = any;

const kinds = ['INTERNAL', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const;
const ERROR = 2;

/** @param refuse  answers every request with this status instead of taking it */
export async function startCollector(options: { readonly refuse?: number } = {}): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (options.refuse !== undefined) return response.writeHead(options.refuse).end();
      if (request.url !== '/v1/traces') return response.writeHead(404).end();
      spans.push(...spansOf(JSON.parse(Buffer.concat(chunks).toString())));
      for (const look of waiting) look();
      return response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    until(count, matches) {
      return new Promise((resolve) => {
        const look = (): void => {
          const found = spans.filter(matches);
          if (found.length < count) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      });
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function spansOf(request: Json): CollectedSpan[] {
  return request.resourceSpans.flatMap(({ resource, scopeSpans }: Json) =>
    scopeSpans.flatMap((scope: Json) =>
      scope.spans.map(
        (span: Json): CollectedSpan => ({
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId ?? '',
          name: span.name,
          kind: kinds[span.kind as number] ?? 'INTERNAL',
          attributes: valuesOf(span.attributes),
          events: (span.events ?? []).map((event: Json) => ({
            name: event.name,
            attributes: valuesOf(event.attributes),
          })),
          links: (span.links ?? []).map(({ traceId, spanId }: Json) => ({ traceId, spanId })),
          isError: span.status?.code === ERROR,
          resource: valuesOf(resource.attributes),
        }),
      ),
    ),
  );
}

function valuesOf(attributes: Json = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }: Json) => [key, Object.values(value)[0]]));
}
