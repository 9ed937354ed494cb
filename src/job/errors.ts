/**
 * The error tree: one class per reaction, not per place. `code` is stable; `message` says what to do; `cause` is kept.
 * The control errors at the end are what a handler throws to steer its job.
 */

export class SluiceError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The caller must mend what was sent; trying the same again fails the same way. Nothing was accepted. */
export class Invalid extends SluiceError {}

/** A definite no for now: nothing was accepted, and the caller may try again after `retryAfterMs`. */
export class Refused extends SluiceError {
  readonly retryAfterMs: number;
  constructor(code: string, message: string, retryAfterMs: number, options?: ErrorOptions) {
    super(code, message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The broker cannot be used at the moment. Nothing was accepted; we reconnect on our own. */
export class Unavailable extends SluiceError {
  constructor(message: string, options?: ErrorOptions) {
    super('broker_unavailable', message, options);
  }
}

/** It was sent, and no answer came in time: the job may or may not be in the broker. */
export class OutcomeUnknown extends SluiceError {
  /** Resolves if the broker confirms it after all; never settles otherwise. */
  readonly stored: Promise<void> | undefined;
  constructor(message: string, options?: ErrorOptions & { readonly stored?: Promise<void> }) {
    super('broker_unavailable', message, options);
    this.stored = options?.stored;
  }
}

/** The channel that delivered it is gone, and the delivery with it: the broker delivers the job again. */
export class Lost extends SluiceError {
  constructor(message: string, options?: ErrorOptions) {
    super('delivery_lost', message, options);
  }
}

/** The bytes are not a job; no attempt can mend them, so they go to the dead letters at once. */
export class Undecodable extends SluiceError {
  constructor(message: string, options?: ErrorOptions) {
    super('undecodable', message, options);
  }
}

/** The database of the store cannot be used at the moment: away, starting, full or read-only. Nothing was changed; the same may be tried again. */
export class StoreUnavailable extends SluiceError {
  constructor(message: string, options?: ErrorOptions) {
    super('store_unavailable', message, options);
  }
}

/** The database works, but does not take this content; trying the same again fails the same way. Nothing was changed. */
export class StoreRefused extends SluiceError {
  constructor(message: string, options?: ErrorOptions) {
    super('store_refused', message, options);
  }
}

/** Thrown by a handler: try again after `delayMs`. Costs an attempt. */
export class RetryLater extends Error {
  readonly delayMs: number;
  constructor(delayMs: number, message = `asked to be retried in ${delayMs} ms`, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RetryLater';
    this.delayMs = delayMs;
  }
}

/** Thrown by a handler: no further attempt can succeed. The job goes to the dead letters at once. */
export class DeadLetter extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'DeadLetter';
  }
}

/** Thrown by a handler: the work is no longer wanted. The job ends as cancelled. */
export class Cancelled extends Error {
  constructor(reason = 'cancelled by its handler', options?: ErrorOptions) {
    super(reason, options);
    this.name = 'Cancelled';
  }
}
