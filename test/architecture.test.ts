import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { faultsOfArchitecture, importsOf, type Sources } from './support/architecture.js';

const root = fileURLToPath(new URL('..', import.meta.url));

function readSources(): Sources {
  const sources = new Map<string, string>();
  for (const top of ['src', 'workers', 'deploy', 'test']) {
    for (const path of readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })) {
      if (/\.tsx?$/.test(path))
        sources.set(`${top}/${path.replaceAll('\\', '/')}`, readFileSync(join(root, top, path), 'utf8'));
    }
  }
  return sources;
}

/** The faults of a made-up tree: file -> text. */
function faultsOf(files: Readonly<Record<string, string>>): string[] {
  return faultsOfArchitecture(new Map(Object.entries(files)));
}

describe('the architecture', () => {
  it('keeps every rule of the layout', () => {
    const sources = readSources();
    expect([...sources.keys()]).to.include.members([
      'src/job/job.ts',
      'src/broker/broker.ts',
      'test/architecture.test.ts',
    ]);
    expect(faultsOfArchitecture(sources)).to.deep.equal([]);
  });
});

describe('the check of the architecture', () => {
  it('lets imports run downhill', () => {
    const faults = faultsOf({
      'src/job/job.ts': '',
      'src/broker/broker.ts': "import type { Job } from '../job/job.js';",
      'src/broker/rabbitmq/broker.ts':
        "import amqp from 'amqplib';\nimport type { Broker } from '../broker.js';",
      'src/events/sender.ts': "import type { EventChannel } from '../broker/event-channel.js';",
      'src/broker/event-channel.ts': "import type { Job } from '../job/job.js';",
      'src/worker/pool.ts':
        "import type { Broker } from '../broker/broker.js'; import type { EventSender } from '../events/sender.js';",
      'src/http/app.ts': "import type { Broker } from '../broker/broker.js';",
      'src/assemble.ts':
        "import './broker/rabbitmq/broker.js'; import './http/app.js'; import '../workers/index.js';",
      'workers/index.ts': "export { echo } from './echo.js';",
      'workers/echo.ts':
        "import { defineHandler } from '../src/handler/define.js'; import { fetch } from 'undici';",
      'src/handler/define.ts': '',
      'src/client/client.ts':
        "import type { Accepted } from '../api/contract.js'; export type { A } from '../job/state.js';\nimport { createKey } from './key.js';",
      'src/client/key.ts': '',
    });
    expect(faults).to.deep.equal([]);
  });

  const forbidden: readonly (readonly [title: string, file: string, text: string])[] = [
    ['an import uphill', 'src/job/codec.ts', "import { app } from '../http/app.js';"],
    ['a type import uphill', 'src/broker/broker.ts', "import type { Pool } from '../worker/pool.js';"],
    ['a re-export from uphill', 'src/api/contract.ts', "export { x } from '../broker/broker.js';"],
    ['a dynamic import uphill', 'src/runtime/log.ts', "const x = await import('../config.js');"],
    ['an import over several lines', 'src/job/fold.ts', "import {\n  a,\n  b,\n} from '../config.js';"],
    ['events that know who tells them', 'src/events/sender.ts', "import { pool } from '../worker/pool.js';"],
    ['http that meets worker', 'src/http/jobs.ts', "import { pool } from '../worker/pool.js';"],
    ['worker that meets http', 'src/worker/pool.ts', "import { app } from '../http/app.js';"],
    [
      'an engine picked outside assemble',
      'src/http/app.ts',
      "import { x } from '../broker/rabbitmq/broker.js';",
    ],
    ['the port that knows an engine', 'src/broker/broker.ts', "import { x } from './rabbitmq/broker.js';"],
    [
      'an engine that knows the other',
      'src/broker/embedded/broker.ts',
      "import { x } from '../rabbitmq/codec.js';",
    ],
    ['somebody who looks at observe', 'src/worker/lane.ts', "import { x } from '../observe/metrics.js';"],
    [
      'a client that knows the handlers',
      'src/client/client.ts',
      "import type { Handler } from '../handler/define.js';",
    ],
    [
      'a client that loads more than itself',
      'src/client/client.ts',
      "import { errorStatus, type Problem } from '../api/contract.js';",
    ],
    ['a client that loads a package', 'src/client/key.ts', "import { v4 } from 'uuid';"],
    ['a client that loads a part of Node', 'src/client/key.ts', "import { randomUUID } from 'node:crypto';"],
    ['a page that knows the server', 'src/page/app.tsx', "import { x } from '../http/app.js';"],
    ['a handler that knows the broker', 'workers/echo.ts', "import { x } from '../src/broker/broker.js';"],
    [
      'a handler that knows the job model',
      'workers/echo.ts',
      "import type { Job } from '../src/job/job.js';",
    ],
    [
      'production code that imports a test',
      'src/http/app.ts',
      "import { x } from '../../test/support/sink.js';",
    ],
    ['a part that the design does not name', 'src/common/strings.ts', "import { x } from '../job/job.js';"],
    ['amqplib outside its folder', 'src/broker/broker.ts', "import amqp from 'amqplib';"],
    [
      'a part of amqplib outside its folder',
      'src/worker/pool.ts',
      "import x from 'amqplib/callback_api.js';",
    ],
    ['spans outside observe', 'src/http/jobs.ts', "import { trace } from '@opentelemetry/api';"],
    ['an SDK in the code', 'src/observe/tracing.ts', "import { x } from '@opentelemetry/sdk-trace-node';"],
    ['an SDK that is loaded unasked', 'src/observe/tracing.ts', "import './preload.js';"],
    ['process.env outside config', 'src/http/app.ts', 'const port = process.env.PORT;'],
    ['process.env by index', 'workers/echo.ts', "const port = process['env']['PORT'];"],
    ['process.env taken apart', 'src/cli/main.ts', 'const { argv, env } = process;'],
    ['env imported from process', 'src/cli/main.ts', "import { argv, env } from 'node:process';"],
    ['a barrel', 'src/job/index.ts', "export * from './job.js';"],
    ['a file that is too long', 'src/job/job.ts', 'x;\n'.repeat(401)],
    ['a test that is too long', 'test/job/job.test.ts', 'x;\n'.repeat(401)],
  ];
  for (const [title, file, text] of forbidden) {
    it(`finds ${title}`, () => {
      const faults = faultsOf({ [file]: text });
      expect(faults).to.have.lengthOf(1);
      expect(faults[0]).to.match(new RegExp(`^${file} `));
    });
  }

  it('finds a cycle, of types too, and names its path', () => {
    const faults = faultsOf({
      'src/job/a.ts': "import type { B } from './b.js';",
      'src/job/b.ts': "import { c } from './c.js';",
      'src/job/c.ts': "import type { A } from './a.js';",
      'src/job/d.ts': "import type { A } from './a.js'; import './b.js';",
    });
    expect(faults).to.deep.equal([
      'import cycle: src/job/a.ts -> src/job/b.ts -> src/job/c.ts -> src/job/a.ts',
    ]);
  });

  it('follows imports into files with JSX', () => {
    const faults = faultsOf({
      'src/page/app.tsx': "import { b } from './job.js';",
      'src/page/job.tsx': "import { a } from './app.js';",
    });
    expect(faults).to.deep.equal(['import cycle: src/page/app.tsx -> src/page/job.tsx -> src/page/app.tsx']);
  });

  it('takes what a comment says for no import and no read of the environment', () => {
    const text =
      "// import x from 'amqplib'\n/* process.env */\n/** import('../http/app.js') */\nconst glob = '/**/';";
    expect(faultsOf({ 'src/job/job.ts': text })).to.deep.equal([]);
  });

  it('sees what follows a string that looks like a comment', () => {
    const imports = importsOf(
      'src/http/app.ts',
      "const any = 'text/*';\nconst url = 'http://x';\nimport '../job/job.js';",
    );
    expect(imports).to.deep.equal(['src/job/job.ts']);
  });
});
