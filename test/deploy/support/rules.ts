/** The alerts as they are shipped. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

export const rulesPath = fileURLToPath(new URL('../../../deploy/prometheus/alerts.yaml', import.meta.url));

export function readRuleFile(): RuleFile {
  return parse(readFileSync(rulesPath, 'utf8')) as RuleFile;
}

export function readRules(): readonly Rule[] {
  return readRuleFile().groups.flatMap(({ rules }) => rules);
}
