/** Turns the text of a flag or an environment variable, or a YAML scalar, into a setting's value. */
import { DURATION_FORMS, readDuration, readSize, SIZE_FORMS } from '../platform/quantity.ts';
import type { Leaf } from './leaves.ts';

export type ReadValue =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

/**
 * White space around it does not count, whatever it is: shells, env files and secrets of Kubernetes add some. Settings
 * ending in `Ms` take `10s`, those ending in `Bytes`, or in `Bytes` per a time, take `64MiB`; a list is
 * separated by `;` or by what the setting says, but not within double quotes.
 */
export function readValue(leaf: Leaf, given: string): ReadValue {
  const text = given.trim();
  switch (leaf.type) {
    case 'string':
      return { ok: true, value: text };
    case 'list':
      return readList(leaf, text);
    case 'boolean':
      return readBoolean(text);
    case 'number':
      return readNumber(leaf, text);
  }
}

const QUOTED = /"[^"]*"/;
const ALL_QUOTED = /^"([^"]*)"$/;

/** What stands in double quotes is never cut. An item that is quoted as a whole comes without them. */
function readList({ separator }: Leaf, text: string): ReadValue {
  const items: string[] = [];
  let item = '';
  const pieces = new RegExp(`(${QUOTED.source})|${separator.source}`, 'g');
  let from = 0;
  for (const { 0: found, 1: quoted, index } of text.matchAll(pieces)) {
    item += text.slice(from, index) + (quoted ?? '');
    from = index + found.length;
    if (quoted !== undefined) continue;
    items.push(item);
    item = '';
  }
  items.push(item + text.slice(from));
  if (items.some((one) => one.split('"').length % 2 === 0))
    return { ok: false, problem: 'a double quote is not closed' };
  const trimmed = items.map((one) => one.trim()).filter((one) => one !== '');
  return { ok: true, value: trimmed.map((one) => ALL_QUOTED.exec(one)?.[1] ?? one) };
}

function readBoolean(text: string): ReadValue {
  if (/^(true|1|yes|on)$/i.test(text)) return { ok: true, value: true };
  if (/^(false|0|no|off)$/i.test(text)) return { ok: true, value: false };
  return { ok: false, problem: `expected true or false, got "${text}"` };
}

function readNumber(leaf: Leaf, text: string): ReadValue {
  if (/^-?\d+(\.\d+)?$/.test(text)) return { ok: true, value: Number(text) };
  const { read, forms } = unitsOf(leaf);
  const value = read(text);
  if (value !== null) return { ok: true, value };
  const hint = forms === '' ? '' : `, optionally with a unit (${forms})`;
  return { ok: false, problem: `expected a number${hint}, got "${text}"` };
}

function unitsOf({ path }: Leaf): { readonly read: (text: string) => number | null; readonly forms: string } {
  if (path.endsWith('Ms')) return { read: readDuration, forms: DURATION_FORMS };
  if (/[bB]ytes(Per(Second|Day|Month))?$/.test(path)) return { read: readSize, forms: SIZE_FORMS };
  return { read: () => null, forms: '' };
}
