/** Finds the header in the first lines of a file, behind titles and what else programs put before it. */
import { CsvError } from './csv-error.ts';
import { detectDelimiter, headerLikeness, type TimeColumns } from './header.ts';
import { createRecordSplitter, MAX_RECORD_CHARS } from './records.ts';

export type HeadOptions = TimeColumns & {
  readonly delimiter?: string | undefined;
  /** Lines before the header; undefined: found out. */
  readonly skip?: number | undefined;
};

export type Head = {
  /** Lines of the file before the header. */
  readonly lines: number;
  /** Text from the header on. */
  readonly text: string;
  readonly delimiter: string;
};

/** Lines in which a header is looked for. */
const MAX_LINES = 30;
const MAX_SKIPPED_CHARS = 4 * 1024 * 1024;

/**
 * Null: more text is needed. `isAll`: no more comes, or not before something is to be done with what there is. Throws
 * CsvError when there is none, which is when `isAll` or the text is long.
 */
export function findHead(text: string, isAll: boolean, options: HeadOptions): Head | null {
  const { skip } = options;
  if (skip !== undefined && skip > 0) return skipLines(text, isAll, options, skip);
  const lines = linesOf(text, isAll, MAX_LINES);
  const isEnough = isAll || lines.length === MAX_LINES || text.length > MAX_RECORD_CHARS;
  const filled = lines.filter(({ line }) => line.trim() !== '');
  const likeness = filled.map(({ line }) => likenessOf(line, options));
  // A line that is no row and names a time column needs nobody to compare it with.
  const best = likeness.includes(3) ? 3 : Math.max(0, ...likeness);
  if (best < 3 && !isEnough) return null;
  const found = filled[best === 0 ? 0 : likeness.indexOf(best as 1 | 2 | 3)];
  if (found === undefined) return nothingIn(text, isAll);
  return headAt(text, found, options);
}

type Line = { readonly number: number; readonly from: number; readonly line: string };

function headAt(text: string, { number, from, line }: Line, { delimiter }: HeadOptions): Head {
  return { lines: number, text: text.slice(from), delimiter: delimiter ?? detectDelimiter(line) };
}

function likenessOf(line: string, options: HeadOptions): 0 | 1 | 2 | 3 {
  const splitter = createRecordSplitter(options.delimiter ?? detectDelimiter(line));
  splitter.push(line);
  splitter.end();
  const record = splitter.next();
  return record !== null && 'cells' in record && record.cells.length > 1
    ? headerLikeness(record.cells, options)
    : 0;
}

function skipLines(text: string, isAll: boolean, options: HeadOptions, skip: number): Head | null {
  const lines = linesOf(text, isAll, Number.POSITIVE_INFINITY);
  const found = lines.find(({ number, line }) => number >= skip && line.trim() !== '');
  if (found !== undefined) return headAt(text, found, options);
  if (!isAll && text.length <= MAX_SKIPPED_CHARS) return null;
  throw new CsvError(`the file has no header behind the first ${skip} lines (skip)`);
}

/** Whole ones; the last one too when all text has come. */
function linesOf(text: string, isAll: boolean, most: number): Line[] {
  const lines: Line[] = [];
  let from = 0;
  while (lines.length < most) {
    const newline = text.indexOf('\n', from);
    if (newline < 0 && (!isAll || from >= text.length)) break;
    const end = newline < 0 ? text.length : newline;
    lines.push({ number: lines.length, from, line: text.slice(from, end) });
    from = end + 1;
  }
  return lines;
}

function nothingIn(text: string, isAll: boolean): null {
  if (text.length > MAX_RECORD_CHARS) throw new CsvError('the first line is too long to be a header');
  if (isAll) throw new CsvError('the file is empty: it has not even a header');
  return null;
}
