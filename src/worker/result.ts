/** What a handler returned, as the text that is kept of it: JSON, of bounded size. */

export interface ResultText {
  /** JSON text, or its beginning when it was cut; absent when the handler returned nothing, or nothing that JSON can hold. */
  readonly result?: string;
  /** Its size in bytes before it was cut. */
  readonly cutFrom?: number;
}

/** UTF-8 needs at most so many bytes for one UTF-16 unit. */
const MOST_BYTES_PER_UNIT = 3;

/**
 * Never throws. Cut at the border of a character.
 * @param refused  called with the reason when JSON cannot hold the value
 */
export function resultText(value: unknown, maxBytes: number, refused: (error: unknown) => void): ResultText {
  if (value === undefined) return {};
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    refused(error); // a cycle, a BigInt, a toJSON that throws
    return {};
  }
  if (text === undefined) {
    refused(new TypeError(`JSON has no place for a ${typeof value}`));
    return {};
  }
  if (text.length * MOST_BYTES_PER_UNIT <= maxBytes) return { result: text };
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return { result: text };
  // It writes whole characters only.
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return { result: text.slice(0, read), cutFrom: bytes };
}
