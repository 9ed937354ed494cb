/**
 * The frames of a publish, written in one go: a `basic.publish` method, its content header, its body (AMQP 0-9-1, 4.2 and 1.8.3.7). For
 * the jobs of the hot route alone; all else is amqplib's to write.
 */
import type { Outgoing } from './outgoing.js';
import type { Route } from './topology.js';
import { MOST_ROOM } from './turn-writer.js';
import type { PublishWire } from './wire.js';

const FRAME_METHOD = 1;
const FRAME_HEADER = 2;
const FRAME_BODY = 3;
const FRAME_END = 0xce;
/** Type, channel and size before, the end octet behind. */
const FRAME_OVERHEAD = 8;
const CLASS_BASIC = 60;
const METHOD_PUBLISH = 40;
const MANDATORY = 1;
const PERSISTENT = 2;
/** Flags of the properties that are there: content-type, delivery-mode, message-id, type. */
const PROPERTIES = 0x8000 | 0x1000 | 0x80 | 0x20;
/** Class, weight, size of the body, flags. */
const CONTENT_HEADER_BYTES = 14;
const printable = /^[ -~]*$/;

export interface PublishFrames {
  /** False when the message is not of this kind, or too long; then nothing was written. */
  write(outgoing: Outgoing): boolean;
}

export function createPublishFrames({
  writer,
  channel,
  frameMax,
}: Omit<PublishWire, 'written'>): PublishFrames {
  /** The method frame is the same for all publishes of a route, and that of a lane is always the same object. */
  const methods = new WeakMap<Route, Buffer>();

  function methodOf(route: Route): Buffer {
    const known = methods.get(route);
    if (known !== undefined) return known;
    const made = methodFrame(channel, route);
    methods.set(route, made);
    return made;
  }

  return {
    write({ route, body, properties }) {
      const { messageId, type, contentType, headers, persistent, mandatory } = properties;
      if (headers !== undefined || type === undefined || contentType === undefined) return false;
      if (persistent !== true || mandatory !== true || body.length === 0) return false;
      if (body.length + FRAME_OVERHEAD > frameMax) return false;
      const method = methodOf(route);
      const headerSize = CONTENT_HEADER_BYTES + 4 + contentType.length + messageId.length + type.length;
      const bytes = method.length + headerSize + body.length + 2 * FRAME_OVERHEAD;
      if (bytes > MOST_ROOM || !(isShort(contentType) && isShort(messageId) && isShort(type))) return false;

      const { slab, at: start } = writer.room(bytes);
      slab.set(method, start);
      let at = start + method.length;
      at = frameHead(slab, at, FRAME_HEADER, channel, headerSize);
      at = uint16(slab, at, CLASS_BASIC);
      at = uint16(slab, at, 0);
      at = uint32(slab, at, 0);
      at = uint32(slab, at, body.length);
      at = uint16(slab, at, PROPERTIES);
      at = shortString(slab, at, contentType);
      slab[at++] = PERSISTENT;
      at = shortString(slab, at, messageId);
      at = shortString(slab, at, type);
      slab[at++] = FRAME_END;
      at = frameHead(slab, at, FRAME_BODY, channel, body.length);
      slab.set(body, at);
      at += body.length;
      slab[at++] = FRAME_END;
      writer.keep(at - start);
      return true;
    },
  };
}

function methodFrame(channel: number, { exchange, key }: Route): Buffer {
  const [exchangeBytes, keyBytes] = [Buffer.from(exchange), Buffer.from(key)];
  const size = 4 + 2 + 1 + exchangeBytes.length + 1 + keyBytes.length + 1;
  const frame = Buffer.alloc(size + FRAME_OVERHEAD);
  let at = frameHead(frame, 0, FRAME_METHOD, channel, size);
  at = uint16(frame, at, CLASS_BASIC);
  at = uint16(frame, at, METHOD_PUBLISH);
  at = uint16(frame, at, 0); // reserved
  for (const name of [exchangeBytes, keyBytes]) {
    frame[at] = name.length;
    frame.set(name, at + 1);
    at += 1 + name.length;
  }
  frame[at] = MANDATORY;
  frame[at + 1] = FRAME_END;
  return frame;
}

function frameHead(into: Buffer, at: number, type: number, channel: number, size: number): number {
  into[at] = type;
  return uint32(into, uint16(into, at + 1, channel), size);
}

function uint16(into: Buffer, at: number, value: number): number {
  into[at] = value >>> 8;
  into[at + 1] = value;
  return at + 2;
}

function uint32(into: Buffer, at: number, value: number): number {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
  return at + 4;
}

/** Of at most 255 bytes, one for each character. */
function isShort(text: string): boolean {
  return text.length <= 255 && printable.test(text);
}

function shortString(into: Buffer, at: number, text: string): number {
  const { length } = text;
  into[at] = length;
  for (let i = 0; i < length; i++) into[at + 1 + i] = text.charCodeAt(i);
  return at + 1 + length;
}
