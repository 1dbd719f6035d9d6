/**
 * Which times can be written, and as what they count: one rule for HQ, which reads them of senders over HTTP, and for
 * agents, which read them in files.
 *
 *     years    0 to 9999, which is what RFC 3339 can write
 *     24:00    the end of the day; nothing may follow it
 *     :60      a leap second counts as the second behind it; as zones go, it may end any quarter of an hour
 *     offsets  -12:00 to +14:00, between which all zones lie
 */

/** Epoch ms: the year 0 begins. */
export const LEAST_WRITTEN_TS = Date.parse('0000-01-01T00:00:00Z');
/** Epoch ms: the last one of the year 9999. */
export const MOST_WRITTEN_TS = Date.parse('9999-12-31T23:59:59.999Z');
/** As errors say it. */
export const WRITTEN_YEARS = 'must lie in the years 0 to 9999';

/** Whether the epoch ms lies in a year that can be written. */
export const isWrittenTs = (ms: number): boolean => ms >= LEAST_WRITTEN_TS && ms <= MOST_WRITTEN_TS;

export type TimeFields = {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  /** 0 to 24. */
  readonly hour: number;
  readonly minute: number;
  /** 0 to 60. */
  readonly second: number;
  /** Digits behind the point. What is finer than a ms is cut off: rounded, .9999 would lie in the next second. */
  readonly fraction: string;
};

/** Ms since 1970 began where the clock shows these; null: no clock does. */
export function localMsOf({ year, month, day, hour, minute, second, fraction }: TimeFields): number | null {
  const isEndOfDay = hour === 24 && minute === 0 && second === 0 && !/[1-9]/.test(fraction);
  const isLeapSecond = second === 60 && minute % 15 === 14;
  if ((hour > 23 && !isEndOfDay) || minute > 59 || (second > 59 && !isLeapSecond)) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // Such as 30 February.
  if (date.getUTCDate() !== day || date.getUTCMonth() !== month - 1) return null;
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'));
  return date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000 + ms;
}

const [LEAST_OFFSET_MS, GREATEST_OFFSET_MS] = [-12 * 3_600_000, 14 * 3_600_000];

/** Ms east of UTC of `Z`, `UTC`, `GMT`, `+02`, `+0200`, `+02:00`; NaN for anything else. */
export function parseOffset(text: string): number {
  if (/^(z|utc|gmt)$/i.test(text)) return 0;
  const match = /^([+-])(\d{2}):?(\d{2})?$/.exec(text);
  const [, sign, hours, minutes = '0'] = match ?? [];
  const ms = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -60_000 : 60_000);
  return ms >= LEAST_OFFSET_MS && ms <= GREATEST_OFFSET_MS && Number(minutes) <= 59 ? ms : Number.NaN;
}
