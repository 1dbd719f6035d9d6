/** What the first line of a CSV file says: its delimiter, its time column, and a series for each other column. */
import { legalName } from '../../../protocol/legal-name.ts';
import { MAX_ATTRIBUTES } from '../../../protocol/legal-text.ts';
import { MAX_SERIES_PER_SCHEMA, type Series } from '../../../protocol/sample.ts';
import { seriesKey } from '../../../protocol/series-key.ts';
import { parseNumber } from './cells.ts';
import { CsvError } from './csv-error.ts';
import { isAmbiguousDate, parseWrittenTime } from './times/time-text.ts';

export type CsvColumn = { readonly index: number; readonly series: Series };
export type CsvHeader = {
  readonly width: number;
  readonly timeIndex: number;
  /** A column that may hold the dates of the times; null: none. */
  readonly dateIndex: number | null;
  readonly timeColumn: string;
  readonly columns: readonly CsvColumn[];
};

export type TimeColumns = {
  readonly time?: string | undefined;
  /** The column of dates, where times are split in two. */
  readonly date?: string | undefined;
};

const DELIMITERS = [',', ';', '\t', '|'] as const;
/** In order of preference. */
const TIME_NAMES = ['timestamp', 'ts', 'datetime', 'time', 'date'];
/** Of a column that holds times, most likely: such as `time (s)` or `timestamp_ms`. */
const LIKE_TIME = /^(timestamp|datetime|time|date)([^a-z]|$)/;

/** The delimiter that the header line has most of; a comma when it has none. */
export function detectDelimiter(headerLine: string): string {
  let best: string = ',';
  let most = 0;
  for (const delimiter of DELIMITERS) {
    const found = headerLine.split(delimiter).length - 1;
    if (found > most) {
      best = delimiter;
      most = found;
    }
  }
  return best;
}

/**
 * How much a line looks like a header: 3 when it has a time column by name and nothing that a row would have, 2 by
 * name, 1 nearly by name, 0 not at all.
 */
export function headerLikeness(cells: readonly string[], { time }: TimeColumns): 0 | 1 | 2 | 3 {
  const lower = cells.map(plainName);
  const wanted = time === undefined ? TIME_NAMES : [time.toLowerCase()];
  if (wanted.some((name) => lower.includes(name))) return lower.some(isOfRow) ? 2 : 3;
  return time === undefined && lower.some((name) => LIKE_TIME.test(name)) ? 1 : 0;
}

function isOfRow(cell: string): boolean {
  const isNumber =
    typeof parseNumber(cell) === 'number' || (cell.trim() !== '' && Number.isFinite(Number(cell)));
  return isNumber || parseWrittenTime(cell) !== null || isAmbiguousDate(cell);
}

/** In lower case, without the mark of a comment that a header may begin with. */
function plainName(name: string): string {
  return name.trim().toLowerCase().replace(/^#\s*/, '');
}

/** Columns without a name are called by their number. */
export function columnNames(cells: readonly string[]): string[] {
  return cells.map((cell, index) => {
    const name = cell.trim();
    return name === '' || name === '__proto__' ? `column_${index + 1}` : name;
  });
}

/** Throws CsvError when there is no time column. */
export function findTimeColumns(
  names: readonly string[],
  wanted: TimeColumns,
): Pick<CsvHeader, 'timeIndex' | 'dateIndex'> {
  const timeIndex = findTime(names, wanted);
  return { timeIndex, dateIndex: findDate(names, wanted, timeIndex) };
}

/** Throws CsvError when there is no time column, or nothing else. */
export function readHeader(cells: readonly string[], wanted: TimeColumns): CsvHeader {
  const names = columnNames(cells);
  const { timeIndex, dateIndex } = findTimeColumns(names, wanted);
  const taken = new Set<string>();
  const columns: CsvColumn[] = [];
  names.forEach((name, index) => {
    if (index === timeIndex) return;
    const series = distinct(seriesOf(name), taken);
    columns.push({ index, series });
  });
  if (columns.length === 0) throw new CsvError('the file has a time column and nothing else');
  if (columns.length > MAX_SERIES_PER_SCHEMA) {
    throw new CsvError(
      `the file has ${columns.length} columns; at most ${MAX_SERIES_PER_SCHEMA} can be series`,
    );
  }
  return { width: cells.length, timeIndex, dateIndex, timeColumn: names[timeIndex] ?? '', columns };
}

function findTime(names: readonly string[], { time, date }: TimeColumns): number {
  if (time !== undefined) return indexOfColumn(names, time);
  const lower = names.map(plainName);
  const isTaken = (name: string) => name === date?.toLowerCase();
  for (const name of TIME_NAMES) {
    const index = isTaken(name) ? -1 : lower.indexOf(name);
    if (index >= 0) return index;
  }
  const index = lower.findIndex((name) => !isTaken(name) && LIKE_TIME.test(name));
  if (index >= 0) return index;
  throw new CsvError(
    `no column is named ${TIME_NAMES.join(', ')}; name the time column with \`time=\`, one of ${names.slice(0, 20).join(', ')}`,
  );
}

function findDate(names: readonly string[], { date }: TimeColumns, timeIndex: number): number | null {
  if (date !== undefined) return indexOfColumn(names, date);
  const index = names.findIndex((name, at) => at !== timeIndex && plainName(name) === 'date');
  return index < 0 ? null : index;
}

/** Throws CsvError when there is none. */
export function indexOfColumn(names: readonly string[], wanted: string): number {
  const index = names.findIndex((name) => name.toLowerCase() === wanted.toLowerCase());
  if (index >= 0) return index;
  throw new CsvError(`the file has no column \`${wanted}\`; its columns are ${names.join(', ')}`);
}

/** `name{key=value,…}` gives a series with attributes; any other text is a name as it stands. */
function seriesOf(text: string): Series {
  const match = /^([^{}]+)\{([^{}]*)\}$/.exec(text);
  const attributes: Record<string, string> = {};
  const pairs = match?.[2]?.split(',') ?? [];
  if (pairs.length > MAX_ATTRIBUTES) return { name: legalName(text, 128), attributes: {}, unit: '' };
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, Math.max(equals, 0)).trim();
    if (equals < 1 || key === '' || key === '__proto__')
      return { name: legalName(text, 128), attributes: {}, unit: '' };
    attributes[legalName(key, 64)] = legalName(pair.slice(equals + 1).trim(), 256);
  }
  return { name: legalName((match?.[1] ?? text).trim(), 128), attributes, unit: '' };
}

function distinct(series: Series, taken: Set<string>): Series {
  let candidate = series;
  for (let number = 2; taken.has(seriesKey(candidate)); number += 1) {
    candidate = { ...series, name: `${legalName(series.name, 120)}_${number}` };
  }
  taken.add(seriesKey(candidate));
  return candidate;
}
