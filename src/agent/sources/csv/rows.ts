/** Reads the rows of a CSV file from its bytes as they arrive: header first, then times and values. */
import type { Series } from '../../../protocol/sample.ts';
import type { BlockBuilder } from './block-builder.ts';
import { type ByteFeed, createByteFeed } from './byte-feed.ts';
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

type CsvReaderOptions = {
  readonly time?: string | undefined;
  readonly delimiter?: string | undefined;
};

export function createCsvReader(options: CsvReaderOptions): CsvReader {
  const reading: Reading = {
    options,
    feed: createByteFeed(),
    judged: [],
    state: { kind: 'header' },
    head: '',
    over: false,
    toldOver: false,
    timeForm: null,
    readPlainRows: null,
  };
  return {
    push: reading.feed.push,
    end: () => {
      reading.over = true;
    },
    next: () => nextRow(reading),
    fill: (into) => fill(reading, into),
    ended: () => {
      const { state, judged } = reading;
      return state.kind === 'rows' && judged.length === 0 && state.splitter.ended();
    },
    shape: () => (reading.state.kind === 'rows' ? reading.state.shape : null),
  };
}

/** How far one reader is. */
type Reading = {
  readonly options: CsvReaderOptions;
  readonly feed: ByteFeed;
  /** Records that the columns were judged by, last first. */
  readonly judged: CsvRecord[];
  state: State;
  head: string;
  /** No more bytes come. */
  over: boolean;
  /** The splitter knows that no more text comes. */
  toldOver: boolean;
  timeForm: TimeForm | null;
  readPlainRows: ReadPlainRows | null;
};

/** The next record, from as little text as it needs: what lies behind it may be read as bytes. */
function nextRecord(reading: Reading, splitter: RecordSplitter): CsvRecord | null {
  const { feed } = reading;
  for (;;) {
    const record = splitter.next();
    if (record !== null) return record;
    const text = feed.takeLine();
    if (text !== null) splitter.push(text);
    else if (reading.over && !reading.toldOver) {
      reading.toldOver = true;
      splitter.push(feed.takeRest());
      splitter.end();
    } else return null;
  }
}

/** Waits for the first whole line that is not blank, to learn the delimiter from it. */
function open(reading: Reading): State | null {
  const line = firstLine(reading);
  if (line === null) {
    if (reading.head.length > MAX_RECORD_CHARS)
      throw new CsvError('the first line is too long to be a header');
    return null;
  }
  if (line.trim() === '') throw new CsvError('the file is empty: it has not even a header');
  const delimiter = reading.options.delimiter ?? detectDelimiter(line);
  const splitter = createRecordSplitter(delimiter);
  splitter.push(reading.head);
  reading.head = '';
  const record = nextRecord(reading, splitter);
  if (record === null) throw new CsvError('the header is not complete: a quote is not closed');
  if ('problem' in record) throw new CsvError(`the header cannot be read: ${record.problem}`);
  const header = readHeader(record.cells, reading.options.time);
  return { kind: 'judging', delimiter, splitter, header, rows: [] };
}

function firstLine(reading: Reading): string | null {
  const { feed } = reading;
  let line: string | null = null;
  do {
    reading.head = `${reading.head}${feed.takeSome()}`.replace(/^\uFEFF/, '');
    line = /^\s*([^\n]*)\n/.exec(reading.head)?.[1] ?? null;
  } while (line === null && feed.at < feed.bytes().length);
  return reading.over ? (line ?? reading.head) : line;
}

function judge(reading: Reading, from: Extract<State, { kind: 'judging' }>): State | null {
  const { delimiter, splitter, header } = from;
  while (from.rows.length < ROWS_TO_JUDGE) {
    const record = nextRecord(reading, splitter);
    if (record === null) {
      if (!splitter.ended()) return null;
      break;
    }
    from.rows.push(record);
  }
  const sound = from.rows.filter((one): one is Good => 'cells' in one && one.cells.length === header.width);
  const kept = header.columns.filter(({ index }) => {
    const values = sound.map(({ cells }) => parseNumber(cells[index] ?? ''));
    return values.every((value) => value !== undefined) || values.some((value) => typeof value === 'number');
  });
  if (kept.length === 0) throw new CsvError('the file has no column of numbers');
  const ignored = header.columns.filter((column) => !kept.includes(column)).map(({ series }) => series.name);
  reading.judged.push(...from.rows);
  reading.judged.reverse();
  const shape = { timeColumn: header.timeColumn, series: kept.map(({ series }) => series), ignored };
  return { kind: 'rows', delimiter, splitter, header, indices: kept.map(({ index }) => index), shape };
}

function readRow(reading: Reading, record: CsvRecord, from: Extract<State, { kind: 'rows' }>): CsvRow {
  const { line } = record;
  const bad = (reason: string): CsvRow => ({ kind: 'bad', line, reason });
  if ('problem' in record) return bad(record.problem);
  const { cells } = record;
  const { header, indices } = from;
  if (cells.length !== header.width) return bad(`has ${cells.length} cells, the header has ${header.width}`);
  const time = cells[header.timeIndex] ?? '';
  reading.timeForm ??= timeFormOf(time);
  const ts = reading.timeForm === null ? null : parseTime(time, reading.timeForm);
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
}

function nextRow(reading: Reading): CsvRow | null {
  if (reading.state.kind === 'header') {
    const opened = open(reading);
    if (opened === null) return null;
    reading.state = opened;
  }
  if (reading.state.kind === 'judging') {
    const ready = judge(reading, reading.state);
    if (ready === null) return null;
    reading.state = ready;
  }
  const { state } = reading;
  if (state.kind !== 'rows') return null;
  const record = reading.judged.pop() ?? nextRecord(reading, state.splitter);
  return record === null ? null : readRow(reading, record, state);
}

function fill(reading: Reading, into: BlockBuilder): Extract<CsvRow, { kind: 'bad' }> | null {
  for (;;) {
    fillPlain(reading, into);
    if (into.count >= into.capacity) return null;
    const row = nextRow(reading);
    if (row === null || row.kind === 'bad') return row;
    into.add(row.ts, row.values);
  }
}

function fillPlain(reading: Reading, into: BlockBuilder): void {
  const { state, judged, timeForm, feed } = reading;
  if (state.kind !== 'rows' || judged.length > 0 || timeForm === null) return;
  const { splitter, delimiter, header, indices } = state;
  if (!isQuickDelimiter(delimiter) || !splitter.isEmpty() || !feed.isLineStart()) return;
  reading.readPlainRows ??= createPlainRows({
    delimiter,
    header,
    indices,
    timeForm,
    maxBytes: MAX_RECORD_CHARS,
  });
  const before = into.count;
  feed.at = reading.readPlainRows(feed.bytes(), feed.at, feed.lastLineEnd(), into);
  splitter.passLines(into.count - before);
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
