import { expect } from 'chai';
import { createTurnWriter, MOST_ROOM } from '../../../src/broker/rabbitmq/turn-writer.js';

/** A socket that notes what each call of the system would have carried. */
function setup() {
  const writes: string[] = [];
  let corked: string[] | undefined;
  const socket = {
    writable: true,
    write(chunk: unknown) {
      const text = String(chunk);
      if (corked === undefined) writes.push(text);
      else corked.push(text);
      return false; // A socket that is full takes it all the same.
    },
    cork() {
      corked = [];
    },
    uncork() {
      writes.push((corked ?? []).join(''));
      corked = undefined;
    },
  };
  const writer = createTurnWriter(socket);
  const put = (text: string): void => {
    const bytes = Buffer.from(text);
    const { slab, at } = writer.room(bytes.length);
    slab.set(bytes, at);
    writer.keep(bytes.length);
  };
  return { writer, writes, socket, put, endOfTurn: () => new Promise((resolve) => setImmediate(resolve)) };
}

describe('a turn of writes', () => {
  it('leaves as one, in the order in which it was written', async () => {
    const { writer, writes, put, endOfTurn } = setup();
    const large = 'L'.repeat(5000);
    put('a');
    writer.write(Buffer.from('b'));
    writer.write(Buffer.from(large));
    put('c');
    expect(writes).to.deep.equal([]);
    await endOfTurn();
    expect(writes).to.deep.equal([`ab${large}c`]);
    put('d');
    await endOfTurn();
    expect(writes.slice(1)).to.deep.equal(['d']);
    await endOfTurn();
    expect(writes).to.have.length(2);
  });

  it('leaves what it has handed to the socket as it is until it is written, and then uses its bytes again', async () => {
    const handed: { readonly bytes: Buffer; readonly text: string; readonly written: () => void }[] = [];
    const buffers = new Set<ArrayBufferLike>();
    const socket = {
      writable: true,
      write(chunk: unknown, written?: unknown) {
        const bytes = chunk as Buffer;
        buffers.add(bytes.buffer);
        handed.push({ bytes, text: String(bytes), written: written as () => void });
        return true;
      },
      cork() {},
      uncork() {},
    };
    const writer = createTurnWriter(socket);
    /** The socket is through with all but the newest `left`. */
    const finish = (left: number): void => {
      for (const { bytes, text, written } of handed.splice(0, handed.length - left)) {
        expect(String(bytes)).to.equal(text);
        written();
      }
    };
    for (let n = 0; n < 1000; n++) {
      writer.write(Buffer.from(String(n % 10).repeat(1000)));
      await new Promise((resolve) => setImmediate(resolve));
      finish(100);
    }
    finish(0);
    expect(buffers.size).to.be.within(2, 5);
  });

  it('does not wait for its end when much has gathered', () => {
    const { writes, put } = setup();
    const text = 'x'.repeat(MOST_ROOM);
    for (let n = 0; n < 5; n++) put(text);
    expect(writes).to.deep.equal([text.repeat(4)]);
  });

  it('takes room for nothing that was not kept', async () => {
    const { writer, writes, put, endOfTurn } = setup();
    const { slab, at } = writer.room(3);
    slab.set(Buffer.from('???'), at);
    put('!');
    await endOfTurn();
    expect(writes).to.deep.equal(['!']);
  });

  it('writes nothing more to a socket that has ended', async () => {
    const { writes, socket, put, endOfTurn } = setup();
    put('late');
    socket.writable = false;
    await endOfTurn();
    expect(writes).to.deep.equal([]);
  });
});
