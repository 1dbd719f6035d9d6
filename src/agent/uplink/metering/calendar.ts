/**
 * Days, months and hours of a time zone.
 *
 * The end of a day or month is searched for and not computed: that is right where a day has 23 or 25 hours, where
 * midnight does not exist, and where a zone skips a date. Dates of a zone never go back while time goes on, so halving
 * finds the end.
 */
export type CalendarSpan = {
  /** `2026-11-28` or `2026-11`; keys of one kind sort like time. */
  readonly key: string;
  /** First instant beyond it, epoch ms. */
  readonly end: number;
};

/** Local time within a week. */
export type WeekTime = {
  /** 0 is Monday. */
  readonly weekday: number;
  /** Minutes since local midnight. */
  readonly minute: number;
};

export type Calendar = {
  readonly day: (ts: number) => CalendarSpan;
  readonly month: (ts: number) => CalendarSpan;
  readonly weekTime: (ts: number) => WeekTime;
};

type Fields = WeekTime & { readonly year: number; readonly month: number; readonly day: number };

const HOUR_MS = 3_600_000;
/** Longer than any day, and any month, of any zone. */
const MAX_DAY_MS = 50 * HOUR_MS;
const MAX_MONTH_MS = 33 * 24 * HOUR_MS;

export function isTimeZone(name: string): boolean {
  // The default, and no reason to load the data of Intl: 9 MB of an agent that is held to little more than 75.
  if (name === 'UTC') return true;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** `zone`: an IANA name. */
export function createCalendar(zone: string): Calendar {
  const fields = zone === 'UTC' ? utcFields : zoneFields(zone);
  return {
    day: spans((ts) => dayKey(fields(ts)), MAX_DAY_MS),
    month: spans((ts) => monthKey(fields(ts)), MAX_MONTH_MS),
    weekTime: (ts) => {
      const { weekday, minute } = fields(ts);
      return { weekday, minute };
    },
  };
}

/** Remembers the latest span: nearly every question is about it. */
function spans(keyOf: (ts: number) => string, longestMs: number): (ts: number) => CalendarSpan {
  let latest: (CalendarSpan & { readonly from: number }) | null = null;
  return (ts) => {
    if (latest !== null && ts >= latest.from && ts < latest.end) return latest;
    const key = keyOf(ts);
    let within = ts;
    let end = ts + longestMs;
    while (end - within > 1) {
      const middle = Math.floor((within + end) / 2);
      if (keyOf(middle) === key) within = middle;
      else end = middle;
    }
    latest = { key, end, from: ts };
    return latest;
  };
}

function monthKey({ year, month }: Fields): string {
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}`;
}

function dayKey(fields: Fields): string {
  return `${monthKey(fields)}-${String(fields.day).padStart(2, '0')}`;
}

/** Without Intl, whose data costs an agent memory. */
function utcFields(ts: number): Fields {
  const date = new Date(ts);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: (date.getUTCDay() + 6) % 7,
    minute: date.getUTCHours() * 60 + date.getUTCMinutes(),
  };
}

function zoneFields(timeZone: string): (ts: number) => Fields {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    hourCycle: 'h23',
  });
  return (ts) => {
    const parts = new Map(format.formatToParts(ts).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
    const [year, month, day] = [part('year'), part('month'), part('day')];
    return {
      year,
      month,
      day,
      weekday: (new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7,
      minute: part('hour') * 60 + part('minute'),
    };
  };
}
