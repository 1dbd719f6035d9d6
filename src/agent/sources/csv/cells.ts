/**
 * Reads cells of a CSV file that hold decimal numbers: exactly as `Number()` reads them, but for those that it changes
 * (beyond 2^53, or too close to 0), and words that stand for some.
 */
import { isInexact } from '../../../protocol/exact-number.ts';

/** From here on a double no longer has every integer. */
const LARGE = 2 ** 53;
/** Below, a double no longer has all its digits. */
const SMALL = 2 ** -1022;
/** Nothing else that Number() reads is a number here: 0x1F, 0b1, a blank cell. */
const DECIMAL = /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*$/;

export type NumberStyle = {
  readonly decimal: '.' | ',';
  /** Words in lower case for cells where nothing was measured, further to the usual ones. */
  readonly missing: ReadonlySet<string>;
};

export const PLAIN_NUMBERS: NumberStyle = { decimal: '.', missing: new Set() };

/** What people and programs write where nothing was measured. */
const MISSING = new Set([
  ...['', 'na', 'n/a', 'n.a.', '#n/a', '#na', '<na>', 'null', 'none', 'nil', '-', '--', '---'],
]);
/** Infinities and NaN as pandas, printf and Microsoft's libraries write them. */
const INFINITY = /^([+-]?)(inf|infinity|∞|1\.#inf0*)$/;
const NOT_A_NUMBER = /^[+-]?(nan(\(ind\))?|1\.#(ind|qnan|snan)0*)$/;
const NON_ASCII_MINUS = /^\u2212/;

/** The number; null where the cell says that there is none; undefined where it is other text. */
export function parseNumber(
  cell: string,
  { decimal, missing }: NumberStyle = PLAIN_NUMBERS,
): number | null | undefined {
  if (decimal === '.' && DECIMAL.test(cell)) return exact(Number(cell), cell);
  return parseOther(cell.trim().toLowerCase().replace(NON_ASCII_MINUS, '-'), decimal, missing);
}

function parseOther(
  text: string,
  decimal: '.' | ',',
  missing: ReadonlySet<string>,
): number | null | undefined {
  if (missing.has(text) || MISSING.has(text)) return null;
  const infinite = INFINITY.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (NOT_A_NUMBER.test(text)) return Number.NaN;
  // A point would be one of thousands.
  if (decimal === ',' && text.includes('.')) return undefined;
  const plain = decimal === ',' ? text.replace(',', '.') : text;
  return DECIMAL.test(plain) ? exact(Number(plain), plain) : undefined;
}

/** A number that would be another once it is stored cannot be read. */
function exact(value: number, text: string): number | undefined {
  const size = Math.abs(value);
  // Most cells: between these, and a plain 0, no number is changed.
  if ((size < LARGE && size >= SMALL) || text === '0') return value;
  return isInexact(text.trim()) ? undefined : value;
}

/** What may read a cell that could not be read, to be added to a message; empty where nothing does. */
export function numberAdvice(cell: string): string {
  const text = cell.trim();
  const plain = text.replace(',', '.');
  if (DECIMAL.test(plain) && isInexact(plain)) return `; ${ROUNDED}`;
  if (/^[+-]?0[xob][\da-f]+$/i.test(text) || /^[+-]?\d+(_\d+)+$/.test(text))
    return '; only plain decimal numbers are read';
  if (/^[+-]?[1-9]\d{0,2}(,\d{3})+$/.test(text))
    return '; separators of thousands are not read, and decimal=comma would take them for those of a fraction';
  if (/^[+-]?\d+,\d+$/.test(text)) return '; decimal=comma reads a comma before the fraction';
  return /^[+-]?\d+\.\d+$/.test(text) ? '; decimal=comma takes no point' : '';
}

const ROUNDED = 'numbers beyond 2^53, or closer to 0 than 2.2e-308, are read only where a double holds them';

/** Why a cell could not be read, and what may read it. */
export function whyUnreadable(cell: string): string {
  const advice = numberAdvice(cell);
  return advice.endsWith(ROUNDED) ? `would be rounded: ${ROUNDED}` : `is no number${advice}`;
}
