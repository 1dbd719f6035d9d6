/**
 * Reads a CSV file with one value a row. Rows that follow one another with one time make one sample; a second value of
 * a series begins another, so that none is lost. A sample is given once a row of the next one is there, or the file
 * ends, or nothing more comes for a while.
 *
 * The place of a replay counts rows of the file, not samples: which rows are one sample depends on when they came.
 */
import { MAX_SERIES_PER_SCHEMA } from '../../../../protocol/sample.ts';
import { createByteFeed } from '../byte-feed.ts';
import { parseNumber } from '../cells.ts';
import type { CsvPlace, CsvReader, CsvRow, CsvShape, LongReaderOptions } from '../reader.ts';
import {
  createRecordFeed,
  fits,
  gatherToJudge,
  nextRecord,
  openRecords,
  placeOf,
  type RecordFeed,
  seekRecords,
} from '../record-feed.ts';
import type { CsvRecord, RecordSplitter } from '../records.ts';
import { hasSplitTimes, noTime, shorten, timeIn, timesOf } from '../row-times.ts';
import type { Times } from '../times/times.ts';
import { createUnreadableCells, type UnreadableCells } from '../unreadable.ts';
import { type LongHeader, readLongHeader } from './long-header.ts';
import { createRowSeries, type RowSeries } from './row-series.ts';
import { createSeriesSets, type SeriesSets } from './series-set.ts';

/** One row of the file. */
type LongRow =
  | {
      readonly kind: 'row';
      readonly line: number;
      readonly ts: number;
      readonly of: RowSeries;
      readonly value: number | null;
    }
  | Extract<CsvRow, { kind: 'bad' }>;

/** Rows of one time, of which the sample is not whole yet. */
type Group = {
  readonly line: number;
  readonly ts: number;
  /** Before its first row; null where that cannot be told. */
  readonly place: CsvPlace | null;
  readonly values: Map<string, { readonly of: RowSeries; readonly value: number | null }>;
  rows: number;
};

type Judging = {
  readonly kind: 'judging';
  readonly delimiter: string;
  readonly splitter: RecordSplitter;
  readonly header: LongHeader;
  readonly rows: CsvRecord[];
};
type Rows = {
  readonly kind: 'rows';
  readonly delimiter: string;
  splitter: RecordSplitter;
  readonly header: LongHeader;
  readonly seriesOf: (cells: readonly string[]) => RowSeries | null;
  /** Null: no time was among the first rows. */
  times: Times | null;
  readonly sets: SeriesSets;
  shape: CsvShape;
  /** Records that the times were judged by, last first. */
  readonly judged: CsvRecord[];
  group: Group | null;
  /** The group is given without waiting for more. */
  isIdle: boolean;
};

type Reading = RecordFeed & {
  readonly options: LongReaderOptions;
  readonly unreadable: UnreadableCells;
  state: { readonly kind: 'header' } | Judging | Rows;
};

export function createLongReader(options: LongReaderOptions): CsvReader {
  const reading: Reading = {
    ...createRecordFeed(createByteFeed(), options),
    options,
    unreadable: createUnreadableCells(),
    state: { kind: 'header' },
  };
  const rowsNow = () => (reading.state.kind === 'rows' ? reading.state : null);
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
    next: () => {
      const rows = begun(reading);
      return rows === null ? null : nextSample(reading, rows);
    },
    one: () => {
      const rows = begun(reading);
      const row = rows === null ? null : nextRow(reading, rows);
      return row?.kind === 'row' ? { kind: 'row', line: row.line, ts: row.ts, values: [] } : row;
    },
    idle: () => {
      const rows = rowsNow();
      if (rows !== null) rows.isIdle = rows.group !== null;
      return rows?.isIdle ?? false;
    },
    ended: () => {
      const rows = rowsNow();
      return rows !== null && rows.group === null && rows.judged.length === 0 && rows.splitter.ended();
    },
    shape: () => rowsNow()?.shape ?? null,
    place: () => placeNow(reading),
    seek: (place) => seek(reading, place),
    unreadable: reading.unreadable,
  };
}

function placeNow(reading: Reading): CsvPlace | null {
  const { state } = reading;
  if (state.kind !== 'rows') return null;
  // What is taken of the next sample is read again from there.
  if (state.group !== null) return state.group.rows === 1 ? state.group.place : null;
  return state.judged.length > 0 ? null : placeOf(reading, state.splitter);
}

function seek(reading: Reading, place: CsvPlace): void {
  const { state } = reading;
  if (state.kind !== 'rows') throw new Error('the header has not been read');
  state.splitter = seekRecords(reading, place, state.delimiter);
  state.judged.length = 0;
  state.group = null;
}

/** Once the header is read and the times are judged; null: more text is needed. */
function begun(reading: Reading): Rows | null {
  if (reading.state.kind === 'header') {
    const opened = openRecords(reading);
    if (opened === null) return null;
    const { cells, ...rest } = opened;
    reading.state = { kind: 'judging', ...rest, header: readLongHeader(cells, reading.options), rows: [] };
  }
  if (reading.state.kind === 'judging') {
    const { splitter, rows } = reading.state;
    if (!gatherToJudge(reading, splitter, rows)) return null;
    reading.state = judge(reading.options, reading.state);
  }
  return reading.state;
}

function judge(options: LongReaderOptions, { delimiter, splitter, header: found, rows }: Judging): Rows {
  const sound = rows.filter((one) => 'cells' in one).filter(({ cells }) => fits(cells, found));
  const named = options.date !== undefined;
  const isSplit = found.dateIndex !== null && hasSplitTimes(found, sound, { named, times: options.times });
  const header = isSplit ? found : { ...found, dateIndex: null };
  const seriesOf = createRowSeries(header, options.labels);
  const sets = createSeriesSets(sound.flatMap(({ cells }) => seriesOf(cells) ?? []));
  const times = sound.map(({ cells }) => timeIn(cells, header));
  return {
    kind: 'rows',
    ...{ delimiter, splitter, header, seriesOf, sets },
    times: timesOf(options.times, header, times),
    shape: { timeColumn: header.timeColumn, series: sets.current().series, ignored: [], advice: '' },
    judged: [...rows].reverse(),
    group: null,
    isIdle: false,
  };
}

function nextRow(reading: Reading, rows: Rows): LongRow | null {
  const record = rows.judged.pop() ?? nextRecord(reading, rows.splitter);
  if (record === null) return null;
  const { line } = record;
  const bad = (reason: string): LongRow => ({ kind: 'bad', line, reason });
  if ('problem' in record) return bad(record.problem);
  const { cells } = record;
  const { header } = rows;
  if (!fits(cells, header)) return bad(`has ${cells.length} cells, the header has ${header.width}`);
  const time = timeIn(cells, header);
  rows.times ??= timesOf(reading.options.times, header, [time]);
  const ts = rows.times?.ofText(time) ?? null;
  if (ts === null) return bad(noTime(time, header));
  const of = rows.seriesOf(cells);
  if (of === null) return bad(`names no metric in column \`${header.nameColumn}\``);
  const cell = cells[header.valueIndex] ?? '';
  const value = parseNumber(cell, reading.options.numbers);
  if (value === undefined) reading.unreadable.add(line, header.valueColumn, shorten(cell));
  return { kind: 'row', line, ts, of, value: value ?? null };
}

function nextSample(reading: Reading, rows: Rows): CsvRow | null {
  for (;;) {
    const place = rows.judged.length > 0 ? null : placeOf(reading, rows.splitter);
    const row = nextRow(reading, rows);
    if (row === null) {
      const isDue = rows.isIdle || (rows.judged.length === 0 && rows.splitter.ended());
      return isDue && rows.group !== null ? take(rows, rows.group, null) : null;
    }
    rows.isIdle = false;
    if (row.kind === 'bad') return row;
    const { group } = rows;
    const next = { line: row.line, ts: row.ts, place, rows: 1, values: new Map([[row.of.key, row]]) };
    if (group === null) rows.group = next;
    else if (belongs(row, group)) {
      group.values.set(row.of.key, row);
      group.rows += 1;
    } else return take(rows, group, next);
  }
}

function belongs({ ts, of }: Extract<LongRow, { kind: 'row' }>, group: Group): boolean {
  return ts === group.ts && !group.values.has(of.key) && group.values.size < MAX_SERIES_PER_SCHEMA;
}

/** The sample of a group that is whole. */
function take(rows: Rows, group: Group, next: Group | null): CsvRow {
  rows.group = next;
  rows.isIdle = false;
  const { columns, series } = rows.sets.of([...group.values.values()].map(({ of }) => of));
  if (series !== rows.shape.series) rows.shape = { ...rows.shape, series, isNext: true };
  const values = new Array<number | null>(series.length).fill(null);
  for (const [key, { value }] of group.values) values[columns.get(key) ?? 0] = value;
  return { kind: 'row', line: group.line, ts: group.ts, values, rows: group.rows };
}
