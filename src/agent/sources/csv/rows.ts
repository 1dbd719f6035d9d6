/** Reads the rows of a CSV file from its bytes as they arrive: header first, then times and values. */
import type { BlockBuilder } from './block-builder.ts';
import { createByteFeed } from './byte-feed.ts';
import { numberAdvice, parseNumber } from './cells.ts';
import { CsvError } from './csv-error.ts';
import { type CsvColumn, type CsvHeader, readHeader } from './header.ts';
import { createPlainRows, isQuickDelimiter, type ReadPlainRows } from './plain-rows.ts';
import type { CsvPlace, CsvReader, CsvReaderOptions, CsvRow, CsvShape } from './reader.ts';
import {
  createRecordFeed,
  fits,
  gatherToJudge,
  nextRecord,
  openRecords,
  placeOf,
  type RecordFeed,
  seekRecords,
} from './record-feed.ts';
import { type CsvRecord, MAX_RECORD_CHARS, type RecordSplitter } from './records.ts';
import { hasSplitTimes, noTime, shorten, timeIn, timesOf } from './row-times.ts';
import type { Times } from './times/times.ts';
import { createUnreadableCells, type UnreadableCells } from './unreadable.ts';

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

export function createCsvReader(options: CsvReaderOptions): CsvReader {
  const reading: Reading = {
    ...createRecordFeed(createByteFeed(), options),
    options,
    judged: [],
    state: { kind: 'header' },
    readPlainRows: null,
    unreadable: createUnreadableCells(),
  };
  const next = () => nextRow(reading);
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
    next,
    one: next,
    fill: (into) => fill(reading, into),
    idle: () => false,
    ended: () => {
      const { state, judged } = reading;
      return state.kind === 'rows' && judged.length === 0 && state.splitter.ended();
    },
    shape: () => (reading.state.kind === 'rows' ? reading.state.shape : null),
    place: () => {
      const { state, judged } = reading;
      return state.kind !== 'rows' || judged.length > 0 ? null : placeOf(reading, state.splitter);
    },
    seek: (place) => seek(reading, place),
    unreadable: reading.unreadable,
  };
}

function seek(reading: Reading, place: CsvPlace): void {
  const { state } = reading;
  if (state.kind !== 'rows') throw new Error('the header has not been read');
  state.splitter = seekRecords(reading, place, state.delimiter);
  reading.judged.length = 0;
}

/** How far one reader is. */
type Reading = RecordFeed & {
  readonly options: CsvReaderOptions;
  readonly unreadable: UnreadableCells;
  /** Records that the columns were judged by, last first. */
  readonly judged: CsvRecord[];
  state: State;
  readPlainRows: ReadPlainRows | null;
};

function open(reading: Reading): State | null {
  const opened = openRecords(reading);
  if (opened === null) return null;
  const { cells, ...rest } = opened;
  return { kind: 'judging', ...rest, header: readHeader(cells, reading.options), rows: [] };
}

function judge(reading: Reading, from: Extract<State, { kind: 'judging' }>): State | null {
  const { delimiter, splitter, header } = from;
  if (!gatherToJudge(reading, splitter, from.rows)) return null;
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
    reading.options.times,
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
  if (texts.some(({ series }) => series.name.toLowerCase() === 'metric_name'))
    return '; layout=long reads a file of one value a row';
  for (const { index } of texts) {
    for (const { cells } of rows) {
      const advice = numberAdvice(cells[index] ?? '');
      if (advice !== '') return advice;
    }
  }
  return '';
}

/** The header with its column of dates, where the times need one. */
function withDates(header: CsvHeader, rows: readonly Good[], { date, times }: CsvReaderOptions): CsvHeader {
  const { dateIndex, columns } = header;
  if (dateIndex === null) return header;
  return hasSplitTimes(header, rows, { named: date !== undefined, times })
    ? { ...header, columns: columns.filter(({ index }) => index !== dateIndex) }
    : { ...header, dateIndex: null };
}

function readRow(reading: Reading, record: CsvRecord, from: Extract<State, { kind: 'rows' }>): CsvRow {
  const { line } = record;
  const bad = (reason: string): CsvRow => ({ kind: 'bad', line, reason });
  if ('problem' in record) return bad(record.problem);
  const { cells } = record;
  const { header, indices, shape } = from;
  if (!fits(cells, header)) return bad(`has ${cells.length} cells, the header has ${header.width}`);
  const time = timeIn(cells, header);
  from.times ??= timesOf(reading.options.times, header, [time]);
  const ts = from.times?.ofText(time) ?? null;
  if (ts === null) return bad(noTime(time, header));
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
