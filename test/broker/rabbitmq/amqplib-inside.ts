/** amqplib's own way of reading and writing frames, which ours is held against. Its package exports none of it. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Frame, FrameSource } from '../../../src/broker/rabbitmq/frame-reader.js';

interface Defs {
  readonly BasicPublish: number;
  readonly BasicDeliver: number;
  readonly BasicReturn: number;
  readonly BasicAck: number;
  readonly BasicNack: number;
  readonly BasicCancel: number;
  readonly BasicProperties: number;
  readonly ChannelCloseOk: number;
  encodeMethod(method: number, channel: number, fields: object): Buffer;
  encodeProperties(what: number, channel: number, size: number, fields: object): Buffer;
}

interface FrameModule {
  readonly HEARTBEAT_BUF: Buffer;
  makeBodyFrame(channel: number, payload: Buffer): Buffer;
}

interface ConnectionModule {
  readonly Connection: {
    readonly prototype: {
      recvFrame(this: FrameSource): Frame | false;
      sendMessage(
        this: object,
        channel: number,
        method: number,
        fields: object,
        what: number,
        properties: object,
        content: Buffer,
      ): void;
      sendContent(this: object, channel: number, content: Buffer): void;
    };
  };
}

const require = createRequire(import.meta.url);
const lib = join(dirname(require.resolve('amqplib')), 'lib');
const load = (name: string): unknown => require(join(lib, name));

export const defs = load('defs.js') as Defs;
export const { HEARTBEAT_BUF, makeBodyFrame } = load('frame.js') as FrameModule;
export const { prototype: connection } = (load('connection.js') as ConnectionModule).Connection;
export const { publish: publishArguments } = load('api_args.js') as {
  publish(exchange: string, key: string, options: object): object;
};
