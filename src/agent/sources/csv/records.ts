/**
 * Splits CSV text (RFC 4180) into records as it arrives, in bounded memory.
 *
 * Written for telemetry: a record that cannot be read costs itself only. An overlong line is skipped to its end; a
 * quote that is never closed is given up after `maxChars`, and reading resumes at the line after the one it stands in.
 */

/** One record, or why there is none. `line` is the file's line on which it begins, from 1. */
export type CsvRecord =
  | { readonly line: number; readonly cells: readonly string[] }
  | { readonly line: number; readonly problem: string };

export type RecordSplitter = {
  readonly push: (text: string) => void;
  /** No more text comes: what is left is the last record. */
  readonly end: () => void;
  /**
   * The next record; null when more text is needed, or after `end` when there is none left. Blank lines are left out.
   */
  readonly next: () => CsvRecord | null;
  readonly ended: () => boolean;
  /** Whether nothing of what was pushed is left, not even the rest of a line that is skipped. */
  readonly isEmpty: () => boolean;
  /** So many lines of the file go another way. */
  readonly passLines: (count: number) => void;
  /** The line that the next record begins on, blank ones before it not counted. */
  readonly line: () => number;
};

/** Characters that a record may have. */
export const MAX_RECORD_CHARS = 256 * 1024;

const QUOTE = '"';

export function createRecordSplitter(delimiter: string, maxChars: number = MAX_RECORD_CHARS): RecordSplitter {
  let text = '';
  let position = 0;
  let line = 1;
  let over = false;
  /** Within an overlong line whose end has not come yet. */
  let skipping = false;
  /** The next quote at or after `position`; looked up once, not once a line. */
  let quoteAt = -1;
  const nextQuote = (): number => {
    if (quoteAt < position) {
      quoteAt = text.indexOf(QUOTE, position);
      if (quoteAt < 0) quoteAt = Number.POSITIVE_INFINITY;
    }
    return quoteAt;
  };

  const tooLong = (): CsvRecord => ({ line, problem: `longer than ${maxChars} characters` });

  const takeLine = (newline: number): string => {
    const end = newline < 0 ? text.length : newline;
    const unreturned = end > position && text.charCodeAt(end - 1) === 13 ? end - 1 : end;
    const taken = text.slice(position, unreturned);
    position = newline < 0 ? text.length : newline + 1;
    line += 1;
    return taken;
  };

  const quoted = (newline: number): CsvRecord | null => {
    const begun = line;
    const scanned = scanRecord(text, position, delimiter, over);
    if (scanned.kind === 'record') {
      for (
        let at = text.indexOf('\n', position);
        at >= 0 && at < scanned.end;
        at = text.indexOf('\n', at + 1)
      ) {
        line += 1;
      }
      if (scanned.end === text.length && text[scanned.end - 1] !== '\n') line += 1;
      position = scanned.end;
      return { line: begun, cells: scanned.cells };
    }
    if (scanned.kind === 'incomplete' && !over && text.length - position <= maxChars) return null;
    takeLine(newline);
    return { line: begun, problem: scanned.kind === 'bad' ? scanned.problem : 'a quote is not closed' };
  };

  const next = (): CsvRecord | null => {
    for (;;) {
      if (position >= text.length) return null;
      const newline = text.indexOf('\n', position);
      if (skipping) {
        takeLine(newline);
        if (newline < 0) {
          line -= 1;
          return null;
        }
        skipping = false;
        continue;
      }
      const length = (newline < 0 ? text.length : newline) - position;
      if (newline < 0 && !over && length <= maxChars) return null;
      if (length > maxChars) {
        const problem = tooLong();
        takeLine(newline);
        if (newline < 0) {
          skipping = true;
          line -= 1;
        }
        return problem;
      }
      if (nextQuote() < position + length) return quoted(newline);
      const begun = line;
      const taken = takeLine(newline);
      if (taken.length > 0 && (taken.charCodeAt(0) > 32 || taken.trim() !== ''))
        return { line: begun, cells: taken.split(delimiter) };
    }
  };

  return {
    push: (more) => {
      text = position === text.length ? more : text.slice(position) + more;
      position = 0;
      quoteAt = -1;
    },
    end: () => {
      over = true;
    },
    next,
    ended: () => over && position >= text.length,
    isEmpty: () => !skipping && position >= text.length,
    passLines: (count) => {
      line += count;
    },
    line: () => line,
  };
}

type Scanned =
  | { readonly kind: 'record'; readonly cells: readonly string[]; readonly end: number }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'bad'; readonly problem: string };

/** Reads one record with quoted cells from `from`; `end` is the position after its line break. */
function scanRecord(text: string, from: number, delimiter: string, over: boolean): Scanned {
  const cells: string[] = [];
  let at = from;
  for (;;) {
    if (text[at] === QUOTE) {
      const cell = scanQuoted(text, at);
      if (cell === null) return { kind: 'incomplete' };
      cells.push(cell.value);
      at = cell.end;
    } else {
      const begun = at;
      while (at < text.length && text[at] !== delimiter && text[at] !== '\n') at += 1;
      if (at === text.length && !over) return { kind: 'incomplete' };
      const end = text[at - 1] === '\r' && at > begun ? at - 1 : at;
      cells.push(text.slice(begun, end));
    }
    if (at >= text.length) return over ? { kind: 'record', cells, end: at } : { kind: 'incomplete' };
    if (text[at] === delimiter) at += 1;
    else if (text[at] === '\n') return { kind: 'record', cells, end: at + 1 };
    else if (text[at] === '\r' && text[at + 1] === '\n') return { kind: 'record', cells, end: at + 2 };
    else if (text[at] === '\r' && at + 1 === text.length) {
      return over ? { kind: 'record', cells, end: at + 1 } : { kind: 'incomplete' };
    } else return { kind: 'bad', problem: 'text after a closing quote' };
  }
}

/** Reads a quoted cell whose opening quote stands at `from`; null when its closing quote has not come. */
function scanQuoted(text: string, from: number): { readonly value: string; readonly end: number } | null {
  let value = '';
  let at = from + 1;
  for (;;) {
    const quote = text.indexOf(QUOTE, at);
    if (quote < 0) return null;
    value += text.slice(at, quote);
    if (text[quote + 1] !== QUOTE) return { value, end: quote + 1 };
    value += QUOTE;
    at = quote + 2;
  }
}
