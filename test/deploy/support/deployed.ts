/** The files of `deploy/`, read as what they are. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

/** The top folder, which is the context of the image. */
export const top = fileURLToPath(new URL('../../..', import.meta.url));

/** @param path  from the top folder */
export function textOf(path: string): string {
  return readFileSync(join(top, path), 'utf8');
}

/** The names of a folder's files, sorted. */
export function filesOf(path: string): string[] {
  return readdirSync(join(top, path), { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .sort();
}

// biome-ignore lint/suspicious/noExplicitAny: what a test reads of it, it checks
export type Yaml = any;

/** The documents of a file. @throws Error  it is not YAML, or has a key twice */
export function yamlOf(path: string): Yaml[] {
  return parseAllDocuments(textOf(path), { merge: true }).map((document) => {
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) throw new Error(`${path}: ${fault.message}`);
    return document.toJS();
  });
}

/** The `key = value` lines of a rabbitmq.conf. */
export function rabbitmqConf(): Record<string, string> {
  const lines = textOf('deploy/rabbitmq/rabbitmq.conf').split('\n');
  const settings = lines.filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    settings.map((line) => {
      const found = /^(?<key>[a-z0-9_.]+) = (?<value>\S+)$/.exec(line)?.groups;
      if (found === undefined) throw new Error(`not a line of rabbitmq.conf: ${line}`);
      return [String(found['key']), String(found['value'])];
    }),
  );
}

export function enabledPlugins(): string[] {
  const names = /^\[(?<names>[a-z_,]+)\]\.\n$/.exec(textOf('deploy/rabbitmq/enabled_plugins'))?.groups;
  if (names === undefined) throw new Error('enabled_plugins is not a list of names');
  return String(names['names']).split(',');
}
