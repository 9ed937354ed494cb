import { posix } from 'node:path';
import { expect } from 'chai';
import { createPage } from '../../src/http/page.js';
import { apiKey, type Reply, type Served, serve } from './support/serve.js';

const imported = /^(?:import|export) (?:\{[^}]*\}|\* as \w+|\w+(?:, \{[^}]*\})?) from ['"]([^'"]+)['"]/gm;
const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

describe('the page over HTTP', () => {
  let served: Served;
  before(async () => {
    served = await serve({ statics: [createPage()], keys: [apiKey('a', 'secret', ['read'])] });
  });
  after(() => served.close());
  const get = (path: string): Promise<Reply> => served.ask({ method: 'GET', path });

  it('is open without a key, and may load nothing from elsewhere and nothing that stands in its HTML', async () => {
    const reply = await get('/');
    expect(reply.status).to.equal(200);
    expect(reply.headers['content-type']).to.equal('text/html; charset=utf-8');
    const policy = String(reply.headers['content-security-policy']);
    expect(policy).to.match(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(policy).to.not.match(/unsafe|https?:|data:|\*/);
    expect(reply.text).to.not.match(/<style|style=|<script(?![^>]+src=)| on[a-z]+=/);
  });

  it('finds all that it names, and all that its modules import, with their types', async () => {
    const { text } = await get('/');
    const wanted = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => `/${match[1]}`);
    const seen = new Set<string>();
    for (const path of wanted) {
      if (seen.has(path)) continue;
      seen.add(path);
      const reply = await get(path);
      expect(reply.status, path).to.equal(200);
      expect(reply.headers['content-type'], path).to.equal(types[posix.extname(path)]);
      if (!path.endsWith('.js')) continue;
      for (const match of reply.text.matchAll(imported)) {
        expect(match[1], `an import of ${path}`).to.match(/^\.\.?\//);
        wanted.push(posix.join(posix.dirname(path), String(match[1])));
      }
    }
    expect([...seen]).to.include.members([
      '/assets/page/main.js',
      '/assets/page/job.js',
      '/assets/page/lib/preact.js',
      '/assets/page/lib/uplot.js',
      '/assets/client/requests.js',
    ]);
  });

  it('serves nothing besides', async () => {
    for (const path of ['/assets/page/tsconfig.json', '/assets/http/app.js', '/assets/page/../http/app.js'])
      expect((await get(path)).status, path).to.equal(401);
    expect((await get('/v1/jobs')).status).to.equal(401);
  });

  it('is counted as one route, however many its parts are', async () => {
    const before = served.observed.requested.length;
    for (const path of ['/', '/assets/page/main.js', '/assets/page/page.css']) await get(path);
    expect(served.observed.requested.slice(before).map(({ route }) => route)).to.deep.equal(['/', '/', '/']);
  });
});
