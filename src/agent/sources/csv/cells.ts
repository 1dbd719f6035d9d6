/** Reads cells of a CSV file: numbers exactly as `Number()` reads them, times as epoch ms. */

/** What people write where nothing was measured. */
const MISSING = new Set(['', 'na', 'n/a', 'null', 'none', '-']);
const NOT_A_NUMBER = /^\s*[+-]?nan\s*$/i;

/** The number; null where the cell says that there is none; undefined where it is other text. */
export function parseNumber(cell: string): number | null | undefined {
  const value = Number(cell);
  // Number() reads blank text as 0.
  if (value === 0) return cell.trim() === '' ? null : value;
  if (!Number.isNaN(value)) return value;
  if (NOT_A_NUMBER.test(cell)) return Number.NaN;
  return MISSING.has(cell.trim().toLowerCase()) ? null : undefined;
}

/** How a file writes its times: text, or a number of units since the Unix epoch. */
export type TimeForm = 'text' | 's' | 'ms' | 'us' | 'ns';

/** ms in one unit, as a divisor or factor that keeps whole ms exact. */
const TO_MS: Readonly<Record<Exclude<TimeForm, 'text'>, (value: number) => number>> = {
  s: (value) => value * 1000,
  ms: (value) => value,
  us: (value) => value / 1000,
  ns: (value) => value / 1_000_000,
};
const MAX_DATE_MS = 8.64e15;
/** A date and time without a zone; read as UTC, so that a file means the same on every machine. */
const WITHOUT_ZONE = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?$/;

/**
 * The form of a file's times, judged by one of them; null when it is no time. Numbers below 1e11 are s, 1e14 ms, 1e17
 * µs, else ns.
 */
export function timeFormOf(cell: string): TimeForm | null {
  const value = Number(cell);
  if (cell.trim() === '') return null;
  if (Number.isFinite(value)) {
    const size = Math.abs(value);
    return size < 1e11 ? 's' : size < 1e14 ? 'ms' : size < 1e17 ? 'us' : 'ns';
  }
  return parseTime(cell, 'text') === null ? null : 'text';
}

/** Integer ms since the Unix epoch; null when the cell is no time of this form. */
export function parseTime(cell: string, form: TimeForm): number | null {
  const text = cell.trim();
  if (text === '') return null;
  return form === 'text' ? wholeMs(parseTimeText(text)) : timeOfNumber(Number(text), form);
}

/** The same for a cell that is this number. */
export function timeOfNumber(value: number, form: TimeForm): number | null {
  return form === 'text' ? null : wholeMs(TO_MS[form](value));
}

function wholeMs(ms: number): number | null {
  return Number.isFinite(ms) && Math.abs(ms) <= MAX_DATE_MS ? Math.round(ms) : null;
}

function parseTimeText(text: string): number {
  if (Number.isFinite(Number(text))) return Number.NaN;
  return Date.parse(WITHOUT_ZONE.test(text) ? `${text.replace(' ', 'T').replace(',', '.')}Z` : text);
}
