/**
 * Times that are written out. Only forms that mean one instant are read; a form that people read in two ways is none of
 * them (`11/03/2026`), and nothing is left to the machine's own settings.
 */

import { localMsOf, parseOffset } from '../../../../protocol/written-time.ts';

/** A time of day on a date, without a zone as local ms since 1970 began; `offsetMs` where the text names its zone. */
export type WrittenTime = { readonly localMs: number; readonly offsetMs: number | null };

const CLOCK = String.raw`(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d+))?)?`;
const HALF = String.raw`(?:\s*(?<half>[AaPp])\.?[Mm]\.?)?`;
const ZONE = String.raw`(?:\s*(?<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?`;
const TIME = `${CLOCK}${HALF}${ZONE}`;
const WEEKDAY = String.raw`(?:[A-Za-z]{3,9},?\s+)?`;
const MONTH = String.raw`(?<month>[A-Za-z]{3,9})\.?`;

const FORMS: readonly RegExp[] = [
  // 2026-03-09T12:00:00.5Z, 2026/03/09 9:59, 2026-03-09
  String.raw`(?<year>\d{4})(?<by>[-/.])(?<month>\d{1,2})\k<by>(?<day>\d{1,2})(?:(?:[Tt_]|,?\s+)${TIME})?`,
  // 20260309T120000Z
  String.raw`(?<year>\d{4})(?<month>\d{2})(?<day>\d{2})T(?<hour>\d{2})(?<minute>\d{2})(?:(?<second>\d{2})(?:[.,](?<fraction>\d+))?)?${ZONE}`,
  // Mon, 09 Mar 2026 12:00:00 GMT, 9-Mar-2026 12:00
  String.raw`${WEEKDAY}(?<day>\d{1,2})[ -]${MONTH}[ -](?<year>\d{4})(?:,?\s+${TIME})?`,
  // March 9, 2026 12:00 PM
  String.raw`${WEEKDAY}${MONTH}\s+(?<day>\d{1,2}),?\s+(?<year>\d{4})(?:,?\s+${TIME})?`,
  // Mon Mar  9 12:00:00 2026
  String.raw`${WEEKDAY}${MONTH}\s+(?<day>\d{1,2})\s+${CLOCK}\s+(?<year>\d{4})`,
].map((form) => new RegExp(`^${form}$`));

/** Whether it is a date whose day and month, or century, are left to the reader. */
export function isAmbiguousDate(text: string): boolean {
  return /^\d{1,2}([-/.])\d{1,2}\1(\d{4}|\d{2})(?!\d)/.test(text);
}

/** Whether it says when on a day, and not on which. */
export function isTimeOfDay(text: string): boolean {
  return /^\d{1,2}:\d{2}(:\d{2})?/.test(text);
}

/** A name such as `CET` behind a time of day; null where there is none. */
export function zoneNameIn(text: string): string | null {
  return (
    /\d:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?!(?:AM|PM|UTC|GMT)$)([A-Z]{2,5})$/.exec(text.trim())?.[1] ?? null
  );
}

/** Null when it is no time of the forms above. */
export function parseWrittenTime(text: string): WrittenTime | null {
  for (const form of FORMS) {
    const groups = form.exec(text)?.groups;
    if (groups !== undefined) return timeOfGroups(groups);
  }
  return null;
}

/** Fourteen digits: year to second. */
export function parsePackedTime(text: string): WrittenTime | null {
  const groups =
    /^(?<year>(?:19|20|21)\d{2})(?<month>\d{2})(?<day>\d{2})(?<hour>\d{2})(?<minute>\d{2})(?<second>\d{2})$/.exec(
      text,
    )?.groups;
  return groups === undefined ? null : timeOfGroups(groups);
}

/** What a form has found, by name; null when there is no such time. */
export function timeOfGroups(groups: Readonly<Record<string, string | undefined>>): WrittenTime | null {
  const year = yearOf(groups.year ?? '');
  const month = monthOf(groups.month ?? '');
  const day = Number(groups.day);
  const hour = hourOf(Number(groups.hour ?? 0), groups.half);
  const minute = Number(groups.minute ?? 0);
  const second = Number(groups.second ?? 0);
  if (month === null || hour === null) return null;
  const localMs = localMsOf({ year, month, day, hour, minute, second, fraction: groups.fraction ?? '' });
  const offsetMs = groups.zone === undefined ? null : parseOffset(groups.zone);
  return localMs === null || Number.isNaN(offsetMs) ? null : { localMs, offsetMs };
}

/** Two digits as POSIX reads them. */
function yearOf(text: string): number {
  const year = Number(text);
  if (text.length > 2) return year;
  return year + (year < 69 ? 2000 : 1900);
}

const MONTHS = 'january february march april may june july august september october november december'.split(
  ' ',
);

function monthOf(text: string): number | null {
  if (/^\d+$/.test(text)) return Number(text);
  const name = text.toLowerCase().replace(/^sept$/, 'sep');
  const index = MONTHS.findIndex((month) => month === name || month.slice(0, 3) === name);
  return index < 0 ? null : index + 1;
}

/** `half`: `a` or `p` where the clock has twelve hours. */
function hourOf(hour: number, half: string | undefined): number | null {
  if (half === undefined) return hour;
  if (hour < 1 || hour > 12) return null;
  return (hour % 12) + (half.toLowerCase() === 'p' ? 12 : 0);
}
