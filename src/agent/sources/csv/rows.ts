/** Reads the rows of a CSV file from its text as it arrives: header first, then times and values. */
import type { Series } from '../../../protocol/sample.ts';
import { parseNumber, parseTime, type TimeForm, timeFormOf } from './cells.ts';
import { CsvError, type CsvHeader, detectDelimiter, readHeader } from './header.ts';
import { type CsvRecord, createRecordSplitter, MAX_RECORD_CHARS, type RecordSplitter } from './records.ts';

export type CsvRow =
  | {
      readonly kind: 'row';
      readonly line: number;
      readonly ts: number;
      readonly values: readonly (number | null)[];
    }
  | { readonly kind: 'bad'; readonly line: number; readonly reason: string };

export type CsvShape = {
  readonly timeColumn: string;
  readonly series: readonly Series[];
  /** Columns of text, which are no series. */
  readonly ignored: readonly string[];
};

export type CsvReader = {
  readonly push: (text: string) => void;
  readonly end: () => void;
  /** The next row; null when more text is needed or none is left. Throws CsvError when the file cannot be replayed at all. */
  readonly next: () => CsvRow | null;
  readonly ended: () => boolean;
  /** Known before the first row is given; null until then. */
  readonly shape: () => CsvShape | null;
};

/** Rows looked at to tell columns of numbers from columns of text. */
const ROWS_TO_JUDGE = 20;

type Good = { readonly line: number; readonly cells: readonly string[] };
type State =
  | { kind: 'header' }
  | { kind: 'judging'; splitter: RecordSplitter; header: CsvHeader; rows: CsvRecord[] }
  | {
      kind: 'rows';
      splitter: RecordSplitter;
      header: CsvHeader;
      indices: readonly number[];
      shape: CsvShape;
    };

export function createCsvReader(options: {
  readonly time?: string | undefined;
  readonly delimiter?: string | undefined;
}): CsvReader {
  let state: State = { kind: 'header' };
  let head = '';
  let over = false;
  let timeForm: TimeForm | null = null;
  const judged: CsvRecord[] = [];

  /** Waits for the first whole line that is not blank, to learn the delimiter from it. */
  const open = (): State | null => {
    head = head.replace(/^\uFEFF/, '');
    const line = /^\s*([^\n]*)\n/.exec(head)?.[1] ?? (over ? head : null);
    if (line === null) {
      if (head.length > MAX_RECORD_CHARS) throw new CsvError('the first line is too long to be a header');
      return null;
    }
    if (line.trim() === '') throw new CsvError('the file is empty: it has not even a header');
    const splitter = createRecordSplitter(options.delimiter ?? detectDelimiter(line));
    splitter.push(head);
    if (over) splitter.end();
    head = '';
    const record = splitter.next();
    if (record === null) throw new CsvError('the header is not complete: a quote is not closed');
    if ('problem' in record) throw new CsvError(`the header cannot be read: ${record.problem}`);
    return { kind: 'judging', splitter, header: readHeader(record.cells, options.time), rows: [] };
  };

  const judge = (from: Extract<State, { kind: 'judging' }>): State | null => {
    while (from.rows.length < ROWS_TO_JUDGE) {
      const record = from.splitter.next();
      if (record === null) {
        if (!from.splitter.ended()) return null;
        break;
      }
      from.rows.push(record);
    }
    const { header } = from;
    const sound = from.rows.filter((one): one is Good => 'cells' in one && one.cells.length === header.width);
    const kept = header.columns.filter(({ index }) => {
      const values = sound.map(({ cells }) => parseNumber(cells[index] ?? ''));
      return (
        values.every((value) => value !== undefined) || values.some((value) => typeof value === 'number')
      );
    });
    if (kept.length === 0) throw new CsvError('the file has no column of numbers');
    const ignored = header.columns
      .filter((column) => !kept.includes(column))
      .map(({ series }) => series.name);
    judged.push(...from.rows);
    judged.reverse();
    const shape = { timeColumn: header.timeColumn, series: kept.map(({ series }) => series), ignored };
    return { kind: 'rows', splitter: from.splitter, header, indices: kept.map(({ index }) => index), shape };
  };

  const read = (record: CsvRecord, from: Extract<State, { kind: 'rows' }>): CsvRow => {
    const { line } = record;
    const bad = (reason: string): CsvRow => ({ kind: 'bad', line, reason });
    if ('problem' in record) return bad(record.problem);
    const { cells } = record;
    const { header, indices } = from;
    if (cells.length !== header.width)
      return bad(`has ${cells.length} cells, the header has ${header.width}`);
    const time = cells[header.timeIndex] ?? '';
    timeForm ??= timeFormOf(time);
    const ts = timeForm === null ? null : parseTime(time, timeForm);
    if (ts === null) return bad(`\`${shorten(time)}\` in column \`${header.timeColumn}\` is no time`);
    const values = new Array<number | null>(indices.length);
    for (let column = 0; column < indices.length; column += 1) {
      const cell = cells[indices[column] ?? 0] ?? '';
      const value = parseNumber(cell);
      if (value === undefined)
        return bad(`\`${shorten(cell)}\` in column ${(indices[column] ?? 0) + 1} is no number`);
      values[column] = value;
    }
    return { kind: 'row', line, ts, values };
  };

  return {
    push: (text) => {
      if (state.kind === 'header') head += text;
      else state.splitter.push(text);
    },
    end: () => {
      over = true;
      if (state.kind !== 'header') state.splitter.end();
    },
    next: () => {
      if (state.kind === 'header') {
        const opened = open();
        if (opened === null) return null;
        state = opened;
      }
      if (state.kind === 'judging') {
        const ready = judge(state);
        if (ready === null) return null;
        state = ready;
      }
      if (state.kind !== 'rows') return null;
      const record = judged.pop() ?? state.splitter.next();
      return record === null ? null : read(record, state);
    },
    ended: () => state.kind === 'rows' && judged.length === 0 && state.splitter.ended(),
    shape: () => (state.kind === 'rows' ? state.shape : null),
  };
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
