/**
 * Reads the frames that come by the thousand, in the bytes in which they came: deliveries, their headers and bodies, and confirms. Gives
 * what amqplib's own reader gives, to which it leaves all other frames, and all that are malformed.
 */

import {
  CLASS_BASIC,
  CONTENT_HEADER_BYTES,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEAD_BYTES,
  FRAME_HEADER,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  HAS_HEADERS,
  JOB_PROPERTIES,
  METHOD_ACK,
  METHOD_DELIVER,
  readUint16,
  readUint32,
  readUint64,
} from './amqp.js';

/** As amqplib has it. */
export interface Frame {
  /** Class and method; of a content header the class alone; a body has none. */
  readonly id?: number;
  readonly channel: number;
  readonly fields?: object;
  /** Of the body to come. */
  readonly size?: number;
  readonly content?: Buffer;
}

/** Where bytes come from. */
export interface FrameSource {
  readonly stream: { read(): Buffer | null };
  /** Bytes that are no frame yet. */
  rest: Buffer;
  /** 0: no limit. */
  readonly maxFrameSize: number;
  recvSinceLastCheck: boolean;
}

const BASIC_DELIVER = (CLASS_BASIC << 16) | METHOD_DELIVER;
const BASIC_ACK = (CLASS_BASIC << 16) | METHOD_ACK;
const none = Buffer.alloc(0);

/**
 * @param other  amqplib's own reader, which takes from `source.rest`
 * @returns the next frame, or false until more has come. Throws what `other` throws.
 */
export function createFrameReader(other: () => Frame | false, source: FrameSource): () => Frame | false {
  let bytes: Buffer = none;
  let at = 0;
  const texts = createTexts();

  function leaveToOther(): Frame | false {
    source.rest = bytes.subarray(at);
    try {
      return other();
    } finally {
      bytes = none;
      at = 0;
    }
  }

  return () => {
    if (source.rest.length > 0) {
      // What the other reader has left.
      bytes = source.rest;
      at = 0;
      source.rest = none;
    }
    for (;;) {
      const left = bytes.length - at;
      if (left >= FRAME_OVERHEAD) {
        const size = readUint32(bytes, at + 3);
        if (source.maxFrameSize > 0 && size > source.maxFrameSize) return leaveToOther();
        if (left >= size + FRAME_OVERHEAD) {
          const frame =
            bytes[at + FRAME_HEAD_BYTES + size] === FRAME_END ? read(bytes, at, size, texts) : undefined;
          if (frame === undefined) return leaveToOther();
          at += size + FRAME_OVERHEAD;
          return frame;
        }
      }
      const incoming = source.stream.read();
      if (incoming === null) return false;
      source.recvSinceLastCheck = true;
      bytes = left === 0 ? incoming : Buffer.concat([bytes.subarray(at), incoming]);
      at = 0;
    }
  };
}

function read(bytes: Buffer, at: number, size: number, texts: Texts): Frame | undefined {
  const channel = readUint16(bytes, at + 1);
  const start = at + FRAME_HEAD_BYTES;
  const end = start + size;
  switch (bytes[at]) {
    case FRAME_METHOD:
      return size < 4 ? undefined : readMethod(bytes, channel, start, end, texts);
    case FRAME_HEADER:
      return size < CONTENT_HEADER_BYTES ? undefined : readHeader(bytes, channel, start, end, texts);
    case FRAME_BODY:
      return { channel, content: bytes.subarray(start, end) };
    default:
      return undefined;
  }
}

function readMethod(
  bytes: Buffer,
  channel: number,
  start: number,
  end: number,
  texts: Texts,
): Frame | undefined {
  const id = readUint32(bytes, start);
  const from = start + 4;
  if (id === BASIC_DELIVER) {
    const tagAt = from + 1 + (bytes[from] as number);
    const exchangeAt = tagAt + 9;
    if (exchangeAt >= end) return undefined;
    const keyAt = exchangeAt + 1 + (bytes[exchangeAt] as number);
    if (keyAt >= end || keyAt + 1 + (bytes[keyAt] as number) !== end) return undefined;
    const fields = {
      consumerTag: texts.consumerTag.read(bytes, from),
      deliveryTag: readUint64(bytes, tagAt),
      redelivered: ((bytes[tagAt + 8] as number) & 1) === 1,
      exchange: texts.exchange.read(bytes, exchangeAt),
      routingKey: texts.routingKey.read(bytes, keyAt),
    };
    return { id, channel, fields };
  }
  if (id === BASIC_ACK && end - from === 9) {
    const fields = {
      deliveryTag: readUint64(bytes, from),
      multiple: ((bytes[from + 8] as number) & 1) === 1,
    };
    return { id, channel, fields };
  }
  return undefined;
}

function readHeader(
  bytes: Buffer,
  channel: number,
  start: number,
  end: number,
  texts: Texts,
): Frame | undefined {
  const id = readUint16(bytes, start);
  const flags = readUint16(bytes, start + 12);
  if (id !== CLASS_BASIC || (flags & ~HAS_HEADERS) !== JOB_PROPERTIES) return undefined;
  if (readUint32(bytes, start + 4) !== 0) return undefined; // A body of 4 GiB or more.
  const contentTypeAt = start + CONTENT_HEADER_BYTES;
  if (contentTypeAt >= end) return undefined;
  const headersAt = contentTypeAt + 1 + (bytes[contentTypeAt] as number);
  const hasHeaders = flags !== JOB_PROPERTIES; // amqplib adds them to whatever it publishes, if only none.
  if (hasHeaders && (headersAt + 4 >= end || readUint32(bytes, headersAt) !== 0)) return undefined;
  const modeAt = hasHeaders ? headersAt + 4 : headersAt;
  const idAt = modeAt + 1;
  if (idAt >= end) return undefined;
  const typeAt = idAt + 1 + (bytes[idAt] as number);
  if (typeAt >= end || typeAt + 1 + (bytes[typeAt] as number) !== end) return undefined;
  // All of them, in amqplib's order: one hidden class for those that are read here and there.
  const fields = {
    contentType: texts.contentType.read(bytes, contentTypeAt),
    contentEncoding: undefined,
    headers: hasHeaders ? {} : undefined,
    deliveryMode: bytes[modeAt],
    priority: undefined,
    correlationId: undefined,
    replyTo: undefined,
    expiration: undefined,
    messageId: bytes.toString('utf8', idAt + 1, typeAt),
    timestamp: undefined,
    type: texts.type.read(bytes, typeAt),
    userId: undefined,
    appId: undefined,
    clusterId: undefined,
  };
  return { id, channel, size: readUint32(bytes, start + 8), fields };
}

/** Short strings that are mostly those of the delivery before, each in its place. */
interface Texts {
  readonly consumerTag: LastText;
  readonly exchange: LastText;
  readonly routingKey: LastText;
  readonly contentType: LastText;
  readonly type: LastText;
}

interface LastText {
  /** The short string at `at`, which begins with its length. */
  read(bytes: Buffer, at: number): string;
}

function createTexts(): Texts {
  return {
    consumerTag: createLastText(),
    exchange: createLastText(),
    routingKey: createLastText(),
    contentType: createLastText(),
    type: createLastText(),
  };
}

/** Comparing a few bytes takes less than making a string of them. */
function createLastText(): LastText {
  const last = new Uint8Array(256);
  let text = '';
  return {
    read(bytes, at) {
      const length = bytes[at] as number;
      let same = 0;
      while (same <= length && bytes[at + same] === last[same]) same++;
      if (same <= length) {
        last.set(bytes.subarray(at, at + 1 + length));
        text = bytes.toString('utf8', at + 1, at + 1 + length);
      }
      return text;
    },
  };
}
