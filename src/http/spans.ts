/** How requests and their publishes can be shown as spans. `assemble` brings an implementation where somebody listens; it must not throw. */
import type { IncomingMessage } from 'node:http';
import type { Job } from '../job/job.js';

export interface HttpSpans {
  /** A request has come in. `route`: as in `HttpObserver.requested`. Undefined: nobody looks at this one. */
  request(req: IncomingMessage, route: string): RequestSpan | undefined;
}

export interface RequestSpan {
  /** For what goes on after the answer to link to; undefined where nobody looks. */
  readonly traceparent: string | undefined;
  /** A job is about to be published. `isItem`: one of the many of a batch. Undefined: nobody looks at this one. */
  publish(job: Job, isItem: boolean): PublishSpan | undefined;
  /** `status`: as in `HttpObserver.requested`. */
  end(status: number): void;
}

export interface PublishSpan {
  /** The job with the trace context that its message carries. */
  readonly job: Job;
  /** Without an error: the broker has confirmed it. */
  end(error?: unknown): void;
}

/** The outcome of a publish, told to its span as well. */
export function shown(span: PublishSpan | undefined, publishing: Promise<void>): Promise<void> {
  if (span === undefined) return publishing;
  return publishing.then(
    () => span.end(),
    (error: unknown) => {
      span.end(error);
      throw error;
    },
  );
}
