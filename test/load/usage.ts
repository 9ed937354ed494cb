/** What the programs of a bench use: CPU time and resident memory, as Linux tells them in /proc (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';

export interface Usage {
  /** CPU time of the programs themselves, in us for each job or request. */
  readonly ownUs: number;
  /** The same of the servers that they use: broker, Redis, database. */
  readonly serversUs: number;
  /** Resident memory of the programs at the end, in MB. */
  readonly residentMb: number;
}

/** As the kernel cuts their names. */
const servers = new Set(['beam.smp', 'redis-server', 'postgres']);
/** Clock ticks of /proc a second: USER_HZ, the same on every Linux. */
const TICKS = 100;

interface Entry {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  readonly cpuMs: number;
}

/**
 * Begins to count.
 * @param programs  process ids of those that are measured; without it all Node programs that this process has started
 * @returns what ends it and gives the usage for so many jobs or requests; undefined where there is no /proc
 */
export function startMeter(programs?: readonly number[]): (units: number) => Usage | undefined {
  const before = new Map(ours(entries()).map((entry) => [entry.pid, entry.cpuMs]));
  return (units) => {
    const now = ours(entries());
    if (now.length === 0 || units === 0) return undefined;
    const isProgram = ({ pid, name }: Entry): boolean =>
      programs === undefined ? !servers.has(name) && isNode(pid) : programs.includes(pid);
    const spentUs = (of: (entry: Entry) => boolean): number =>
      now.filter(of).reduce((sum, { pid, cpuMs }) => sum + cpuMs - (before.get(pid) ?? 0), 0) *
      (1000 / units);
    return {
      ownUs: spentUs(isProgram),
      serversUs: spentUs(({ name }) => servers.has(name)),
      residentMb: now.filter(isProgram).reduce((sum, { pid }) => sum + residentMb(pid), 0),
    };
  };
}

/** The processes that this one has started, and those that they have started. */
function ours(all: readonly Entry[]): Entry[] {
  const found = new Set([process.pid]);
  // Children mostly follow their parents, but numbers begin anew: as often as it brings more.
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return all.filter(({ pid }) => pid !== process.pid && found.has(pid));
}

function entries(): Entry[] {
  const pids = namesIn('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const stat = textOf(`/proc/${pid}/stat`);
    const [, name = '', rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(stat) ?? [];
    const fields = rest.split(' ');
    const [parent, user, system] = [1, 11, 12].map((field) => Number(fields[field]));
    if (parent === undefined || user === undefined || system === undefined || name === '') return [];
    return [{ pid: Number(pid), parent, name, cpuMs: ((user + system) * 1000) / TICKS }];
  });
}

function isNode(pid: number): boolean {
  const [program = ''] = textOf(`/proc/${pid}/cmdline`).split('\0');
  return program === process.execPath;
}

function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

/** Empty when the process has ended meanwhile, or there is no /proc. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
