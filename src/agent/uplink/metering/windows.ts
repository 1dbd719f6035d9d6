/**
 * Hours at which backlog may go: `22:00-06:00`, `mon-fri 22:00-06:00`, `sat,sun 00:00-24:00`.
 *
 * Days are optional, names of three letters, ranges may go over Sunday. A window whose end is not after its start goes
 * over midnight and belongs to the day on which it starts.
 */
import type { WeekTime } from './calendar.ts';

export type Window = {
  /** Days on which it starts; 0 is Monday. */
  readonly days: ReadonlySet<number>;
  /** Minutes since midnight. */
  readonly from: number;
  /** Minutes since the midnight that `from` counts from; beyond 1,440 on the next day. */
  readonly to: number;
};

const DAY_NAMES = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const DAY_MINUTES = 1_440;
const WEEK_DAYS = DAY_NAMES.length;
const SHAPE = /^(?:(?<days>[a-z,-]+)\s+)?(?<from>\d{1,2}:\d{2})\s*-\s*(?<to>\d{1,2}:\d{2})$/;

export class WindowError extends Error {
  override readonly name = 'WindowError';
}

/** Throws WindowError, whose message says what is wrong with it. */
export function parseWindow(text: string): Window {
  const groups = SHAPE.exec(text.trim().toLowerCase())?.groups;
  if (groups?.from === undefined || groups.to === undefined)
    throw new WindowError('expected hours such as 22:00-06:00 or mon-fri 22:00-06:00');
  const from = minuteOf(groups.from);
  const to = minuteOf(groups.to);
  if (from === to) throw new WindowError('it is empty; the whole day is 00:00-24:00');
  if (from === DAY_MINUTES) throw new WindowError('24:00 can only be its end');
  return { days: daysOf(groups.days), from, to: to > from ? to : to + DAY_MINUTES };
}

/** A sentence for each that cannot be used. */
export function windowProblems(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    try {
      parseWindow(text);
      return [];
    } catch (error) {
      if (!(error instanceof WindowError)) throw error;
      return [`uplink.windows has "${text}": ${error.message}.`];
    }
  });
}

/** Without any window all hours are open. */
export function isOpen(windows: readonly Window[], at: WeekTime): boolean {
  return windows.length === 0 || minutesUntilOpen(windows, at) === 0;
}

/** Local minutes until one is open; 0 while one is. */
export function minutesUntilOpen(windows: readonly Window[], { weekday, minute }: WeekTime): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { days, from, to } of windows) {
    // Yesterday's may still be open; the same one of next week is the furthest.
    for (let ahead = -1; ahead <= WEEK_DAYS; ahead += 1) {
      if (!days.has((weekday + ahead + WEEK_DAYS) % WEEK_DAYS)) continue;
      const start = ahead * DAY_MINUTES + from - minute;
      const end = ahead * DAY_MINUTES + to - minute;
      if (end > 0) least = Math.min(least, Math.max(0, start));
    }
  }
  return least;
}

function minuteOf(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  const minute = hours * 60 + minutes;
  if (minutes > 59 || minute > DAY_MINUTES) throw new WindowError(`there is no ${text}`);
  return minute;
}

function daysOf(text: string | undefined): ReadonlySet<number> {
  if (text === undefined) return new Set(DAY_NAMES.keys());
  return new Set(text.split(',').flatMap(dayRange));
}

function dayRange(text: string): number[] {
  const [first = '', last = first, ...more] = text.split('-');
  if (more.length > 0) throw new WindowError(`${text} is no range of days`);
  const start = dayOf(first);
  const length = ((dayOf(last) - start + WEEK_DAYS) % WEEK_DAYS) + 1;
  return Array.from({ length }, (_, index) => (start + index) % WEEK_DAYS);
}

function dayOf(name: string): number {
  const day = DAY_NAMES.indexOf(name);
  if (day < 0) throw new WindowError(`there is no day "${name}"; days are ${DAY_NAMES.join(' ')}`);
  return day;
}
