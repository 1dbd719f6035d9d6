/** Local times of a zone. Without Intl where that is not needed: its data takes an agent 9 MB. */
import { parseOffset } from '../../../../protocol/written-time.ts';

/** Epoch ms of a local time, given as ms since local 1970 began. */
export type ToUtc = (localMs: number) => number;

const DAY_MS = 86_400_000;

/** Null: there is no such zone. `zone`: an IANA name, or an offset such as `+02:00`. */
export function createToUtc(zone: string): ToUtc | null {
  const offsetMs = parseOffset(zone);
  if (!Number.isNaN(offsetMs)) return (localMs) => localMs - offsetMs;
  // Intl takes offsets that no place has.
  if (/^[+-]/.test(zone)) return null;
  try {
    return byZone(new Intl.DateTimeFormat('en-US', { timeZone: zone, ...FIELDS }));
  } catch {
    return null;
  }
}

const FIELDS = {
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
  hourCycle: 'h23',
  era: 'short',
} as const;

/**
 * An hour that a clock which is put back shows twice is taken for the first time; one that is skipped for as much after
 * the change as it lies behind it.
 */
function byZone(format: Intl.DateTimeFormat): ToUtc {
  /** Offsets at the beginning of days, which nearly all rows share. */
  let known = new Map<number, number>();
  const offsetAtDay = (day: number): number => {
    const found = known.get(day);
    if (found !== undefined) return found;
    if (known.size >= 64) known = new Map();
    const offset = offsetAt(format, day * DAY_MS);
    known.set(day, offset);
    return offset;
  };
  return (localMs) => {
    // No zone is further than a day from UTC.
    const day = Math.floor(localMs / DAY_MS);
    const before = offsetAtDay(day - 1);
    const after = offsetAtDay(day + 2);
    if (before === after) return localMs - before;
    const fits = [before, after]
      .map((offset) => localMs - offset)
      .filter((at) => localMs - offsetAt(format, at) === at);
    return fits.length === 0 ? localMs - before : Math.min(...fits);
  };
}

/** ms east of UTC at an instant. */
function offsetAt(format: Intl.DateTimeFormat, at: number): number {
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const part = (name: Intl.DateTimeFormatPartTypes) => Number(parts.get(name) ?? 0);
  const year = parts.get('era') === 'BC' ? 1 - part('year') : part('year');
  const local = new Date(0);
  local.setUTCFullYear(year, part('month') - 1, part('day'));
  local.setUTCHours(part('hour'), part('minute'), part('second'));
  return local.getTime() - Math.floor(at / 1000) * 1000;
}
