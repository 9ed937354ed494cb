/**
 * Ends process groups and removes a folder when the process that started them is gone, however it went: `kill -9`
 * included. A small shell of its own session waits for the end of a pipe that only we hold open.
 */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

export interface Guard {
  /** The process groups to end; replaces what was told before. */
  watch(groups: readonly number[]): void;
  /** Ends them now; resolves when the folder is gone. */
  release(): Promise<void>;
}

const script = `
trap '' INT TERM HUP
groups=
while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
if [ -n "$1" ]; then rm -rf "$1" 2>/dev/null || { sleep 1; rm -rf "$1"; }; fi
`;

/** @param folder  absolute path, removed at the end */
export function createGuard(folder?: string): Guard {
  const shell = spawn('/bin/sh', ['-c', script, 'guard', folder ?? ''], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => shell.once('close', () => resolve()));
  shell.unref();
  const pipe = shell.stdin as Socket;
  pipe.unref();
  pipe.on('error', () => undefined); // the shell was ended from outside: nothing left to tell it
  return {
    watch: (groups) => void pipe.write(`${groups.join(' ')}\n`),
    release() {
      shell.ref();
      pipe.ref();
      pipe.end();
      return ended;
    },
  };
}
