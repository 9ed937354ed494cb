/** An HTTP endpoint for `http.push` to call: it records its visits and answers as it is told. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createHttpPush } from '../../workers/http-push.js';
import { run } from './running.js';

export interface Visit {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

export type Endpoint = Awaited<ReturnType<typeof createEndpoint>>;

export async function createEndpoint() {
  const visits: Visit[] = [];
  const sockets = new Set<Socket>();
  let answer: Answering = (_request, response) => response.end('ok');
  const servers: Server[] = [];

  const listen = async (): Promise<string> => {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        visits.push({ method, path: url, headers, body: Buffer.concat(chunks).toString() });
        answer(request, response);
      });
    });
    server.on('connection', (socket) => sockets.add(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  const origin = await listen();
  const push = createHttpPush({ allowPrivate: true, retryMaxMs: 60_000 });
  return {
    origin,
    visits,
    sockets,
    listen,
    answerWith: (next: Answering) => {
      answer = next;
    },
    status: (code: number, headers: Record<string, string> = {}, body = '') => {
      answer = (_request, response) => response.writeHead(code, headers).end(body);
    },
    push: (payload: object, signal?: AbortSignal, attempt?: number) =>
      run(push, { url: `${origin}/in`, ...payload }, signal, attempt),
    async cleanUp(): Promise<void> {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      }
    },
  };
}
