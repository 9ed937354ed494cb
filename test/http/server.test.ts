import { expect } from 'chai';
import { request } from 'undici';
import { createDeferred } from '../support/deferred.js';
import { prepare, type Raw, serve } from './support/serve.js';

const body = '{"type":"echo","payload":1}';
const submission = `POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;

describe('the HTTP server', () => {
  it('tells where it listens, once it does', async () => {
    const { http } = prepare();
    expect(() => http.address).to.throw('start the HTTP server first');
    await http.start();
    expect(http.address.url).to.equal(`http://127.0.0.1:${http.address.port}`);
    await http.stop();
  });

  it('starts once however often it is told to', async () => {
    const { http } = prepare();
    await Promise.all([http.start(), http.start()]);
    await http.start();
    expect((await request(`${http.address.url}/livez`)).statusCode).to.equal(200);
    await http.stop();
  });

  it('stops before it has started, and then does not start', async () => {
    const { http } = prepare();
    await Promise.all([http.stop(), http.stop()]);
    const error = await http.start().catch((reason: unknown) => reason);
    expect(error).to.include({ code: 'stopped' });
  });

  it('stops in the middle of its start', async () => {
    const { http } = prepare();
    const starting = http.start();
    await http.stop();
    await starting;
    expect(() => http.address).to.throw('start the HTTP server first');
  });

  it('stops twice, and takes no connection afterwards', async () => {
    const served = await serve();
    const { url } = served.http.address;
    await Promise.all([served.http.stop(), served.http.stop()]);
    await served.http.stop();
    const error = await request(`${url}/livez`).catch((reason: unknown) => reason);
    expect(error).to.include({ code: 'ECONNREFUSED' });
  });

  it('says what to do when its port is taken, and can still be stopped', async () => {
    const first = await serve();
    const second = prepare({ port: first.http.address.port });
    const error = await second.http.start().catch((reason: unknown) => reason);
    expect(error).to.include({ code: 'listen_failed' });
    expect(String(error)).to.include(`127.0.0.1:${first.http.address.port}: the port is in use`);
    await second.http.stop();
    await first.close();
  });

  it('listens on IPv6 and writes its address as a URL does', async function () {
    const { http } = prepare({ host: '::1' });
    const error = await http.start().catch((reason: unknown) => reason);
    // A machine without IPv6 has no such address.
    if (error !== undefined) return this.skip();
    expect(http.address.url).to.equal(`http://[::1]:${http.address.port}`);
    await http.stop();
  });

  it('finishes what is in flight when it stops, and closes those connections', async () => {
    const served = await serve();
    const confirm = createDeferred();
    served.broker.script = () => confirm.promise;
    const raw = await served.raw();
    raw.write(submission + body);
    await served.broker.untilAsked(1);
    let isStopped = false;
    const stopping = served.http.stop().then(() => {
      isStopped = true;
    });
    await turn();
    expect(isStopped).to.equal(false);
    confirm.resolve();
    await stopping;
    expect(await raw.untilClosed()).to.match(/^HTTP\/1\.1 202 [\s\S]*Connection: close/);
  });

  it('refuses new jobs on open connections as 503 shutting_down while it stops', async () => {
    const served = await serve();
    const confirm = createDeferred();
    served.broker.script = () => confirm.promise;
    const { busy, second, third } = await openThree(served.raw);
    busy.write(submission + body);
    await served.broker.untilAsked(1);
    // Half a request, so that the stop does not take the connections for idle ones.
    second.write(submission.slice(0, 20));
    third.write('GET /rea');
    await served.ask({ method: 'GET', path: '/livez' });
    const stopping = served.http.stop();
    second.write(submission.slice(20) + body);
    third.write('dyz HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await second.untilClosed()).to.match(
      /^HTTP\/1\.1 503 [\s\S]*Connection: close[\s\S]*"shutting_down"/,
    );
    expect(await third.untilClosed()).to.match(/^HTTP\/1\.1 503 [\s\S]*"shutting_down"/);
    confirm.resolve();
    await stopping;
    expect(await busy.untilClosed()).to.match(/^HTTP\/1\.1 202 /);
    expect(served.broker.asked).to.have.length(1);
  });

  it('answers a stream for what it has brought when it stops', async () => {
    const served = await serve();
    const raw = await served.raw();
    raw.write(
      'POST /v1/jobs/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-ndjson\r\n\r\n',
    );
    raw.write(`1c\r\n${body}\n\r\n`);
    await served.broker.untilAsked(1);
    const stopping = served.http.stop();
    raw.write(`1c\r\n${body}\n\r\n`);
    await stopping;
    expect(await raw.untilClosed()).to.match(
      /^HTTP\/1\.1 202 [\s\S]*"accepted":1,"rejected":1,[\s\S]*"shutting_down"/,
    );
    expect(served.broker.asked).to.have.length(1);
  });

  it('cuts off at the end of its grace what does not finish', async () => {
    const served = await serve({ timeouts: { graceMs: 20 } });
    served.broker.script = () => new Promise(() => {});
    const raw = await served.raw();
    raw.write(submission + body);
    await served.broker.untilAsked(1);
    await served.http.stop();
    expect(await raw.untilClosed()).to.equal('');
    expect(served.logged()).to.include('requests still in flight are cut off');
  });

  it('does not wait for idle connections', async () => {
    const served = await serve();
    const { busy, second, third } = await openThree(served.raw);
    busy.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    await busy.until(/"live"/);
    second.write('GET /liv');
    await served.http.stop();
    await Promise.all([busy.untilClosed(), second.untilClosed(), third.untilClosed()]);
  });
});

async function openThree(raw: () => Promise<Raw>): Promise<{ busy: Raw; second: Raw; third: Raw }> {
  return { busy: await raw(), second: await raw(), third: await raw() };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
