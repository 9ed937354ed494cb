import { expect } from 'chai';
import fc from 'fast-check';
import type { Outgoing } from '../../../src/broker/rabbitmq/outgoing.js';
import { createPublishFrames } from '../../../src/broker/rabbitmq/publish-frames.js';
import { createTurnWriter, MOST_ROOM } from '../../../src/broker/rabbitmq/turn-writer.js';
import { connection, defs, publishArguments } from './amqplib-inside.js';

const CHANNEL = 258;
const FRAME_MAX = 131_072;

/** The bytes of a turn in which these were published, and which of them were not written. */
async function written(
  all: readonly Outgoing[],
  frameMax = FRAME_MAX,
): Promise<{ bytes: Buffer; left: Outgoing[] }> {
  const chunks: Buffer[] = [];
  const writer = createTurnWriter({
    writable: true,
    write: (chunk: unknown) => chunks.push(Buffer.from(chunk as Buffer)) > 0,
    cork() {},
    uncork() {},
  });
  const frames = createPublishFrames({ writer, channel: CHANNEL, frameMax });
  const left = all.filter((outgoing) => !frames.write(outgoing));
  await new Promise((resolve) => setImmediate(resolve));
  return { bytes: Buffer.concat(chunks), left };
}

/** The bytes that amqplib writes for it, but for the empty table of headers that it adds where there are none. */
function byAmqplib({ route, body, properties }: Outgoing): Buffer {
  const chunks: Buffer[] = [];
  const given = { ...publishArguments(route.exchange, route.key, properties), headers: properties.headers };
  const self = {
    channels: { [CHANNEL]: { buffer: { write: (chunk: Buffer) => chunks.push(chunk) } } },
    frameMax: FRAME_MAX,
    sendContent: connection.sendContent,
  };
  connection.sendMessage.call(self, CHANNEL, defs.BasicPublish, given, defs.BasicProperties, given, body);
  return Buffer.concat(chunks);
}

function outgoing(given: Partial<Outgoing> = {}, properties: Partial<Outgoing['properties']> = {}): Outgoing {
  return {
    route: { exchange: 'sluice.jobs', key: 'default.normal' },
    body: Buffer.from('{}'),
    ...given,
    properties: {
      persistent: true,
      mandatory: true,
      messageId: '01a',
      type: 'echo',
      contentType: 'application/json',
      ...properties,
    },
  };
}

function without(property: 'type' | 'contentType'): Outgoing {
  const one = outgoing();
  const { [property]: _, ...properties } = one.properties;
  return { ...one, properties };
}

const ascii = fc.string({ maxLength: 60 });
const job = fc
  .record({
    exchange: fc.constantFrom('sluice.jobs', 'sluice.delay.07', 'ünicode'),
    key: fc.oneof(
      fc.constantFrom('default.normal', 'mail.high'),
      fc.string({ unit: 'binary', maxLength: 40 }),
    ),
    messageId: ascii,
    type: ascii,
    body: fc.uint8Array({ minLength: 1, maxLength: 6000 }),
  })
  .map(({ exchange, key, messageId, type, body }) =>
    outgoing({ route: { exchange, key }, body: Buffer.from(body) }, { messageId, type }),
  );

describe('the frames of a publish', () => {
  it('are those that amqplib writes, one after the other', () => {
    return fc.assert(
      fc.asyncProperty(fc.array(job, { minLength: 1, maxLength: 40 }), async (jobs) => {
        const { bytes, left } = await written(jobs);
        expect(left).to.deep.equal([]);
        expect(bytes.equals(Buffer.concat(jobs.map(byAmqplib)))).to.equal(true);
      }),
      { numRuns: 200 },
    );
  });

  it('are those of their own route, whether it was met before or not', async () => {
    const lanes = [1, 2, 3].map((n) => ({ exchange: '', key: `sluice.jobs.default.${n}` }));
    const jobs = Array.from({ length: 300 }, (_, n) =>
      outgoing({ route: lanes[n % 4] ?? { exchange: 'sluice.suspects', key: `default.${n}` } }),
    );
    const { bytes } = await written(jobs);
    expect(bytes.equals(Buffer.concat(jobs.map(byAmqplib)))).to.equal(true);
  });

  const others: readonly (readonly [string, Outgoing])[] = [
    ['headers', outgoing({}, { headers: { 'sluice-run': 2 } })],
    ['no type', without('type')],
    ['no content type', without('contentType')],
    ['an id beyond ASCII', outgoing({}, { messageId: 'ä' })],
    ['a type beyond ASCII', outgoing({}, { type: '→' })],
    ['an id of more than 255 bytes', outgoing({}, { messageId: 'x'.repeat(256) })],
    ['an exchange of more than 255 bytes', outgoing({ route: { exchange: 'x'.repeat(256), key: '' } })],
    ['a routing key that may be so long', outgoing({ route: { exchange: '', key: 'ü'.repeat(90) } })],
    ['an empty body', outgoing({ body: Buffer.alloc(0) })],
    ['a body that is not worth a copy', outgoing({ body: Buffer.alloc(MOST_ROOM) })],
    ['a message that may be lost', outgoing({}, { persistent: false })],
    ['a message that may find no queue', outgoing({}, { mandatory: false })],
  ];
  for (const [what, one] of others) {
    it(`are left to amqplib for ${what}`, async () => {
      expect(await written([one])).to.deep.equal({ bytes: Buffer.alloc(0), left: [one] });
    });
  }

  it('are left to amqplib where the broker takes smaller frames', async () => {
    const one = outgoing({ body: Buffer.alloc(4096) });
    expect((await written([one], 4096)).left).to.deep.equal([one]);
  });
});
