/** What the first line of a CSV file says: its delimiter, its time column, and a series for each other column. */
import { MAX_SERIES_PER_SCHEMA, type Series } from '../../../protocol/sample.ts';
import { seriesKey } from '../../../protocol/schema-ref.ts';

export type CsvColumn = { readonly index: number; readonly series: Series };
export type CsvHeader = {
  readonly width: number;
  readonly timeIndex: number;
  readonly timeColumn: string;
  readonly columns: readonly CsvColumn[];
};

/** A file that cannot be replayed; the message says what to change. */
export class CsvError extends Error {
  override readonly name = 'CsvError';
}

const DELIMITERS = [',', ';', '\t', '|'] as const;
/** In order of preference. */
const TIME_NAMES = ['timestamp', 'ts', 'datetime', 'time', 'date'];

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

/** Throws CsvError when there is no time column, or nothing else. */
export function readHeader(cells: readonly string[], wantedTime: string | undefined): CsvHeader {
  const names = cells.map((cell) => cell.trim());
  const timeIndex = findTime(names, wantedTime);
  const taken = new Set<string>();
  const columns: CsvColumn[] = [];
  names.forEach((name, index) => {
    if (index === timeIndex) return;
    const series = distinct(seriesOf(name === '' ? `column_${index + 1}` : name), taken);
    columns.push({ index, series });
  });
  if (columns.length === 0) throw new CsvError('the file has a time column and nothing else');
  if (columns.length > MAX_SERIES_PER_SCHEMA) {
    throw new CsvError(
      `the file has ${columns.length} columns; at most ${MAX_SERIES_PER_SCHEMA} can be series`,
    );
  }
  return { width: cells.length, timeIndex, timeColumn: names[timeIndex] ?? '', columns };
}

function findTime(names: readonly string[], wanted: string | undefined): number {
  const lower = names.map((name) => name.toLowerCase());
  if (wanted !== undefined) {
    const index = lower.indexOf(wanted.toLowerCase());
    if (index >= 0) return index;
    throw new CsvError(`the file has no column \`${wanted}\`; its columns are ${names.join(', ')}`);
  }
  for (const name of TIME_NAMES) {
    const index = lower.indexOf(name);
    if (index >= 0) return index;
  }
  // Such as `time (s)` or `timestamp_ms`.
  const index = lower.findIndex((name) => /^(timestamp|datetime|time|date)([^a-z]|$)/.test(name));
  if (index >= 0) return index;
  throw new CsvError(
    `no column is named ${TIME_NAMES.join(', ')}; name the time column with \`time=\`, one of ${names.slice(0, 20).join(', ')}`,
  );
}

/** `name{key=value,…}` gives a series with attributes; any other text is a name as it stands. */
function seriesOf(text: string): Series {
  const match = /^([^{}]+)\{([^{}]*)\}$/.exec(text);
  const attributes: Record<string, string> = {};
  for (const pair of match?.[2]?.split(',') ?? []) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, Math.max(equals, 0)).trim();
    if (equals < 1 || key === '' || key === '__proto__')
      return { name: text.slice(0, 128), attributes: {}, unit: '' };
    attributes[key.slice(0, 64)] = pair
      .slice(equals + 1)
      .trim()
      .slice(0, 256);
  }
  return { name: (match?.[1] ?? text).trim().slice(0, 128), attributes, unit: '' };
}

function distinct(series: Series, taken: Set<string>): Series {
  let candidate = series;
  for (let number = 2; taken.has(seriesKey(candidate)); number += 1) {
    candidate = { ...series, name: `${series.name.slice(0, 120)}_${number}` };
  }
  taken.add(seriesKey(candidate));
  return candidate;
}
