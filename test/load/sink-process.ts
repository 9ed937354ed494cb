/**
 * The sink of the burst, a process of its own: takes what `http.push` sends and answers after SINK_DELAY_MS. `GET /count`
 * gives the number of distinct jobs, `GET /arrivals` everything: `[[id, [[ms, attempt], …]], …]`.
 */
import { createServer } from 'node:http';

const delayMs = Number(process.env['SINK_DELAY_MS'] ?? 0);
const arrivals = new Map<string, [atMs: number, attempt: number][]>();

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    const answer = request.url === '/arrivals' ? [...arrivals] : { distinct: arrivals.size };
    response.end(JSON.stringify(answer));
    return;
  }
  const id = String(request.headers['job-id']);
  const times = arrivals.get(id) ?? [];
  arrivals.set(id, times);
  times.push([Date.now(), Number(request.headers['job-attempt'] ?? 1)]);
  request.resume();
  request.once('end', () => setTimeout(() => response.writeHead(204).end(), delayMs));
});
server.listen(Number(process.env['PORT']), '127.0.0.1', () => process.stdout.write('ready\n'));
