/** Turns the text of a flag or an environment variable, or a YAML scalar, into a setting's value. */
import type { Leaf } from './leaves.ts';

const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

export type ReadValue =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

/**
 * Settings ending in `Ms` take `10s`, those ending in `Bytes`, or in `Bytes` per a time, take `64MiB`; a list is
 * separated by `;` or by what the setting says.
 */
export function readValue(leaf: Leaf, text: string): ReadValue {
  switch (leaf.type) {
    case 'string':
      return { ok: true, value: text };
    case 'list':
      return {
        ok: true,
        value: text
          .split(leaf.separator)
          .map((part) => part.trim())
          .filter((part) => part !== ''),
      };
    case 'boolean':
      return readBoolean(text);
    case 'number':
      return readNumber(leaf, text);
  }
}

function readBoolean(text: string): ReadValue {
  if (/^(true|1|yes|on)$/i.test(text)) return { ok: true, value: true };
  if (/^(false|0|no|off)$/i.test(text)) return { ok: true, value: false };
  return { ok: false, problem: `expected true or false, got "${text}"` };
}

function readNumber(leaf: Leaf, text: string): ReadValue {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*$/.exec(text);
  const unit = match?.[2]?.toLowerCase() ?? '';
  if (match !== null && unit === '') return { ok: true, value: Number(match[1]) };
  const units = leaf.path.endsWith('Ms')
    ? DURATIONS
    : /[bB]ytes(Per(Second|Day|Month))?$/.test(leaf.path)
      ? SIZES
      : {};
  const factor = units[unit];
  if (match !== null && factor !== undefined) return { ok: true, value: Number(match[1]) * factor };
  const known = Object.keys(units);
  const hint = known.length > 0 ? `, optionally with a unit (${known.join(', ')})` : '';
  return { ok: false, problem: `expected a number${hint}, got "${text}"` };
}
