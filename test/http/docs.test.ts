/** `/openapi.json` and `/docs` as a browser gets them. */
import { expect } from 'chai';
import { createDocs } from '../../src/http/docs.js';
import { apiKey, type Reply, type Served, serve } from './support/serve.js';

describe('the pages of the interface', () => {
  let served: Served;
  const get = (path: string): Promise<Reply> => served.ask({ method: 'GET', path });

  before(async () => {
    const docs = createDocs([{ type: 'mail.send', queue: 'mail', payload: { type: 'object' } }], true);
    served = await serve({ statics: [docs], keys: [apiKey('a', 'secret', ['read'])] });
  });
  after(() => served.close());

  it('are open without a key, and describe the server with its job types', async () => {
    const reply = await get('/openapi.json');
    expect([reply.status, reply.headers['content-type']]).to.deep.equal([200, 'application/json']);
    expect(reply.json<{ openapi: string }>().openapi).to.equal('3.1.0');
    expect(reply.text).to.include('mail.send').and.to.not.include('"const":"http.push"');
  });

  it('load nothing but what this server has, and run no script of the page itself', async () => {
    const page = await get('/docs');
    expect(page.headers['content-type']).to.equal('text/html; charset=utf-8');
    const policy = String(page.headers['content-security-policy']);
    expect(policy).to.include("default-src 'none'").and.to.include("script-src 'self'");
    expect(policy).to.not.match(/unsafe|http|\*/);
    expect(page.text).to.not.match(/<script>|<style|\son\w+=|\sstyle=|https?:/);
    const loaded = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => `/${path}`);
    expect(loaded).to.have.length(4);
    for (const path of loaded) expect((await get(path)).status, path).to.equal(200);
  });

  it('bring a program that asks for the document, and sends it to nobody', async () => {
    const { text } = await get('/docs/start.js');
    expect(text).to.include("url: 'openapi.json'").and.to.include('validatorUrl: null');
    expect((await get('/docs/swagger-ui.js')).text).to.include('SwaggerUIBundle');
  });
});
