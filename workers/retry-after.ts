/** Reads the `Retry-After` header (RFC 9110, section 10.2.3): seconds, or one of the three HTTP dates. */

const weekday = '(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?';
/** IMF-fixdate, RFC 850 and asctime; whatever else `Date.parse` would take is not a date here. */
const httpDate = new RegExp(
  `^(?:${weekday}, \\d{2}[ -][A-Z][a-z]{2}[ -]\\d{2}(?:\\d{2})? \\d{2}:\\d{2}:\\d{2} GMT|${weekday} [A-Z][a-z]{2} [ \\d]\\d \\d{2}:\\d{2}:\\d{2} \\d{4})$`,
);

/** How long to wait from `nowMs` on, in ms; undefined when the header is absent, malformed or asks for no wait. */
export function retryAfterMs(
  header: string | readonly string[] | undefined,
  nowMs: number,
): number | undefined {
  const text = (typeof header === 'string' ? header : header?.[0])?.trim();
  if (text === undefined) return undefined;
  const waitMs = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : dateMs(text) - nowMs;
  return waitMs > 0 ? waitMs : undefined;
}

function dateMs(text: string): number {
  if (!httpDate.test(text)) return Number.NaN;
  // asctime names no zone, and means GMT.
  return Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
}
