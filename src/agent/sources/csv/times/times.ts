/**
 * The times of a CSV file: which form they have is found out from its first rows, or said by the configuration, and
 * then holds for all of it. What can be read in two ways is refused with the option that settles it.
 */
import { cutToMs } from '../../../../protocol/whole-ms.ts';
import { isWrittenTs } from '../../../../protocol/written-time.ts';
import { CsvError } from '../csv-error.ts';
import { patternsFor } from './time-advice.ts';
import { compilePattern } from './time-pattern.ts';
import {
  isAmbiguousDate,
  isTimeOfDay,
  parsePackedTime,
  parseWrittenTime,
  type WrittenTime,
  zoneNameIn,
} from './time-text.ts';
import { createToUtc, type ToUtc } from './time-zone.ts';

export const TIME_UNITS = ['s', 'ms', 'us', 'ns'] as const;
type Unit = (typeof TIME_UNITS)[number];

export type TimeOptions = {
  /** A unit, `excel`, `iso` or a pattern; undefined: found out. */
  readonly format: string | undefined;
  /** Of times that name none. Default UTC. */
  readonly zone: string | undefined;
  /** As cells write numbers. */
  readonly decimal: '.' | ',';
};

/** Reads the cells of one file's time column, as integer ms since the Unix epoch; null where one is no time. */
export type Times = {
  readonly ofText: (cell: string) => number | null;
  /** The same for a cell that is this number, written plainly. */
  readonly ofNumber: (value: number) => number | null;
};

const DAY_MS = 86_400_000;
/** Days between what Excel counts from and 1970. */
const EXCEL_EPOCH_DAYS = 25_569;
/** Excel takes 1900 for a leap year: its earlier days are others. */
const FIRST_SOUND_SERIAL = 61;

/** ms in one unit, as a divisor or factor that keeps whole ms exact. */
const TO_MS: Readonly<Record<Unit, (value: number) => number>> = {
  s: (value) => value * 1000,
  ms: (value) => value,
  us: (value) => value / 1000,
  ns: (value) => value / 1_000_000,
};
const NS_IN_MS = 1_000_000n;

/** What `format` and `zone` may be is checked with the configuration: {@link timeFormatProblem}. */
export function timeFormatProblem(format: string): string | null {
  if (isUnit(format) || format === 'excel' || format === 'iso' || compilePattern(format) !== null)
    return null;
  return 'expected s, ms, us, ns, excel, iso, or a pattern with y, M and d such as "dd/MM/yyyy HH:mm:ss"';
}

export function isZone(zone: string): boolean {
  return createToUtc(zone) !== null;
}

/** The times that the options name, whatever the file holds; null when it has to be found out. */
export function namedTimes(options: TimeOptions): Times | null {
  const { format } = options;
  if (format === undefined) return null;
  if (isUnit(format)) return inUnit(format, options);
  const toUtc = zoneOf(options);
  if (format === 'excel') return excelTimes(toUtc, options);
  if (format === 'iso') return written(parseWrittenTime, toUtc);
  const pattern = compilePattern(format);
  if (pattern === null) throw new CsvError(`timeFormat: ${timeFormatProblem(format)}`);
  return written(pattern, toUtc);
}

/**
 * The form that these cells have; null when none of them is a time. `unit`: what the column's name says. Throws
 * CsvError when the form could be one or another.
 */
export function findTimes(cells: readonly string[], unit: Unit | null, options: TimeOptions): Times | null {
  let refusal: string | null = null;
  for (const cell of cells) {
    const text = cell.trim();
    if (text === '') continue;
    const number = numberIn(text, options.decimal);
    if (number === null) {
      if (parseWrittenTime(text) !== null) return written(parseWrittenTime, zoneOf(options));
      refusal ??= doubtOfText(text, cells);
      continue;
    }
    const found = unit ?? unitBySize(number);
    if (found !== null) return inUnit(found, options);
    if (parsePackedTime(text) !== null) return written(parsePackedTime, zoneOf(options));
    refusal ??= doubtOfNumber(text);
  }
  if (refusal !== null) throw new CsvError(refusal);
  return null;
}

function doubtOfNumber(text: string): string {
  return (
    `the time \`${text}\` has too few or too many digits to tell what it counts: say it with timeFormat=s, ms, us or ns ` +
    '(since 1970), timeFormat=excel (days), or a pattern such as timeFormat=yyyyMMdd'
  );
}

function doubtOfText(text: string, cells: readonly string[]): string | null {
  if (isAmbiguousDate(text))
    return doubtOfDate(text, cells.map((cell) => cell.trim()).filter(isAmbiguousDate));
  const zone = zoneNameIn(text);
  if (zone !== null) return doubtOfZone(text, zone);
  if (isTimeOfDay(text)) return `the time \`${text}\` names no date: name the column of dates with date=`;
  return null;
}

/** `alike`: all that are written like it. Some of them may tell in which order they name day and month. */
function doubtOfDate(text: string, alike: readonly string[]): string {
  const [dayFirst, monthFirst] = patternsFor(alike).map((pattern) => `timeFormat="${pattern}"`);
  const beyond = (part: RegExp) => alike.find((cell) => Number(part.exec(cell)?.[1]) > MONTHS_A_YEAR);
  const noMonthFirst = beyond(/^(\d+)/);
  const noDayFirst = beyond(/^\d+\D(\d+)/);
  if (noMonthFirst !== undefined && noDayFirst !== undefined)
    return `the times \`${noMonthFirst}\` and \`${noDayFirst}\` do not name day and month in one order: no timeFormat reads both`;
  if (noMonthFirst !== undefined)
    return `the time \`${noMonthFirst}\` names its day before its month: say so with ${dayFirst}`;
  if (noDayFirst !== undefined)
    return `the time \`${noDayFirst}\` names its month before its day: say so with ${monthFirst}`;
  return `the time \`${text}\` can be read in two ways: say which with ${dayFirst} or ${monthFirst}`;
}
const MONTHS_A_YEAR = 12;

function doubtOfZone(text: string, zone: string): string {
  return `the time \`${text}\` ends with \`${zone}\`${ZONE_ADVICE}`;
}
/** Said of the name of a zone behind a time. */
const ZONE_ADVICE =
  ', and such names mean several zones: write the offset in its place, such as +01:00, or take it for text in a pattern, such as timeFormat="yyyy-MM-dd HH:mm:ss \'CET\'", and say zone=, such as zone=Europe/Berlin';

/** What may be done about a cell that is no time, to be added to a message; empty where nothing is known. */
export function timeAdvice(cell: string): string {
  const zone = zoneNameIn(cell);
  if (zone !== null) return `: it ends with \`${zone}\`${ZONE_ADVICE}`;
  return OFFSET_BEYOND.test(cell.trim()) ? ': zones lie between -12:00 and +14:00' : '';
}
const OFFSET_BEYOND = /:\d{2}(?:[.,]\d+)?\s*[+-](?:1[2-9]|2\d):?\d{2}$/;

/** By what they come to in the years 1973 to 2286. */
function unitBySize(value: number): Unit | null {
  if (value >= 1e8 && value < 1e10) return 's';
  if (value >= 1e11 && value < 1e13) return 'ms';
  if (value >= 1e14 && value < 1e16) return 'us';
  return value >= 1e17 && value < 1e19 ? 'ns' : null;
}

/** What the name of a time column says of its unit, as in `time (s)` or `timestamp_ms`. */
export function unitInName(name: string): Unit | null {
  const word =
    /[^a-zµμ](s|secs?|seconds?|ms|millis|milliseconds?|us|[µμ]s|micros|microseconds?|ns|nanos|nanoseconds?)\W*$/i
      .exec(name)?.[1]
      ?.toLowerCase();
  if (word === undefined) return null;
  if (/^s/.test(word)) return 's';
  if (word === 'ms' || word.startsWith('milli')) return 'ms';
  return word.startsWith('n') ? 'ns' : 'us';
}

function inUnit(unit: Unit, { decimal }: TimeOptions): Times {
  const toMs = TO_MS[unit];
  return {
    ofNumber: (value) => wholeMs(cutToMs(toMs(value))),
    ofText: (cell) => {
      const text = cell.trim();
      // More digits than a double has: rounded, .999999999 s would be in the next one.
      if (unit === 'ns' && LONG_INTEGER.test(text)) return wholeMs(Number(BigInt(text) / NS_IN_MS));
      const value = numberIn(text, decimal);
      return value === null ? null : wholeMs(cutToMs(toMs(value)));
    },
  };
}

const LONG_INTEGER = /^\d{16,20}$/;

function excelTimes(toUtc: ToUtc, { decimal }: TimeOptions): Times {
  const ofNumber = (serial: number) =>
    serial < FIRST_SOUND_SERIAL ? null : wholeMs(toUtc(Math.round((serial - EXCEL_EPOCH_DAYS) * DAY_MS)));
  return {
    ofNumber,
    ofText: (cell) => {
      // A day, or a day and the part of it that a column of times holds.
      const [day = '', part = '0', ...more] = cell.trim().split(/\s+/);
      const serial = numberIn(day, decimal);
      const share = numberIn(part, decimal);
      return serial === null || share === null || more.length > 0 ? null : ofNumber(serial + share);
    },
  };
}

/** Whether a cell of Excel times is a time of day: the part of a day that has passed. */
export function isPartOfDay(text: string, { format, decimal }: TimeOptions): boolean {
  const part = format === 'excel' ? numberIn(text, decimal) : null;
  return part !== null && part >= 0 && part < 1;
}

function written(read: (text: string) => WrittenTime | null, toUtc: ToUtc): Times {
  const ofText = (cell: string): number | null => {
    const time = read(cell.trim());
    if (time === null) return null;
    return wholeMs(time.offsetMs === null ? toUtc(time.localMs) : time.localMs - time.offsetMs);
  };
  // A number such as 20260309120000.
  return { ofText, ofNumber: (value) => ofText(String(value)) };
}

function zoneOf({ zone = 'UTC' }: TimeOptions): ToUtc {
  const toUtc = createToUtc(zone);
  if (toUtc === null) throw new CsvError(`there is no time zone \`${zone}\``);
  return toUtc;
}

function isUnit(format: string): format is Unit {
  return TIME_UNITS.some((unit) => unit === format);
}

/** A plain or scientific decimal. */
function numberIn(text: string, decimal: '.' | ','): number | null {
  const plain = decimal === ',' ? text.replace(',', '.') : text;
  return /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(plain) ? Number(plain) : null;
}

/** What lies beyond the years that can be written is in another unit. */
function wholeMs(ms: number): number | null {
  return isWrittenTs(ms) ? Math.round(ms) : null;
}
