import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { createDeferred } from './deferred.js';
import { startProxy, type TcpProxy } from './proxy.js';

describe('the proxy', () => {
  const opened: (() => Promise<unknown> | unknown)[] = [];
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close();
  });

  /** A client behind the proxy of a server that sends back what it gets. */
  async function setup(): Promise<{ proxy: TcpProxy; client: Socket; dial: () => Socket }> {
    const echo = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    opened.push(() => echo.close());
    const address = echo.address() as { port: number };
    const proxy = await startProxy(`amqp://user@127.0.0.1:${address.port}/vhost`);
    opened.push(() => proxy.close());
    const dial = (): Socket => {
      const socket = connect(proxy.port, '127.0.0.1');
      opened.push(() => socket.destroy());
      return socket;
    };
    const reached = proxy.nextConnection();
    const client = dial();
    await reached;
    return { proxy, client, dial };
  }

  it('forwards in both directions and keeps the rest of the URL', async () => {
    const { proxy, client } = await setup();
    client.write('hello');
    expect(String((await once(client, 'data'))[0])).to.equal('hello');
    expect(proxy.url).to.equal(`amqp://user@127.0.0.1:${proxy.port}/vhost`);
    expect(proxy.connections).to.equal(1);
  });

  it('resets what is open on a cut, and takes new connections', async () => {
    const { proxy, client, dial } = await setup();
    const reset = createDeferred<string | undefined>();
    client.once('error', (error: NodeJS.ErrnoException) => reset.resolve(error.code));
    proxy.cut();
    expect(await reset.promise).to.equal('ECONNRESET');
    const again = dial();
    again.write('again');
    expect(String((await once(again, 'data'))[0])).to.equal('again');
  });

  it('holds every byte while paused and delivers it afterwards', async () => {
    const { proxy, client, dial } = await setup();
    proxy.pause();
    let early = 0;
    client.on('data', (chunk) => {
      early += chunk.length;
    });
    client.write('late');
    const fresh = dial(); // its handshake with the target has passed the event loop after the write above
    await once(fresh, 'connect');
    expect(early).to.equal(0);
    const arrived = once(client, 'data');
    proxy.resume();
    expect(String((await arrived)[0])).to.equal('late');
  });

  it('resets new connections while it refuses', async () => {
    const { proxy, dial } = await setup();
    proxy.refuse(true);
    const reset = createDeferred<string | undefined>();
    dial().once('error', (error: NodeJS.ErrnoException) => reset.resolve(error.code));
    expect(await reset.promise).to.equal('ECONNRESET');
  });
});
