/** A subscription, of whatever is delivered. */
export interface Consumer {
  /** Resolves when no further delivery will come. What was delivered can still be settled. Works twice. */
  cancel(): Promise<void>;
}
