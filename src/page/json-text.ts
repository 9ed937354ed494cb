/** JSON as text, made readable without being read: numbers stay as they were written, however large. Pure. */

const token = /"(?:\\.|[^"\\])*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** @param text  valid JSON  @returns the same value, a member or an item a line */
export function indented(text: string): string {
  let depth = 0;
  let out = '';
  const tokens = text.match(token) ?? [];
  tokens.forEach((one, i) => {
    const next = tokens[i + 1];
    const line = (): string => `\n${'  '.repeat(depth)}`;
    if (one === '{' || one === '[') {
      depth++;
      out += next === '}' || next === ']' ? one : one + line();
    } else if (one === '}' || one === ']') {
      depth--;
      const before = tokens[i - 1];
      out += before === '{' || before === '[' ? one : line() + one;
    } else if (one === ',') out += `,${line()}`;
    else out += one === ':' ? ': ' : one;
  });
  return out;
}

/** Whether two texts are the same JSON but for their spaces. */
export function isSame(one: string, other: string): boolean {
  return indented(one) === indented(other);
}

/** What is wrong with it, or undefined. */
export function faultOfJson(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return text.trim() === '' ? 'write JSON here' : (error as Error).message;
  }
}
