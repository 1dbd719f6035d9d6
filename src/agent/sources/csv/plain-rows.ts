/**
 * The quick way through a CSV file: plain rows, read from the bytes of the file into columns.
 *
 * A row is plain when it has no quotes, as many cells as the header, and numbers in all columns of numbers. Most files
 * hold nothing else. What is not plain is left, untouched, to the reader of records, whose results these equal.
 */
import type { BlockBuilder } from './block-builder.ts';
import { type NumberStyle, parseNumber } from './cells.ts';
import type { CsvHeader } from './header.ts';
import type { Times } from './times/times.ts';

export type PlainRowsOptions = {
  /** One of {@link isQuickDelimiter}. */
  readonly delimiter: string;
  readonly header: Pick<CsvHeader, 'width' | 'timeIndex'>;
  readonly times: Times;
  readonly numbers: NumberStyle;
  /** The cells that are columns of the block, in their order; the others are text. */
  readonly indices: readonly number[];
  /** Longer rows are not plain. */
  readonly maxBytes: number;
};

/**
 * Reads rows from `from` on into the builder until it is full, `end` is reached, or a row is not plain. Returns where
 * the next one begins. `end` is behind a line break.
 */
export type ReadPlainRows = (bytes: Buffer, from: number, end: number, into: BlockBuilder) => number;

/** What cells are that are no column. */
const TIME = -1;
const TEXT = -2;
const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;
const MINUS = 45;
const COMMA = 44;
const DOT = 46;
const ZERO = 48;
/** Digits that a double holds exactly. */
const EXACT_DIGITS = 15;
/**
 * Exact, as are integers of 15 digits: their quotient is the double nearest to the decimal, which is what Number()
 * gives.
 */
const POWERS = Float64Array.from({ length: EXACT_DIGITS + 1 }, (_, power) => Number(`1e${power}`));

/** Whether numbers and line breaks can be told from it byte by byte. */
export function isQuickDelimiter(delimiter: string): boolean {
  return [',', ';', '\t', '|'].includes(delimiter);
}

/** {@link PlainRowsOptions}, as a row is read by them. */
type Layout = {
  readonly delimiter: number;
  readonly lastCell: number;
  readonly timeIndex: number;
  readonly times: Times;
  readonly numbers: NumberStyle;
  /** Between whole and fraction. */
  readonly point: number;
  /** Of each cell: its column, {@link TIME} or {@link TEXT}. */
  readonly columnOf: Int32Array;
  readonly maxBytes: number;
};

export function createPlainRows(options: PlainRowsOptions): ReadPlainRows {
  const { times, numbers, indices, maxBytes } = options;
  const { width, timeIndex } = options.header;
  const columnOf = new Int32Array(width).fill(TEXT);
  columnOf[timeIndex] = TIME;
  for (const [column, cell] of indices.entries()) columnOf[cell] = column;
  const delimiter = options.delimiter.charCodeAt(0);
  const layout: Layout = {
    delimiter,
    lastCell: width - 1,
    timeIndex,
    times,
    numbers,
    point: numbers.decimal === ',' ? COMMA : DOT,
    columnOf,
    maxBytes,
  };
  return (bytes, from, end, into) => {
    let at = from;
    while (at < end && into.count < into.capacity) {
      const next = readRow(layout, bytes, at, into);
      if (next < 0) {
        into.undo();
        break;
      }
      at = next;
      into.count += 1;
    }
    return at;
  };
}

/**
 * Returns where the next row begins; -1 when this one is not plain. Every loop ends at the line break at the latest.
 */
function readRow(layout: Layout, bytes: Buffer, from: number, into: BlockBuilder): number {
  const { delimiter, lastCell, columnOf, point } = layout;
  const { values, capacity, count: row } = into;
  let at = from;
  // A line that may be blank.
  if ((bytes[at] as number) <= 32) return -1;
  for (let cell = 0; ; cell += 1) {
    const begun = at;
    const column = columnOf[cell] as number;
    if (column !== TEXT) {
      const negative = bytes[at] === MINUS;
      if (negative) at += 1;
      const digitsFrom = at;
      let size = 0;
      let digit = (bytes[at] as number) - ZERO;
      while (digit >= 0 && digit <= 9) {
        size = size * 10 + digit;
        at += 1;
        digit = (bytes[at] as number) - ZERO;
      }
      let digits = at - digitsFrom;
      if (digit === point - ZERO && point !== delimiter) {
        const pointAt = at;
        at += 1;
        digit = (bytes[at] as number) - ZERO;
        while (digit >= 0 && digit <= 9) {
          size = size * 10 + digit;
          at += 1;
          digit = (bytes[at] as number) - ZERO;
        }
        digits = at - digitsFrom - 1;
        if (digits <= EXACT_DIGITS) size /= POWERS[at - pointAt - 1] as number;
      }
      let byte = digit + ZERO;
      if (byte === RETURN && digits > 0 && bytes[at + 1] === NEWLINE) {
        at += 1;
        byte = NEWLINE;
      }
      const isEnd = byte === delimiter || byte === NEWLINE;
      if (isEnd && digits > 0 && digits <= EXACT_DIGITS) {
        const value = negative ? -size : size;
        if (column >= 0) values[column * capacity + row] = value;
        else if (!putTime(value, layout.times, into)) return -1;
      } else if (isEnd && at === begun && column >= 0) {
        into.leaveOut(column, row);
      } else {
        at = endOfCell(bytes, begun, delimiter);
        if (at < 0 || !putOther(layout, bytes, { from: begun, end: at, cell }, into)) return -1;
      }
    } else {
      at = endOfCell(bytes, at, delimiter);
      if (at < 0) return -1;
    }
    const isLast = bytes[at] === NEWLINE;
    at += 1;
    if (isLast !== (cell === lastCell)) return -1;
    if (isLast) return at - from > layout.maxBytes ? -1 : at;
  }
}

/** Where the cell ends: at its delimiter or line break; -1 when that is not to be had. */
function endOfCell(bytes: Uint8Array, from: number, delimiter: number): number {
  let at = from;
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (byte === delimiter || byte === NEWLINE) return at;
    if (byte === QUOTE) break;
  }
  return -1;
}

/** Puts a cell that is no short decimal; whether it could be read. */
function putOther(
  layout: Layout,
  bytes: Buffer,
  { from, end, cell }: { readonly from: number; readonly end: number; readonly cell: number },
  into: BlockBuilder,
): boolean {
  const row = into.count;
  const until = end > from && bytes[end] === NEWLINE && bytes[end - 1] === RETURN ? end - 1 : end;
  for (let at = from; at < until; at += 1) {
    if ((bytes[at] as number) > 127) return false;
  }
  const text = bytes.toString('latin1', from, until);
  if (cell === layout.timeIndex) {
    const ts = layout.times.ofText(text);
    if (ts !== null) into.ts[row] = ts;
    return ts !== null;
  }
  const column = layout.columnOf[cell] as number;
  const value = parseNumber(text, layout.numbers);
  if (value === undefined) return false;
  if (value === null) into.leaveOut(column, row);
  else into.values[column * into.capacity + row] = value;
  return true;
}

function putTime(value: number, times: Times, into: BlockBuilder): boolean {
  const ts = times.ofNumber(value);
  if (ts === null) return false;
  into.ts[into.count] = ts;
  return true;
}
