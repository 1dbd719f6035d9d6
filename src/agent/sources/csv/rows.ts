/** Reads the rows of a CSV file from its bytes as they arrive: header first, then times and values. */
import type { Series } from '../../../protocol/sample.ts';
import type { BlockBuilder } from './block-builder.ts';
import { createByteFeed } from './byte-feed.ts';
import { parseNumber, parseTime, type TimeForm, timeFormOf } from './cells.ts';
import { CsvError, type CsvHeader, detectDelimiter, readHeader } from './header.ts';
import { createPlainRows, isQuickDelimiter, type ReadPlainRows } from './plain-rows.ts';
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
  /** Only after `next` or `fill` found nothing left; the bytes must not change until they do again. */
  readonly push: (bytes: Buffer) => void;
  readonly end: () => void;
  /**
   * The next row; null when more text is needed or none is left. Throws CsvError when the file cannot be replayed at
   * all.
   */
  readonly next: () => CsvRow | null;
  /**
   * The same for as many rows as the builder has place for, good ones into it: far cheaper a row. Returns the bad row
   * that ends it; null when it is full, more text is needed or none is left.
   */
  readonly fill: (into: BlockBuilder) => Extract<CsvRow, { kind: 'bad' }> | null;
  readonly ended: () => boolean;
  /** Known before the first row is given; null until then. */
  readonly shape: () => CsvShape | null;
};

/** Rows looked at to tell columns of numbers from columns of text. */
const ROWS_TO_JUDGE = 20;

type Good = { readonly line: number; readonly cells: readonly string[] };
type State =
  | { kind: 'header' }
  | {
      kind: 'judging';
      delimiter: string;
      splitter: RecordSplitter;
      header: CsvHeader;
      rows: CsvRecord[];
    }
  | {
      kind: 'rows';
      delimiter: string;
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
  /** The splitter knows that no more text comes. */
  let toldOver = false;
  let timeForm: TimeForm | null = null;
  let readPlainRows: ReadPlainRows | null = null;
  const feed = createByteFeed();
  const judged: CsvRecord[] = [];

  /** The next record, from as little text as it needs: what lies behind it may be read as bytes. */
  const nextRecord = (splitter: RecordSplitter): CsvRecord | null => {
    for (;;) {
      const record = splitter.next();
      if (record !== null) return record;
      const text = feed.takeLine();
      if (text !== null) splitter.push(text);
      else if (over && !toldOver) {
        toldOver = true;
        splitter.push(feed.takeRest());
        splitter.end();
      } else return null;
    }
  };

  /** Waits for the first whole line that is not blank, to learn the delimiter from it. */
  const open = (): State | null => {
    let line: string | null = null;
    do {
      head = `${head}${feed.takeSome()}`.replace(/^\uFEFF/, '');
      line = /^\s*([^\n]*)\n/.exec(head)?.[1] ?? null;
    } while (line === null && feed.at < feed.bytes().length);
    if (over) line ??= head;
    if (line === null) {
      if (head.length > MAX_RECORD_CHARS) throw new CsvError('the first line is too long to be a header');
      return null;
    }
    if (line.trim() === '') throw new CsvError('the file is empty: it has not even a header');
    const delimiter = options.delimiter ?? detectDelimiter(line);
    const splitter = createRecordSplitter(delimiter);
    splitter.push(head);
    head = '';
    const record = nextRecord(splitter);
    if (record === null) throw new CsvError('the header is not complete: a quote is not closed');
    if ('problem' in record) throw new CsvError(`the header cannot be read: ${record.problem}`);
    const header = readHeader(record.cells, options.time);
    return { kind: 'judging', delimiter, splitter, header, rows: [] };
  };

  const judge = (from: Extract<State, { kind: 'judging' }>): State | null => {
    while (from.rows.length < ROWS_TO_JUDGE) {
      const record = nextRecord(from.splitter);
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
    const { delimiter, splitter } = from;
    return { kind: 'rows', delimiter, splitter, header, indices: kept.map(({ index }) => index), shape };
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

  const next = (): CsvRow | null => {
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
    const record = judged.pop() ?? nextRecord(state.splitter);
    return record === null ? null : read(record, state);
  };

  const fillPlain = (into: BlockBuilder): void => {
    if (state.kind !== 'rows' || judged.length > 0 || timeForm === null) return;
    const { splitter, delimiter, header, indices } = state;
    if (!isQuickDelimiter(delimiter) || !splitter.isEmpty() || !feed.isLineStart()) return;
    readPlainRows ??= createPlainRows({ delimiter, header, indices, timeForm, maxBytes: MAX_RECORD_CHARS });
    const before = into.count;
    feed.at = readPlainRows(feed.bytes(), feed.at, feed.lastLineEnd(), into);
    splitter.passLines(into.count - before);
  };

  return {
    push: feed.push,
    end: () => {
      over = true;
    },
    next,
    fill: (into) => {
      for (;;) {
        fillPlain(into);
        if (into.count >= into.capacity) return null;
        const row = next();
        if (row === null || row.kind === 'bad') return row;
        into.add(row.ts, row.values);
      }
    },
    ended: () => state.kind === 'rows' && judged.length === 0 && state.splitter.ended(),
    shape: () => (state.kind === 'rows' ? state.shape : null),
  };
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
