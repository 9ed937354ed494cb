/** Settings at fault, as the lines of the message that names them. */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { type Environment, loadConfig, type Role } from '../../src/config.js';
import { Invalid } from '../../src/job/errors.js';

export const hash = createHash('sha256').update('a key').digest('hex');
export const password = 'hunter2hunter2';

/** The lines of the message below its head, or none when the settings are good. */
export function faultsOf(env: Environment, role: Role = 'start'): string[] {
  try {
    loadConfig(env, role);
    return [];
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    expect(error.code).to.equal('bad_settings');
    const [head, ...lines] = error.message.split('\n');
    const plural = lines.length === 1 ? '1 setting is' : `${lines.length} settings are`;
    expect(head).to.equal(`${plural} at fault:`);
    return lines.map((line) => line.trim());
  }
}

export function onlyFault(env: Environment, role: Role = 'start'): string {
  const faults = faultsOf(env, role);
  expect(faults, JSON.stringify(env)).to.have.length(1);
  return faults[0] ?? '';
}
