/** Numbers of AMQP 0-9-1, for those frames that are written and read by our own code: sections 4.2.3 (frames), 4.2.6.1 (content headers) and 1.8.3 (class basic). */

export const FRAME_METHOD = 1;
export const FRAME_HEADER = 2;
export const FRAME_BODY = 3;
export const FRAME_END = 0xce;
/** Type, channel and size. */
export const FRAME_HEAD_BYTES = 7;
/** The head before, the end octet behind. */
export const FRAME_OVERHEAD = FRAME_HEAD_BYTES + 1;

export const CLASS_BASIC = 60;
export const METHOD_PUBLISH = 40;
export const METHOD_DELIVER = 60;
export const METHOD_ACK = 80;

/** Class, weight, size of the body, flags. */
export const CONTENT_HEADER_BYTES = 14;
export const HAS_HEADERS = 0x2000;
/** The flags of a job that has its defaults: content-type, delivery-mode, message-id and type. */
export const JOB_PROPERTIES: number = 0x8000 | 0x1000 | 0x80 | 0x20;

export function readUint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return readUint16(bytes, at) * 0x10000 + readUint16(bytes, at + 2);
}

export function readUint64(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) * 0x1_0000_0000 + readUint32(bytes, at + 4);
}

/** @returns where the next value goes, as all of these */
export function writeUint16(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
  return at + 2;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): number {
  return writeUint16(bytes, writeUint16(bytes, at, value >>> 16), value);
}

export function writeFrameHead(
  bytes: Uint8Array,
  at: number,
  type: number,
  channel: number,
  size: number,
): number {
  bytes[at] = type;
  return writeUint32(bytes, writeUint16(bytes, at + 1, channel), size);
}
