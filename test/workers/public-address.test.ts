import type { LookupAddress } from 'node:dns';
import { createServer, type LookupFunction, type Socket } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import type { buildConnector } from 'undici';
import { DeadLetter } from '../../src/handler/define.js';
import { createPublicConnector, isPublicAddress, publicOnly } from '../../workers/public-address.js';

const publicAddresses = [
  '1.1.1.1',
  '8.8.8.8',
  '93.184.215.14',
  '9.255.255.255',
  '11.0.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '192.169.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '169.253.255.255',
  '169.255.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001:82a::200e',
  '2001:4860:4860::8888',
];

const otherAddresses: readonly [kind: string, addresses: readonly string[]][] = [
  ['loopback', ['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1']],
  ['unspecified', ['0.0.0.0', '0.1.2.3', '::']],
  [
    'private',
    ['10.0.0.0', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1', 'fc00::1', 'fdff::1'],
  ],
  ['link-local', ['169.254.0.1', 'fe80::1', 'fe80::1%eth0', 'febf::1']],
  ['deprecated site-local', ['fec0::1']],
  ['shared (CGNAT)', ['100.64.0.0', '100.127.255.255']],
  ['cloud metadata', ['169.254.169.254', 'fd00:ec2::254', '100.100.100.200', '192.0.0.192', '168.63.129.16']],
  ['multicast', ['224.0.0.1', '239.255.255.255', 'ff02::1']],
  ['broadcast', ['255.255.255.255']],
  [
    'reserved and documentation',
    [
      '192.0.2.1',
      '198.18.0.1',
      '198.51.100.1',
      '203.0.113.1',
      '240.0.0.1',
      '2001:db8::1',
      '3fff::1',
      '100::1',
    ],
  ],
  ['IPv4-mapped', ['::ffff:10.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8']],
  ['IPv4-compatible', ['::127.0.0.1', '::10.0.0.1', '::8.8.8.8']],
  ['IPv4-translated', ['::ffff:0:10.0.0.1']],
  ['NAT64', ['64:ff9b::10.0.0.1', '64:ff9b::8.8.8.8', '64:ff9b:1::10.0.0.1']],
  ['6to4', ['2002:7f00:1::', '2002:a00:1::1']],
  ['Teredo', ['2001:0:4136:e378:8000:63bf:3fff:fdd2']],
  ['ISATAP', ['2606:4700::5efe:10.0.0.1', '2606:4700::200:5efe:10.0.0.1']],
  ['outside the global unicast space', ['4000::1', '::2', '5f00::1']],
  [
    'not an address',
    [
      '',
      'localhost',
      '127.1',
      '8.8',
      '0x08.8.8.8',
      '0x7f.0.0.1',
      '0177.0.0.1',
      '2130706433',
      '1.2.3.4.5',
      '[::1]',
      '8.8.8.8 ',
    ],
  ],
];

describe('isPublicAddress', () => {
  for (const address of publicAddresses) {
    it(`lets ${address} pass`, () => expect(isPublicAddress(address)).to.equal(true));
  }
  for (const [kind, addresses] of otherAddresses) {
    for (const address of addresses) {
      it(`refuses ${JSON.stringify(address)}: ${kind}`, () =>
        expect(isPublicAddress(address)).to.equal(false));
    }
  }

  it('judges any text at all without throwing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.ipV4Extended()), (text) => {
        expect(isPublicAddress(text)).to.be.a('boolean');
      }),
    );
  });

  it('refuses every address of 10/8, however it is wrapped', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(
        octet,
        octet,
        octet,
        fc.constantFrom('', '::ffff:', '::', '64:ff9b::', '::ffff:0:'),
        (a, b, c, wrap) => {
          expect(isPublicAddress(`${wrap}10.${a}.${b}.${c}`)).to.equal(false);
        },
      ),
    );
  });
});

/** Name resolution with the answers at hand. */
function answering(addresses: readonly LookupAddress[]): LookupFunction {
  return (_host, options, callback) => {
    expect(options.all).to.equal(true);
    callback(null, [...addresses]);
  };
}

const inside = { address: '10.0.0.5', family: 4 };
const outside = { address: '93.184.215.14', family: 4 };
const outside6 = { address: '2606:4700:4700::1111', family: 6 };

describe('publicOnly', () => {
  const ask = (lookup: LookupFunction, options: { all?: boolean }): Promise<unknown> =>
    new Promise((resolve, reject) => {
      publicOnly(lookup)('name.test', options, (error, address, family) => {
        if (error) reject(error);
        else resolve(options.all ? address : [address, family]);
      });
    });

  it('leaves out what is not public', async () => {
    expect(await ask(answering([inside, outside, outside6]), { all: true })).to.deep.equal([
      outside,
      outside6,
    ]);
  });

  it('gives the first public one to who asks for one', async () => {
    expect(await ask(answering([inside, outside6, outside]), {})).to.deep.equal([outside6.address, 6]);
  });

  it('understands a resolution that answers with one address', async () => {
    const one: LookupFunction = (_host, _options, callback) => callback(null, outside.address, 4);
    expect(await ask(one, { all: true })).to.deep.equal([outside]);
  });

  it('fails for good when none is public', async () => {
    for (const addresses of [[], [inside], [inside, { address: '::1', family: 6 }]]) {
      const error = await ask(answering(addresses), { all: true }).catch((reason: unknown) => reason);
      expect(error)
        .to.be.instanceOf(DeadLetter)
        .with.property('message')
        .that.matches(/name\.test.*HTTP_PUSH_ALLOW_PRIVATE/);
      expect((error as Error).message).to.not.contain('10.0.0.5');
    }
  });

  it('passes on that a name cannot be resolved', async () => {
    const failure = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    const failing: LookupFunction = (_host, _options, callback) => callback(failure, '', 0);
    expect(await ask(failing, { all: true }).catch((reason: unknown) => reason)).to.equal(failure);
  });
});

describe('the public connector', () => {
  let visits = 0;
  let port = 0;
  const server = createServer((socket) => {
    visits++;
    socket.destroy();
  });
  before((done) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      port = typeof address === 'object' ? (address?.port ?? 0) : 0;
      done();
    });
  });
  after((done) => void server.close(done));

  const connect = (connector: buildConnector.connector, hostname: string): Promise<Error | Socket> =>
    new Promise((resolve) => {
      connector({ hostname, protocol: 'http:', port: String(port) }, (...[error, socket]) =>
        resolve(error ?? socket),
      );
    });

  for (const host of ['127.0.0.1', '[::1]', '::1', '[::ffff:127.0.0.1]', '0.0.0.0']) {
    it(`opens no connection to the literal ${host}, which no lookup sees`, async () => {
      const never: LookupFunction = () => expect.fail('looked up');
      expect(await connect(createPublicConnector(never), host)).to.be.instanceOf(DeadLetter);
      expect(visits).to.equal(0);
    });
  }

  it('opens no connection to a name that leads inside', async () => {
    const connector = createPublicConnector(answering([{ address: '127.0.0.1', family: 4 }]));
    expect(await connect(connector, 'rebound.test')).to.be.instanceOf(DeadLetter);
    expect(visits).to.equal(0);
  });

  it('opens no connection to localhost as this machine resolves it', async () => {
    expect(await connect(createPublicConnector(), 'localhost')).to.be.instanceOf(DeadLetter);
    expect(visits).to.equal(0);
  });

  it('resolves a name once per connection, so that there is no second answer to rebind with', async () => {
    let asked = 0;
    const rebinding: LookupFunction = (_host, _options, callback) => {
      asked++;
      callback(null, [{ address: asked === 1 ? '203.0.113.1' : '127.0.0.1', family: 4 }]);
    };
    expect(await connect(createPublicConnector(rebinding), 'rebound.test')).to.be.instanceOf(DeadLetter);
    expect(asked).to.equal(1);
  });
});
