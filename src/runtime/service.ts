/**
 * How anything here lives. `start` resolves when the service can be used. `stop` works before start, twice, and in the
 * middle of a reconnect; it resolves when nothing of the service is left running.
 */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Why a service cannot do its work now; `ok` is about deliveries and publishes flowing, not about an open socket. `note`: it
 * works, but something is amiss that a person should know.
 */
export type Health =
  | { readonly ok: true; readonly note?: string }
  | { readonly ok: false; readonly reason: string };
