import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { createGiveWay } from '../../src/http/give-way.js';
import { createHttpServer } from '../../src/http/server.js';
import { systemClock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';

describe('giving way to new connections', () => {
  function rig() {
    const turns: (() => void)[] = [];
    const begun: number[] = [];
    const giveWay = createGiveWay(2, (then) => void turns.push(then));
    return {
      giveWay,
      begun,
      turns,
      begin: (...names: number[]) => {
        for (const name of names) giveWay.begin(() => void begun.push(name));
      },
      turn: () => turns.shift()?.(),
    };
  }

  it('begins requests at once while no connection arrives', () => {
    const { begin, begun, turns } = rig();
    begin(1, 2, 3);
    expect(begun).to.deep.equal([1, 2, 3]);
    expect(turns).to.deep.equal([]);
  });

  it('begins a few in each turn in which a connection has arrived, in order', () => {
    const { giveWay, begin, begun, turn } = rig();
    giveWay.arrived();
    begin(1, 2, 3, 4, 5);
    expect(begun).to.deep.equal([]);
    turn();
    expect(begun).to.deep.equal([1, 2]);
    giveWay.arrived();
    begin(6);
    turn();
    expect(begun).to.deep.equal([1, 2, 3, 4]);
  });

  it('begins all that is held after a turn without a new connection, and rests', () => {
    const { giveWay, begin, begun, turn, turns } = rig();
    giveWay.arrived();
    begin(1, 2, 3, 4, 5);
    turn();
    turn();
    expect(begun).to.deep.equal([1, 2, 3, 4, 5]);
    expect(turns).to.deep.equal([]);
    begin(6);
    expect(begun).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });

  it('waits for one turn at a time, however many arrive', () => {
    const { giveWay, begin, begun, turn, turns } = rig();
    giveWay.arrived();
    giveWay.arrived();
    expect(turns).to.have.length(1);
    turn();
    giveWay.arrived();
    expect(turns).to.have.length(1);
    turn();
    turn();
    expect(turns).to.deep.equal([]);
    begin(1);
    expect(begun).to.deep.equal([1]);
  });
});

describe('an HTTP server to which many connect at once', () => {
  const CONNECTIONS = 200;

  it('does not spend its turns on those that came first', async () => {
    const timeoutMs = 60_000;
    const seen = new Set<Socket>();
    let begun = 0;
    let most = 0;
    const server = createHttpServer(
      {
        host: '127.0.0.1',
        port: 0,
        timeouts: {
          headersMs: timeoutMs,
          requestMs: timeoutMs,
          idleMs: timeoutMs,
          keepAliveMs: timeoutMs,
          graceMs: 0,
        },
        clock: systemClock,
        log: createLog('silent'),
        broken: () => {},
      },
      (req, res) => {
        begun += 1;
        seen.add(req.socket);
        if (begun === 1)
          setImmediate(() => {
            // Once the last have arrived, nothing holds requests back.
            if (seen.size < CONNECTIONS / 2) most = Math.max(most, begun);
            begun = 0;
          });
        res.end();
      },
    );
    await server.start();
    // Each asks again as soon as it is answered, until all have been answered once.
    let unanswered = CONNECTIONS;
    const sockets = Array.from({ length: CONNECTIONS }, () => {
      const socket = connect(server.address.port, '127.0.0.1');
      const ask = (): void => void socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      socket.once('data', () => {
        unanswered -= 1;
      });
      socket.on('data', () => {
        if (unanswered === 0) socket.destroy();
        else ask();
      });
      ask();
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, 'close')));
    await server.stop();
    expect(most).to.be.within(1, 20);
  });
});
