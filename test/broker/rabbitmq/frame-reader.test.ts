import { expect } from 'chai';
import fc from 'fast-check';
import {
  createFrameReader,
  type Frame,
  type FrameSource,
} from '../../../src/broker/rabbitmq/frame-reader.js';
import { connection, defs, HEARTBEAT_BUF, makeBodyFrame } from './amqplib-inside.js';

/** Bytes as a socket gives them: in pieces, some of which have not come yet. */
function createSource(pieces: readonly Buffer[], maxFrameSize = 0): FrameSource {
  const left = [...pieces];
  return {
    stream: { read: () => left.shift() ?? null },
    rest: Buffer.alloc(0),
    maxFrameSize,
    recvSinceLastCheck: false,
  };
}

function all(next: () => Frame | false): Frame[] {
  const frames: Frame[] = [];
  for (let frame = next(); frame !== false; frame = next()) frames.push(frame);
  return frames;
}

const reads = (source: FrameSource) => ({
  ours: createFrameReader(() => theirs(source), source),
  theirs: () => theirs(source),
});

/** `recvFrame` calls itself. */
function theirs(source: FrameSource): Frame | false {
  return connection.recvFrame.call(Object.assign(source, { recvFrame: connection.recvFrame }));
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const channel = fc.integer({ min: 1, max: 65_535 });
const short = fc.oneof(
  fc.constantFrom(
    'sluice.jobs',
    'default.normal',
    'default.high',
    'amq.ctag-x',
    '',
    'echo',
    'application/json',
  ),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
);
const tag = fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 2 ** 32, max: 2 ** 52 }));
const method = (id: number, fields: fc.Arbitrary<object>): fc.Arbitrary<Buffer> =>
  fc.tuple(channel, fields).map(([number, given]) => defs.encodeMethod(id, number, given));

const deliver = method(
  defs.BasicDeliver,
  fc.record({
    consumerTag: short,
    deliveryTag: tag,
    redelivered: fc.boolean(),
    exchange: short,
    routingKey: short,
  }),
);
const returned = method(
  defs.BasicReturn,
  fc.record({ replyCode: fc.constant(312), replyText: short, exchange: short, routingKey: short }),
);
const ack = method(defs.BasicAck, fc.record({ deliveryTag: tag, multiple: fc.boolean() }));
const nack = method(
  defs.BasicNack,
  fc.record({ deliveryTag: tag, multiple: fc.boolean(), requeue: fc.boolean() }),
);
const closed = method(defs.ChannelCloseOk, fc.constant({}));
const header = fc
  .tuple(
    channel,
    fc.oneof(fc.nat(1000), fc.integer({ min: 2 ** 32, max: 2 ** 52 })),
    fc.oneof(
      fc.record({ contentType: short, deliveryMode: fc.constantFrom(1, 2), messageId: short, type: short }),
      fc.record({
        contentType: short,
        headers: fc.constantFrom({}, { 'x-delivery-count': 1 }),
        deliveryMode: fc.constantFrom(1, 2),
        messageId: short,
        type: short,
      }),
      fc.record(
        {
          contentType: short,
          contentEncoding: short,
          headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 9 }), fc.oneof(fc.string(), fc.nat())),
          deliveryMode: fc.constantFrom(1, 2),
          priority: fc.nat(9),
          correlationId: short,
          replyTo: short,
          expiration: short,
          messageId: short,
          timestamp: fc.nat(),
          type: short,
          userId: short,
          appId: short,
        },
        { requiredKeys: [] },
      ),
    ),
  )
  .map(([number, size, fields]) => defs.encodeProperties(defs.BasicProperties, number, size, fields));
const body = fc.tuple(channel, fc.uint8Array({ maxLength: 300 })).map(([number, bytes]) => {
  return makeBodyFrame(number, Buffer.from(bytes));
});
const frame = fc.oneof(
  deliver,
  deliver,
  header,
  header,
  body,
  body,
  ack,
  nack,
  returned,
  closed,
  fc.constant(HEARTBEAT_BUF),
);

describe('reading frames', () => {
  it("gives what amqplib's own reader gives, whatever the frames and wherever they are cut", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 }),
        (frames, sizes) => {
          const pieces = cut(Buffer.concat(frames), sizes);
          const [one, other] = [createSource(pieces), createSource(pieces)];
          expect(all(reads(one).ours)).to.deep.equal(all(reads(other).theirs));
          expect(one.recvSinceLastCheck).to.equal(other.recvSinceLastCheck);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("fails where amqplib's own fails on bytes that are no frames, and at no other place", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.nat(255),
        (frames, place, value) => {
          const bytes = Buffer.concat(frames);
          bytes[place % bytes.length] = value;
          const outcome = (next: () => Frame | false): unknown => {
            const read: Frame[] = [];
            try {
              for (let one = next(); one !== false; one = next()) read.push(one);
            } catch (error) {
              return { read, error: String(error) };
            }
            return { read };
          };
          const ours = outcome(reads(createSource([bytes], 4096)).ours);
          expect(ours).to.deep.equal(outcome(reads(createSource([bytes], 4096)).theirs));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('leaves nothing of a plain job, nor its confirm, to the other reader', () => {
    const properties = { contentType: 'application/json', deliveryMode: 2, messageId: '01a', type: 'echo' };
    const fields = { deliveryTag: 1, exchange: '', routingKey: 'sluice.jobs.default.normal' };
    const frames = [
      defs.encodeMethod(defs.BasicDeliver, 1, { ...fields, consumerTag: 'amq.ctag-1', redelivered: false }),
      defs.encodeProperties(defs.BasicProperties, 1, 2, properties),
      defs.encodeProperties(defs.BasicProperties, 1, 2, { ...properties, headers: {} }),
      makeBodyFrame(1, Buffer.from('{}')),
      defs.encodeMethod(defs.BasicAck, 1, { deliveryTag: 1, multiple: false }),
    ];
    const source = createSource([Buffer.concat(frames)]);
    const next = createFrameReader(() => expect.fail('the other reader was asked'), source);
    expect(all(next)).to.have.length(frames.length);
  });

  it('goes on where it was when more has come', () => {
    const whole = defs.encodeMethod(defs.BasicAck, 3, { deliveryTag: 7, multiple: true });
    const come = [whole.subarray(0, 9)];
    const source: FrameSource = { ...createSource([]), stream: { read: () => come.shift() ?? null } };
    const { ours } = reads(source);
    expect(ours()).to.equal(false);
    come.push(whole.subarray(9));
    expect(ours()).to.deep.equal({
      id: defs.BasicAck,
      channel: 3,
      fields: { deliveryTag: 7, multiple: true },
    });
    expect(ours()).to.equal(false);
  });

  it('refuses a frame beyond the limit before it has come whole', () => {
    const head = makeBodyFrame(1, Buffer.alloc(9000)).subarray(0, 20);
    expect(() => reads(createSource([head], 4096)).ours()).to.throw('exceeds maxFrameSize');
  });
});
