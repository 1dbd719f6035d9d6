/** Reads the rows of a CSV file from its bytes as they arrive: header first, then times and values. */
import type { Series } from '../../../protocol/sample.ts';
import type { BlockBuilder } from './block-builder.ts';
import { type ByteFeed, createByteFeed } from './byte-feed.ts';
import { type NumberStyle, numberAdvice, parseNumber } from './cells.ts';
import { CsvError } from './csv-error.ts';
import { findHead, type Head, type HeadOptions } from './head.ts';
import { type CsvColumn, type CsvHeader, readHeader } from './header.ts';
import { createPlainRows, isQuickDelimiter, type ReadPlainRows } from './plain-rows.ts';
import { type CsvRecord, createRecordSplitter, MAX_RECORD_CHARS, type RecordSplitter } from './records.ts';
import { isTimeOfDay } from './times/time-text.ts';
import {
  findTimes,
  isPartOfDay,
  namedTimes,
  type TimeOptions,
  type Times,
  unitInName,
} from './times/times.ts';
import { createUnreadableCells, type UnreadableCells } from './unreadable.ts';

export type CsvRow =
  | {
      readonly kind: 'row';
      readonly line: number;
      readonly ts: number;
      /** null: missing, or not to be read. */
      readonly values: readonly (number | null)[];
    }
  | { readonly kind: 'bad'; readonly line: number; readonly reason: string };

export type CsvShape = {
  readonly timeColumn: string;
  readonly series: readonly Series[];
  /** Columns of text, which are no series. */
  readonly ignored: readonly string[];
  /** What may read those, to be added to a message. */
  readonly advice: string;
};

/** A place between two rows. */
export type CsvPlace = {
  /** Bytes of the file before it. */
  readonly offset: number;
  /** Of the row behind it, from 1. */
  readonly line: number;
  /** The last bytes before it. */
  readonly tail: Buffer;
};

export type CsvReader = {
  /** Only after `next` or `fill` found nothing left; the bytes must not change until they do again. */
  readonly push: (bytes: Buffer) => void;
  readonly end: () => void;
  /** No more bytes come for now: those that have come have to do for telling what the columns hold. */
  readonly settle: () => void;
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
  /** Where the next row begins; null where that cannot be told, as in the midst of a line. */
  readonly place: () => CsvPlace | null;
  /** Goes on at such a place, once the shape is known: the next bytes that are pushed are those from there on. */
  readonly seek: (place: CsvPlace) => void;
  readonly unreadable: Pick<UnreadableCells, 'take'>;
};

/** Rows looked at to tell columns of numbers from columns of text, and further ones that have come with them. */
const ROWS_TO_JUDGE = 20;
const MOST_ROWS_TO_JUDGE = 500;

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
      /** Null: no time was among the first rows. */
      times: Times | null;
    };

export type CsvReaderOptions = HeadOptions & {
  readonly times: TimeOptions;
  readonly numbers: NumberStyle;
};

export function createCsvReader(options: CsvReaderOptions): CsvReader {
  const reading: Reading = {
    options,
    feed: createByteFeed(),
    judged: [],
    state: { kind: 'header' },
    head: '',
    settled: false,
    over: false,
    toldOver: false,
    readPlainRows: null,
    unreadable: createUnreadableCells(),
  };
  return {
    push: (bytes) => {
      reading.settled = false;
      reading.feed.push(bytes);
    },
    end: () => {
      reading.over = true;
    },
    settle: () => {
      reading.settled = true;
    },
    next: () => nextRow(reading),
    fill: (into) => fill(reading, into),
    ended: () => {
      const { state, judged } = reading;
      return state.kind === 'rows' && judged.length === 0 && state.splitter.ended();
    },
    shape: () => (reading.state.kind === 'rows' ? reading.state.shape : null),
    place: () => placeOf(reading),
    seek: (place) => seek(reading, place),
    unreadable: reading.unreadable,
  };
}

function placeOf({ state, judged, feed }: Reading): CsvPlace | null {
  if (state.kind !== 'rows' || judged.length > 0 || !state.splitter.isEmpty() || !feed.isLineStart())
    return null;
  return { offset: feed.offset(), line: state.splitter.line(), tail: feed.tail() };
}

function seek(reading: Reading, { offset, line, tail }: CsvPlace): void {
  const { state, feed } = reading;
  if (state.kind !== 'rows') throw new Error('the header has not been read');
  state.splitter = createRecordSplitter(state.delimiter);
  state.splitter.passLines(line - 1);
  reading.judged.length = 0;
  reading.over = false;
  reading.toldOver = false;
  feed.seek(offset, tail);
}

/** How far one reader is. */
type Reading = {
  readonly options: CsvReaderOptions;
  readonly feed: ByteFeed;
  readonly unreadable: UnreadableCells;
  /** Records that the columns were judged by, last first. */
  readonly judged: CsvRecord[];
  state: State;
  head: string;
  /** No more bytes come for now. */
  settled: boolean;
  /** No more bytes come. */
  over: boolean;
  /** The splitter knows that no more text comes. */
  toldOver: boolean;
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

/** Waits for as much text as it takes to find the header. */
function open(reading: Reading): State | null {
  const head = takeHead(reading);
  if (head === null) return null;
  const splitter = createRecordSplitter(head.delimiter);
  splitter.passLines(head.lines);
  splitter.push(head.text);
  reading.head = '';
  const record = nextRecord(reading, splitter);
  if (record === null) throw new CsvError('the header is not complete: a quote is not closed');
  if ('problem' in record) throw new CsvError(`the header cannot be read: ${record.problem}`);
  const header = readHeader(record.cells, reading.options);
  return { kind: 'judging', delimiter: head.delimiter, splitter, header, rows: [] };
}

function takeHead(reading: Reading): Head | null {
  const { feed, options } = reading;
  for (;;) {
    reading.head = `${reading.head}${feed.takeSome()}`.replace(/^\uFEFF/, '');
    const isTaken = feed.at >= feed.bytes().length;
    const hasText = reading.head.trim() !== '';
    const isAll = isTaken && (reading.over || (reading.settled && hasText));
    const found = findHead(reading.head, isAll, options);
    if (found !== null || isTaken) return found;
  }
}

function judge(reading: Reading, from: Extract<State, { kind: 'judging' }>): State | null {
  const { delimiter, splitter, header } = from;
  while (from.rows.length < MOST_ROWS_TO_JUDGE) {
    const record = nextRecord(reading, splitter);
    if (record === null) {
      if (from.rows.length >= ROWS_TO_JUDGE) break;
      if (!splitter.ended() && !(reading.settled && from.rows.length > 0)) return null;
      break;
    }
    from.rows.push(record);
  }
  const sound = from.rows.filter((one): one is Good => 'cells' in one && fits(one.cells, header));
  const timed = withDates(header, sound, reading.options);
  const kept = timed.columns.filter(({ index }) => {
    const values = sound.map(({ cells }) => parseNumber(cells[index] ?? '', reading.options.numbers));
    return values.every((value) => value !== undefined) || values.some((value) => typeof value === 'number');
  });
  const texts = timed.columns.filter((column) => !kept.includes(column));
  const advice = adviceFor(sound, texts);
  if (kept.length === 0) throw new CsvError(`the file has no column of numbers${advice}`);
  const ignored = texts.map(({ series }) => series.name);
  const times = timesOf(
    reading,
    timed,
    sound.map(({ cells }) => timeIn(cells, timed)),
  );
  reading.judged.push(...from.rows);
  reading.judged.reverse();
  const shape = { timeColumn: timed.timeColumn, series: kept.map(({ series }) => series), ignored, advice };
  const indices = kept.map(({ index }) => index);
  return { kind: 'rows', delimiter, splitter, header: timed, indices, shape, times };
}

function adviceFor(rows: readonly Good[], texts: readonly CsvColumn[]): string {
  for (const { index } of texts) {
    for (const { cells } of rows) {
      const advice = numberAdvice(cells[index] ?? '');
      if (advice !== '') return advice;
    }
  }
  return '';
}

/** Programs end rows with a delimiter, and the header not. */
function fits(cells: readonly string[], { width }: CsvHeader): boolean {
  return cells.length === width || (cells.length === width + 1 && cells[width]?.trim() === '');
}

/** The header with its column of dates, where the times need one. */
function withDates(header: CsvHeader, rows: readonly Good[], { date, times }: CsvReaderOptions): CsvHeader {
  const { dateIndex, timeIndex, columns } = header;
  if (dateIndex === null) return header;
  const isSplit =
    date !== undefined ||
    rows.some(({ cells }) => {
      const time = (cells[timeIndex] ?? '').trim();
      return isTimeOfDay(time) || isPartOfDay(time, times);
    });
  return isSplit
    ? { ...header, columns: columns.filter(({ index }) => index !== dateIndex) }
    : { ...header, dateIndex: null };
}

function timeIn(cells: readonly string[], { timeIndex, dateIndex }: CsvHeader): string {
  const time = cells[timeIndex] ?? '';
  return dateIndex === null ? time : `${(cells[dateIndex] ?? '').trim()} ${time.trim()}`;
}

function timesOf({ options }: Reading, header: CsvHeader, cells: readonly string[]): Times | null {
  return namedTimes(options.times) ?? findTimes(cells, unitInName(header.timeColumn), options.times);
}

function readRow(reading: Reading, record: CsvRecord, from: Extract<State, { kind: 'rows' }>): CsvRow {
  const { line } = record;
  const bad = (reason: string): CsvRow => ({ kind: 'bad', line, reason });
  if ('problem' in record) return bad(record.problem);
  const { cells } = record;
  const { header, indices, shape } = from;
  if (!fits(cells, header)) return bad(`has ${cells.length} cells, the header has ${header.width}`);
  const time = timeIn(cells, header);
  from.times ??= timesOf(reading, header, [time]);
  const ts = from.times?.ofText(time) ?? null;
  if (ts === null) return bad(`\`${shorten(time)}\` in column \`${header.timeColumn}\` is no time`);
  const values = new Array<number | null>(indices.length);
  for (let column = 0; column < indices.length; column += 1) {
    const cell = cells[indices[column] ?? 0] ?? '';
    const value = parseNumber(cell, reading.options.numbers);
    if (value === undefined) reading.unreadable.add(line, shape.series[column]?.name ?? '', shorten(cell));
    values[column] = value ?? null;
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
  const { state, judged, feed, options } = reading;
  if (state.kind !== 'rows' || judged.length > 0) return;
  const { splitter, delimiter, header, indices, times } = state;
  if (times === null || header.dateIndex !== null || !isQuickDelimiter(delimiter)) return;
  if (!splitter.isEmpty() || !feed.isLineStart()) return;
  const { numbers } = options;
  reading.readPlainRows ??= createPlainRows({
    delimiter,
    header,
    indices,
    times,
    numbers,
    maxBytes: MAX_RECORD_CHARS,
  });
  const before = into.count;
  feed.at = reading.readPlainRows(feed.bytes(), feed.at, feed.lastLineEnd(), into);
  splitter.passLines(into.count - before);
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
