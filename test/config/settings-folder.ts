/** A folder for the files that settings name. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SettingsFolder {
  /** Its path, while the tests of the suite run. */
  folder(): string;
  /** Writes a file there. @returns its path */
  file(name: string, content: string | Buffer): string;
}

/** Call it in a `describe`: the folder is there for its tests. */
export function useSettingsFolder(): SettingsFolder {
  let path = '';
  before(() => {
    path = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  });
  after(() => rmSync(path, { recursive: true }));
  return {
    folder: () => path,
    file(name, content) {
      const file = join(path, name);
      writeFileSync(file, content);
      return file;
    },
  };
}
