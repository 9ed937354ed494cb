import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { createStatic } from '../../src/http/static.js';
import { expectProblem } from './support/problem.js';
import { apiKey, type Served, serve } from './support/serve.js';

describe('static files', () => {
  let folder: string;
  let served: Served;
  let asked = 0;
  const bytes = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0x00]);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-static-'));
    await writeFile(join(folder, 'icon.png'), bytes);
    const files = createStatic(
      {
        '/hello': { type: 'text/html; charset=utf-8', text: () => `<p>grüß dich ${++asked}</p>` },
        '/hello/icon.png': { type: 'image/png', file: pathToFileURL(join(folder, 'icon.png')) },
        '/hello/late.js': { type: 'text/javascript', file: pathToFileURL(join(folder, 'late.js')) },
      },
      "default-src 'self'",
    );
    served = await serve({ statics: [files], keys: [apiKey('a', 'secret', ['read'])] });
  });

  after(async () => {
    await served.close();
    await rm(folder, { recursive: true });
  });

  const get = (path: string, headers: Record<string, string> = {}) =>
    served.ask({ method: 'GET', path, headers });

  it('are answered without a key, with their type, their policy and their length in bytes', async () => {
    const reply = await get('/hello');
    expect([reply.status, reply.text]).to.deep.equal([200, '<p>grüß dich 1</p>']);
    expect(reply.headers).to.include({
      'content-type': 'text/html; charset=utf-8',
      'content-length': '20',
      'content-security-policy': "default-src 'self'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
    });
    expect((await get('/hello/icon.png')).headers).to.include({
      'content-type': 'image/png',
      'content-length': '6',
    });
  });

  it('are made once', async () => {
    await Promise.all([get('/hello'), get('/hello'), get('/hello')]);
    expect(asked).to.equal(1);
  });

  it('are not sent again to who has them: 304 for the tag, also in a list, weak, or any', async () => {
    const { etag } = (await get('/hello')).headers;
    expect(etag).to.match(/^"[\w-]{22}"$/);
    for (const header of [String(etag), `"other", W/${etag}`, '*']) {
      const reply = await get('/hello', { 'if-none-match': header });
      expect([reply.status, reply.text, reply.headers['etag']]).to.deep.equal([304, '', etag], header);
      expect(reply.headers['content-security-policy']).to.be.a('string');
    }
    expect((await get('/hello', { 'if-none-match': '"other"' })).status).to.equal(200);
  });

  it('answer HEAD without a body, and no other method', async () => {
    const head = await served.ask({ method: 'HEAD', path: '/hello' });
    expect([head.status, head.text, head.headers['content-length']]).to.deep.equal([200, '', '20']);
    const post = await served.ask({ path: '/hello', headers: {} });
    expectProblem(post, 405, 'method_not_allowed');
    expect(post.headers['allow']).to.equal('HEAD, GET');
  });

  it('are only those of the table', async () => {
    const authorization = 'Bearer secret';
    for (const path of ['/hello/', '/hello/other.png', '/hello/..%2ficon.png', '/hello/%2e%2e/icon.png'])
      expectProblem(await get(path, { authorization }), 404, 'not_found');
    expectProblem(await get('/hello/other.png'), 401, 'unauthorized');
    expect((await get('/hello?v=2')).status).to.equal(200);
  });

  it('answer 500 while their file is missing, and are there as soon as it is', async () => {
    expectProblem(await get('/hello/late.js'), 500, 'internal_error');
    expect(served.logged()).to.include('ENOENT');
    await writeFile(join(folder, 'late.js'), '0;');
    expect((await get('/hello/late.js')).text).to.equal('0;');
  });

  it('are told to the observer under their own paths', () => {
    expect(served.observed.requested.map(({ route }) => route)).to.include.members([
      '/hello',
      '/hello/icon.png',
      'other',
    ]);
  });
});
