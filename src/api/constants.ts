/** What the wire contract fixes besides its schemas. Apart from them, because schemas take long to load, and the command line needs none. */

export const scopes = ['submit', 'read', 'operate'] as const;
export type Scope = (typeof scopes)[number];

/** Of a replay of many that names no rate. */
export const defaultRatePerSecond = 10;
