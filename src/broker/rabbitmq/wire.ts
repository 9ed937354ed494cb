/**
 * What is used of amqplib beyond its typed interface, all of it on this page. Its own way from a publish to the socket, and from the socket
 * to a delivery, takes as long as the rest of a job (src/DECISIONS.md), so a connection of ours writes and reads its frames here; what the
 * frames mean stays with amqplib. Its version is pinned; `frame-reader.test.ts` and `publish-frames.test.ts` hold both ways against its own.
 */
import type { Socket } from 'node:net';
import type { Channel, ChannelModel } from 'amqplib';
import { createFrameReader, type Frame } from './frame-reader.js';
import { createTurnWriter, type TurnWriter } from './turn-writer.js';

/** amqplib's `Connection`, as far as it is used. */
interface Connection {
  readonly stream: Socket;
  /** By number; null once it is closed. 0 is the connection's own. */
  readonly channels: ({ readonly channel: object; buffer: unknown } | null)[];
  /** Bytes that have come and are no frame yet. */
  rest: Buffer;
  readonly maxFrameSize: number;
  readonly frameMax: number;
  /** For the heartbeat. */
  sentSinceLastCheck: boolean;
  recvSinceLastCheck: boolean;
  /** Makes a place for a channel; returns its number. */
  freshChannel(channel: object, options?: object): number;
  /** The next frame, or false until more has come. @throws Error  these bytes are no frame */
  recvFrame(): Frame | false;
}

/** amqplib's `Channel`. */
interface OpenChannel {
  readonly ch: number;
  readonly connection: Connection;
  /** The callback of the publish that was written last. */
  pushConfirmCallback(callback: (error: Error | null) => void): void;
}

/** Where the publishes of a channel are written. */
export interface PublishWire {
  readonly writer: TurnWriter;
  /** Number of the channel. */
  readonly channel: number;
  /** Once false, amqplib lets nothing more through, and its own `publish` says why. */
  isOpen(): boolean;
  /** Most bytes of a frame, its frame around it included. */
  readonly frameMax: number;
  /** Frames of a publish have been written; `confirmed` is told as by `ConfirmChannel.publish`. */
  written(confirmed: (error: Error | null) => void): void;
}

/** From now on the frames of one turn of the event loop leave as one write, and frames that come are read in place. */
export function takeOverWire(model: ChannelModel): void {
  const connection = connectionOf(model);
  const writer = createTurnWriter(connection.stream);
  const { freshChannel, recvFrame } = connection;
  connection.freshChannel = (channel, options) => {
    const number = freshChannel.call(connection, channel, options);
    const place = connection.channels[number];
    if (place) place.buffer = writer; // In place of a stream of its own, which waits for its turn of a loop of its own.
    return number;
  };
  connection.recvFrame = createFrameReader(() => recvFrame.call(connection), connection);
}

/** Of a channel on such a connection, while it is open. */
export function publishWireOf(channel: Channel): PublishWire | undefined {
  const { ch, connection } = channel as unknown as OpenChannel;
  const place = connection.channels[ch];
  // The number of a closed channel is given to the next one.
  if (place?.channel !== channel || !isTurnWriter(place.buffer)) return undefined;
  return {
    writer: place.buffer,
    channel: ch,
    frameMax: connection.frameMax,
    // It puts a function that throws in place of the one of the class.
    isOpen: () => !Object.hasOwn(channel, 'sendMessage') && !Object.hasOwn(connection, 'sendMessage'),
    written(confirmed) {
      connection.sentSinceLastCheck = true;
      (channel as unknown as OpenChannel).pushConfirmCallback(confirmed);
    },
  };
}

/** The socket under a connection: amqplib offers no other way to end it for good. */
export function socketOf(model: ChannelModel): Socket {
  return connectionOf(model).stream;
}

function connectionOf(model: ChannelModel): Connection {
  return model.connection as unknown as Connection;
}

function isTurnWriter(buffer: unknown): buffer is TurnWriter {
  return typeof (buffer as Partial<TurnWriter> | undefined)?.room === 'function';
}
