/** JSON of answers that may be large, in steps: `JSON.stringify` of all at once would hold the event loop. */

/** Keys and items that are written at a stretch. */
const AT_ONCE = 5_000;

/** JSON that is written already; it is sent as it is. */
export class JsonText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Whether it has more than `most` keys and items, however deep; looks at no more than that. */
export function isLarge(value: unknown, most = AT_ONCE): boolean {
  return left(value, most) < 0;
}

function left(value: unknown, most: number): number {
  if (typeof value !== 'object' || value === null) return most - 1;
  let rest = most;
  if (Array.isArray(value)) {
    for (const item of value) {
      rest = left(item, rest);
      if (rest < 0) return rest;
    }
    return rest;
  }
  for (const key in value) {
    rest = left((value as Record<string, unknown>)[key], rest);
    if (rest < 0) return rest;
  }
  return rest;
}

/** What `JSON.stringify` makes of it, when it holds plain objects, lists, texts, numbers, booleans and null. */
export function* jsonText(value: unknown): Generator<void, string> {
  const parts: string[] = [];
  yield* write(value, parts);
  return parts.join('');
}

function* write(value: unknown, parts: string[]): Generator<void, void> {
  if (typeof value !== 'object' || value === null || !isLarge(value)) {
    parts.push(JSON.stringify(value) ?? 'null');
    yield;
    return;
  }
  if (Array.isArray(value)) yield* writeList(value, parts);
  else yield* writeObject(Object.entries(value), parts);
}

/** Small items that follow each other are written together. */
function* writeList(items: readonly unknown[], parts: string[]): Generator<void, void> {
  parts.push('[');
  let from = 0;
  let separator = '';
  while (from < items.length) {
    let [to, rest] = [from, AT_ONCE];
    while (to < items.length) {
      rest = left(items[to], rest);
      if (rest < 0) break;
      to += 1;
    }
    parts.push(separator);
    separator = ',';
    if (to === from) {
      yield* write(items[from], parts);
      from += 1;
    } else {
      parts.push(JSON.stringify(items.slice(from, to)).slice(1, -1));
      from = to;
    }
    yield;
  }
  parts.push(']');
}

function* writeObject(
  entries: readonly (readonly [string, unknown])[],
  parts: string[],
): Generator<void, void> {
  parts.push('{');
  let separator = '';
  let written = 0;
  for (const [key, value] of entries) {
    if (value === undefined) continue;
    parts.push(`${separator}${JSON.stringify(key)}:`);
    separator = ',';
    if (isLarge(value)) yield* write(value, parts);
    else parts.push(JSON.stringify(value) ?? 'null');
    written += 1;
    if (written % 100 === 0) yield;
  }
  parts.push('}');
}
