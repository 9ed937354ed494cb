/** A TCP proxy between us and the broker, to make the network fail on cue. */
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  /** The target's URL with our host and port. */
  readonly url: string;
  readonly port: number;
  /** Connections open at this moment. */
  readonly connections: number;
  /** Resets every connection (RST), in both directions. */
  cut(): void;
  /** A silent peer: connections stay open, and no byte passes in either direction until `resume`. */
  pause(): void;
  resume(): void;
  /** Whether new connections are reset at once. */
  refuse(isRefusing: boolean): void;
  /** Resolves when a connection that is made from now on has reached the target. */
  nextConnection(): Promise<void>;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** @param targetUrl  such as `amqp://guest:guest@127.0.0.1:5672` */
export async function startProxy(targetUrl: string): Promise<TcpProxy> {
  const target = new URL(targetUrl);
  const pairs = new Set<Pair>();
  let isPaused = false;
  let isRefusing = false;
  let waiting: (() => void)[] = [];

  const listener = createServer({ noDelay: true }, (client) => {
    client.on('error', () => undefined);
    if (isRefusing) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: target.hostname, port: Number(target.port || 5672), noDelay: true });
    const pair: Pair = { client, server };
    pairs.add(pair);
    join(pair, () => pairs.delete(pair));
    if (isPaused) hold(pair);
    server.once('connect', () => {
      for (const resolve of waiting.splice(0)) resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', resolve);
  });
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);

  const cut = (): void => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    pairs.clear();
  };
  return {
    url: url.href,
    port,
    get connections() {
      return pairs.size;
    },
    cut,
    pause() {
      isPaused = true;
      for (const pair of pairs) hold(pair);
    },
    resume() {
      isPaused = false;
      for (const { client, server } of pairs) {
        client.resume();
        server.resume();
      }
    },
    refuse(value) {
      isRefusing = value;
    },
    nextConnection: () =>
      new Promise((resolve) => {
        waiting = [...waiting, resolve];
      }),
    close() {
      cut();
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}

/** Own forwarding instead of `pipe`, which would resume a socket that is to stay silent. */
function join({ client, server }: Pair, onEnd: () => void): void {
  const forward = (from: Socket, to: Socket): void => {
    from.on('data', (chunk) => void to.write(chunk));
    from.on('end', () => to.end());
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      to.destroySoon();
      onEnd();
    });
  };
  forward(client, server);
  forward(server, client);
}

function hold({ client, server }: Pair): void {
  client.pause();
  server.pause();
}
