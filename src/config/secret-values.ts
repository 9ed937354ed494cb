/** Every secret that the settings hold, for the log to mask. */
import type { Config } from '../config.js';
import { Secret } from './secret.js';

/** Of an address its password, since the rest of it is told to people. */
export function secretValuesOf(config: Config): string[] {
  return Object.values(config)
    .flat()
    .filter((value) => value instanceof Secret)
    .flatMap((secret) => partsOf(secret.reveal()));
}

function partsOf(text: string): string[] {
  if (!text.includes('://') || !URL.canParse(text)) return [text, text.replace(/^whsec_/, '')];
  const { password } = new URL(text);
  return password === '' ? [] : [password, decodeURIComponent(password)];
}
