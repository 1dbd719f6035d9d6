/** Times by a pattern that the configuration gives, in the letters that most programs use (Unicode LDML). */
import { timeOfGroups, type WrittenTime } from './time-text.ts';

const ZONE = String.raw`(?<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)`;
/** What a letter stands for, longest first. */
const TOKENS: readonly (readonly [string, string])[] = [
  ['yyyy', String.raw`(?<year>\d{4})`],
  ['yy', String.raw`(?<year>\d{2})`],
  ['MMMM', '(?<month>[A-Za-z]{3,9})'],
  ['MMM', String.raw`(?<month>[A-Za-z]{3,9})\.?`],
  ['MM', String.raw`(?<month>\d{2})`],
  ['M', String.raw`(?<month>\d{1,2})`],
  ['dd', String.raw`(?<day>\d{2})`],
  ['d', String.raw`(?<day>\d{1,2})`],
  ['HH', String.raw`(?<hour>\d{2})`],
  ['H', String.raw`(?<hour>\d{1,2})`],
  ['hh', String.raw`(?<hour>\d{2})`],
  ['h', String.raw`(?<hour>\d{1,2})`],
  ['mm', String.raw`(?<minute>\d{2})`],
  ['m', String.raw`(?<minute>\d{1,2})`],
  ['ss', String.raw`(?<second>\d{2})`],
  ['s', String.raw`(?<second>\d{1,2})`],
  ['a', String.raw`(?<half>[AaPp])\.?[Mm]\.?`],
  ['Z', ZONE],
];

/** Reads times of this pattern; null for a cell that is none. */
export type ReadPattern = (text: string) => WrittenTime | null;

/** Null: it is no pattern of a date, or it uses a letter twice. */
export function compilePattern(pattern: string): ReadPattern | null {
  let source = '';
  for (let at = 0; at < pattern.length; ) {
    const rest = pattern.slice(at);
    const fraction = /^S+/.exec(rest)?.[0];
    const zone = /^X+/.exec(rest)?.[0];
    const token = TOKENS.find(([letters]) => rest.startsWith(letters));
    const blank = /^\s+/.exec(rest)?.[0];
    const quoted = /^'([^']*)'/.exec(rest);
    if (fraction !== undefined) source += String.raw`(?<fraction>\d+)`;
    else if (zone !== undefined) source += ZONE;
    else if (token !== undefined) source += token[1];
    else if (blank !== undefined) source += String.raw`\s+`;
    else source += escaped(quoted?.[1] ?? rest.charAt(0));
    at += (fraction ?? zone ?? token?.[0] ?? blank ?? quoted?.[0] ?? '?').length;
  }
  const form = regular(source);
  if (form === null || !['year', 'month', 'day'].every((name) => source.includes(`(?<${name}>`))) return null;
  return (text) => {
    const groups = form.exec(text)?.groups;
    return groups === undefined ? null : timeOfGroups(groups);
  };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}

function regular(source: string): RegExp | null {
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return null;
  }
}
