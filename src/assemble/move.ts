/** Puts a move together: which engine each side is, and whether the two make sense. */
import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { registryOf } from '../assemble.js';
import { schema } from '../broker/embedded/schema.js';
import {
  createEmbeddedSource,
  createEmbeddedTarget,
  type EmbeddedStockOptions,
  stockOperationsUrl,
} from '../broker/embedded/stock.js';
import { createRabbitSource, type RabbitStockOptions } from '../broker/rabbitmq/stock-source.js';
import { createRabbitTarget } from '../broker/rabbitmq/stock-target.js';
import type { StockSource, StockTarget } from '../broker/stock.js';
import type { Place } from '../config/places.js';
import type { Config } from '../config.js';
import { Invalid } from '../job/errors.js';
import { systemClock as clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { createSqliteThread } from '../runtime/sqlite-thread.js';

export interface Side {
  readonly place: Place;
  /** Absent: AMQP_PREFIX. */
  readonly prefix: string | undefined;
}

export interface AssembledMove {
  readonly source: StockSource;
  readonly target: StockTarget;
  readonly queues: readonly string[];
  /** Each side for a person, without secrets. */
  readonly names: { readonly from: string; readonly to: string };
}

type Engine =
  | { readonly kind: 'embedded'; readonly folder: string }
  | { readonly kind: 'rabbitmq'; readonly urls: readonly string[]; readonly prefix: string };

/** @throws Invalid  the sides are the same place, one is not told, or there is nothing to move from */
export async function assembleMove(config: Config, from: Side, to: Side, log: Log): Promise<AssembledMove> {
  const source = engineOf(config, from, '--from');
  const target = engineOf(config, to, '--to');
  if (areSame(source, target))
    throw new Invalid('same_place', `--from and --to are the same place, ${nameOf(source)}: nothing to move`);
  if (source.kind === 'embedded' && !existsSync(join(source.folder, 'sluice.db')))
    throw new Invalid(
      'nothing_there',
      `there is no sluice.db in ${source.folder}: --from must be the DATA_DIR of the jobs`,
    );
  const { queues } = await registryOf(config);
  return {
    source:
      source.kind === 'embedded'
        ? createEmbeddedSource(embeddedOptions(source.folder, log))
        : createRabbitSource(rabbitOptions(source, queues, log)),
    target:
      target.kind === 'embedded'
        ? createEmbeddedTarget({ ...embeddedOptions(target.folder, log), queues })
        : createRabbitTarget(rabbitOptions(target, queues, log)),
    queues,
    names: { from: nameOf(source, queues), to: nameOf(target) },
  };
}

function engineOf(config: Config, { place, prefix }: Side, option: string): Engine {
  switch (place.kind) {
    case 'embedded':
      if (prefix !== undefined)
        throw new Invalid('bad_settings', `${option}-prefix is of RabbitMQ, and ${option} is a folder`);
      return { kind: 'embedded', folder: resolve(place.folder ?? config.dataDir) };
    case 'rabbitmq': {
      const urls = place.urls ?? config.amqpUrls;
      if (urls === undefined)
        throw new Invalid('bad_settings', `${option} amqp: AMQP_URL is not set, which it stands for`);
      return {
        kind: 'rabbitmq',
        urls: urls.map((url) => url.reveal()),
        prefix: prefix ?? config.amqpPrefix,
      };
    }
  }
}

/** Other names for one host are found out by the engine. */
function areSame(one: Engine, other: Engine): boolean {
  if (one.kind === 'embedded') return other.kind === 'embedded' && real(one.folder) === real(other.folder);
  if (other.kind === 'embedded' || one.prefix !== other.prefix) return false;
  const addresses = new Set(one.urls.map(addressOf));
  return other.urls.some((url) => addresses.has(addressOf(url)));
}

function real(folder: string): string {
  return existsSync(folder) ? realpathSync(folder) : folder;
}

function addressOf(url: string): string {
  const { protocol, hostname, port, pathname } = new URL(url);
  const vhost = decodeURIComponent(pathname.slice(1)) || '/';
  return `${hostname}:${port || (protocol === 'amqps:' ? '5671' : '5672')} ${vhost}`;
}

/** @param looked  the queues that are looked into: RabbitMQ cannot be asked for the others, so a person has to see them */
function nameOf(engine: Engine, looked: readonly string[] = []): string {
  if (engine.kind === 'embedded') return `the built-in engine in ${engine.folder}`;
  const hosts = engine.urls.map((url) => new URL(url).host);
  const queues = looked.length === 0 ? '' : `, queues ${looked.join(', ')}`;
  return `RabbitMQ at ${hosts.join(', ')} (prefix ${engine.prefix}${queues})`;
}

function embeddedOptions(folder: string, log: Log): EmbeddedStockOptions {
  const modules = [stockOperationsUrl];
  // A thread that fails rejects what is under way, which ends the move.
  const thread = createSqliteThread({
    folder,
    use: 'move',
    schemas: { engine: schema },
    modules,
    clock,
    log,
    failed() {},
  });
  return { thread, dataDir: folder, clock };
}

function rabbitOptions(
  { urls, prefix }: Extract<Engine, { kind: 'rabbitmq' }>,
  queues: readonly string[],
  log: Log,
): RabbitStockOptions {
  return { urls, prefix, queues, clock, random: Math.random, log };
}
