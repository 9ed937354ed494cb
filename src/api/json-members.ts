/** The members of a JSON object as they are written: parsing rounds whole numbers beyond 2^53. Pure. */

/** @param text  an object that `JSON.parse` has read  @returns name -> text of its value; of a name that is there twice the last */
export function membersOf(text: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>();
  let depth = 0;
  let name: string | undefined;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      const end = endOfString(text, at);
      if (depth === 1 && name === undefined) name = JSON.parse(text.slice(at, end)) as string;
      at = end - 1;
      continue;
    }
    if (depth === 1 && name !== undefined && (character === ',' || character === '}')) {
      members.set(name, text.slice(from, at).trim());
      name = undefined;
    }
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    else if (character === ':' && depth === 1) from = at + 1;
  }
  return members;
}

/** Behind its closing quotation mark. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
