/**
 * The built product with and without recording: `tsx unrecorded.ts serve|work|start on|off`. What recording costs is the difference,
 * so both run in the same way. Nobody else can switch it off.
 */
import type { EventSender } from '../../src/events/sender.js';

const silent: EventSender = {
  source: '00000000-0000-4000-8000-000000000000',
  tell() {},
  record: () => Promise.resolve(),
  recordFor: (_, waiter) => queueMicrotask(() => waiter.resolve()),
  async start() {},
  async stop() {},
  stats: { pending: 0, spooled: 0, dropped: 0 },
};

const [role = '', recording] = process.argv.slice(2);
const { loadConfig, readEnvironment } = await built<typeof import('../../src/config.js')>('config');
const { assemble } = await built<typeof import('../../src/assemble.js')>('assemble');
const { createLog } = await built<typeof import('../../src/runtime/log.js')>('runtime/log');
const { systemClock } = await built<typeof import('../../src/runtime/clock.js')>('runtime/clock');
const { runService } = await built<typeof import('../../src/cli/run-service.js')>('cli/run-service');

if (role !== 'serve' && role !== 'work' && role !== 'start') throw new Error(`no role: ${role}`);
const config = loadConfig(readEnvironment(), role);
const log = createLog(config.logLevel);
const replaced = recording === 'off' ? { sender: silent } : {};
await runService(() => assemble(config, role, log, replaced), { host: process, log, clock: systemClock });

function built<Module>(name: string): Promise<Module> {
  return import(new URL(`../../dist/src/${name}.js`, import.meta.url).href) as Promise<Module>;
}
