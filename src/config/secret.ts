/** A value that cannot be printed by accident. */
import { inspect } from 'node:util';

/** Shows itself as `***` in strings, JSON, logs and `inspect`; only `reveal()` gives the value away. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }

  [inspect.custom](): string {
    return '***';
  }
}
