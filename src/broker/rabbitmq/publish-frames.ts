/**
 * The frames of a publish, written in one go: a `basic.publish` method, its content header, its body. For the jobs of the hot route alone;
 * all else is amqplib's to write.
 */
import {
  CLASS_BASIC,
  CONTENT_HEADER_BYTES,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  JOB_PROPERTIES,
  METHOD_PUBLISH,
  writeFrameHead,
  writeUint16,
  writeUint32,
} from './amqp.js';
import type { Outgoing } from './outgoing.js';
import type { Route } from './topology.js';
import { MOST_ROOM } from './turn-writer.js';
import type { PublishWire } from './wire.js';

const MANDATORY = 1;
const PERSISTENT = 2;
const LONGEST_SHORT_STRING = 255;
const printable = /^[ -~]*$/;

export interface PublishFrames {
  /** False when the message is not of this kind, or too long; then nothing was written. */
  write(outgoing: Outgoing): boolean;
}

export function createPublishFrames({
  writer,
  channel,
  frameMax,
}: Pick<PublishWire, 'writer' | 'channel' | 'frameMax'>): PublishFrames {
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
      if (body.length + FRAME_OVERHEAD > frameMax || body.length > MOST_ROOM) return false;
      if (!(isShort(contentType) && isShort(messageId) && isShort(type) && hasShortNames(route)))
        return false;
      const method = methodOf(route);
      const headerSize = CONTENT_HEADER_BYTES + 4 + contentType.length + messageId.length + type.length;
      const bytes = method.length + headerSize + body.length + 2 * FRAME_OVERHEAD;
      if (bytes > MOST_ROOM) return false;

      const { slab, at: start } = writer.room(bytes);
      slab.set(method, start);
      let at = start + method.length;
      at = writeFrameHead(slab, at, FRAME_HEADER, channel, headerSize);
      at = writeUint16(slab, at, CLASS_BASIC);
      at = writeUint16(slab, at, 0);
      at = writeUint32(slab, at, 0);
      at = writeUint32(slab, at, body.length);
      at = writeUint16(slab, at, JOB_PROPERTIES);
      at = writeShortString(slab, at, contentType);
      slab[at++] = PERSISTENT;
      at = writeShortString(slab, at, messageId);
      at = writeShortString(slab, at, type);
      slab[at++] = FRAME_END;
      at = writeFrameHead(slab, at, FRAME_BODY, channel, body.length);
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
  let at = writeFrameHead(frame, 0, FRAME_METHOD, channel, size);
  at = writeUint16(frame, at, CLASS_BASIC);
  at = writeUint16(frame, at, METHOD_PUBLISH);
  at = writeUint16(frame, at, 0); // reserved
  for (const name of [exchangeBytes, keyBytes]) {
    frame[at] = name.length;
    frame.set(name, at + 1);
    at += 1 + name.length;
  }
  frame[at] = MANDATORY;
  frame[at + 1] = FRAME_END;
  return frame;
}

/** Of at most 255 bytes, one for each character. */
function isShort(text: string): boolean {
  return text.length <= LONGEST_SHORT_STRING && printable.test(text);
}

/** Of at most 255 bytes for certain: a character takes three at most. Longer ones are amqplib's to measure, and to refuse. */
function hasShortNames({ exchange, key }: Route): boolean {
  return (
    3 * Math.max(exchange.length, key.length) <= LONGEST_SHORT_STRING || (isShort(exchange) && isShort(key))
  );
}

function writeShortString(into: Buffer, at: number, text: string): number {
  const { length } = text;
  into[at] = length;
  for (let i = 0; i < length; i++) into[at + 1 + i] = text.charCodeAt(i);
  return at + 1 + length;
}
