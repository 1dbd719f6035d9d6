/**
 * Numbers, durations and times as people read them. Everything here is pure and throws for no number; a unit is parted
 * by a no-break space.
 */
const SPACE = '\u00a0';
/** Shown where there is no value. */
export const NONE = '–';

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const SCALES = [
  { from: 1e9, suffix: 'G' },
  { from: 1e6, suffix: 'M' },
  { from: 1e5, suffix: 'k' },
] as const;

/** Three significant digits, without an exponent in the usual range. */
export function significant(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(Math.max(0, digits - 1));
  if (size >= 10 ** digits) return grouped.format(value);
  return String(Number(value.toPrecision(digits)));
}

/** A count: exact with separators below 100,000, scaled above it. */
export function formatCount(value: number, digits = 3): string {
  for (const { from, suffix } of SCALES) {
    if (Math.abs(value) < from) continue;
    const divisor = suffix === 'k' ? 1e3 : from;
    return `${significant(value / divisor, digits)}${SPACE}${suffix}`;
  }
  return grouped.format(value);
}

/** A count with every digit, for tooltips. */
export const formatExact = (value: number): string => grouped.format(value);

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `scale`: the value whose unit is taken, for values that are read side by side. */
export function formatBytes(bytes: number, scale = bytes, digits = 3): string {
  let size = Math.abs(scale);
  let unit = 0;
  while (size >= 1000 && unit < BYTE_UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const value = bytes / 1024 ** unit;
  const isWhole = unit === 0 && digits <= 3;
  return `${isWhole ? grouped.format(value) : significant(value, digits)}${SPACE}${BYTE_UNITS[unit]}`;
}

/** Events a second. */
export function formatRate(perSecond: number): string {
  const text = perSecond >= 1000 ? formatCount(perSecond) : String(Number(perSecond.toFixed(1)));
  return `${text}${SPACE}/s`;
}

/**
 * A duration in ms, with two units at most: `3.2 ms`, `840 ms`, `12.4 s`, `4 min 10 s`, `2 d 3 h`. `more`: how many
 * digits, or units, beyond these.
 */
export function formatDuration(ms: number, more = 0): string {
  const size = Math.abs(ms);
  const sign = ms < 0 ? '−' : '';
  if (size < 999.5) return `${sign}${Number(size.toFixed(size < 10 ? 1 + more : more))}${SPACE}ms`;
  if (size < 59_950) return `${sign}${Number((size / 1000).toFixed(1 + more))}${SPACE}s`;
  return `${sign}${inUnits(Math.round(size / 1000), 2 + more)}`;
}

function inUnits(seconds: number, count: number): string {
  const parts = [
    { value: Math.floor(seconds / 86_400), unit: 'd' },
    { value: Math.floor(seconds / 3600) % 24, unit: 'h' },
    { value: Math.floor(seconds / 60) % 60, unit: 'min' },
    { value: seconds % 60, unit: 's' },
  ];
  const first = parts.findIndex((part) => part.value > 0);
  return parts
    .slice(first < 0 ? 3 : first, (first < 0 ? 3 : first) + count)
    .filter((part, index) => index === 0 || part.value > 0)
    .map((part) => `${part.value}${SPACE}${part.unit}`)
    .join(' ');
}

/** How long ago, in whole seconds; a time ahead of the clock counts as now. */
export function formatAge(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  return seconds < 1 ? 'now' : inUnits(seconds, 2);
}

/** A share of 0 … 1. Only a whole is written as 100 %: anything less is rounded down. */
export function formatShare(share: number): string {
  if (share >= 1) return `100${SPACE}%`;
  const percent = Math.floor(Math.max(0, share) * 10_000) / 100;
  return `${percent.toFixed(2)}${SPACE}%`;
}

/** A signed difference in ms: `+12 ms`, `−3.4 s`. */
export function formatOffset(ms: number): string {
  return ms > 0 ? `+${formatDuration(ms)}` : formatDuration(ms);
}

const UNIT_NAMES: Readonly<Record<string, string>> = {
  Cel: '°C',
  '%': '%',
  V: 'V',
  A: 'A',
  Hz: 'Hz',
  W: 'W',
};

/** Whether a series of this name and unit is a share of 0 … 1, shown in percent. */
export const isShare = (name: string, unit: string): boolean =>
  unit === '1' && /utilization$|ratio$/.test(name);

/** A measured value in its UCUM unit as OpenTelemetry writes it, with `more` digits than usual. */
export function formatValue(value: number, unit: string, name: string, more = 0): string {
  if (isShare(name, unit)) return `${significant(value * 100, 3 + more)}${SPACE}%`;
  if (unit === 'By') return formatBytes(value, value, 3 + more);
  if (unit === 'By/s') return `${formatBytes(value, value, 3 + more)}/s`;
  // Busy seconds a second: the rate of a time counter.
  if (unit === 's/s') return `${significant(value * 100, 3 + more)}${SPACE}%`;
  if (unit === 's') return Number.isFinite(value) ? formatDuration(value * 1000, more) : significant(value);
  if (unit === 'ms') return formatDuration(value, more);
  const label = unitLabel(unit);
  const isLarge = Math.abs(value) >= 1e5 && Math.abs(value) < 1e15;
  const text = isLarge ? formatCount(value, 3 + more) : significant(value, 4 + more);
  return label === '' ? text : `${text}${SPACE}${label}`;
}

/** Steps of an axis of bytes that are round in its unit, whichever that is. */
export const BINARY_STEPS = Array.from({ length: 60 }, (_, power) => 2 ** power);

/**
 * The same for the ticks of an axis: names of things counted are left to the title. `top` is the highest tick: it gives
 * the unit of bytes for all of them.
 */
export function formatTick(
  value: number,
  unit: string,
  name: string,
  { top = value, more = 0 } = {},
): string {
  if (unit === 'By') return formatBytes(value, top, 3 + more);
  if (unit === 'By/s') return `${formatBytes(value, top, 3 + more)}/s`;
  return formatValue(value, unit.startsWith('{') ? '' : unit, name, more);
}

/** `top`: the highest tick. `more`: how many digits beyond the usual ones. */
export type TickFormat = (value: number, at: { readonly top: number; readonly more: number }) => string;

/** No number has more digits than this. */
const MORE_AT_MOST = 14;

/** Labels of ticks: with as many digits as it takes that no two of them are the same. */
export function tickLabels(ticks: readonly number[], format: TickFormat): string[] {
  const top = Math.max(0, ...ticks.map(Math.abs));
  for (let more = 0; more <= MORE_AT_MOST; more += 1) {
    const labels = ticks.map((value) => format(value, { top, more }));
    if (new Set(labels).size === labels.length) return labels;
  }
  return firstOfEach(ticks.map((value) => format(value, { top, more: 0 })));
}

/** What would be read twice is left out. */
function firstOfEach(labels: readonly string[]): string[] {
  return labels.map((label, index) => (labels.indexOf(label) === index ? label : ''));
}

/**
 * Labels of times that are `apart` ms from each other: the time of day, and the day where it begins or repeats one; the
 * day has its year unless that is the one of `now`.
 */
export function timeLabels(times: readonly number[], apart: number, now: number): string[] {
  const seen = new Set<string>();
  return firstOfEach(
    times.map((ts) => {
      const time = isTime(ts) ? clockTime.format(ts) : NONE;
      const clock = apart >= 60_000 ? time.slice(0, 5) : time;
      const isNewDay = apart >= 60_000 && clock === '00:00';
      if (!isNewDay && !seen.has(clock)) {
        seen.add(clock);
        return clock;
      }
      const day = formatDay(ts, now);
      return isNewDay ? day : `${day} ${clock}`;
    }),
  );
}

/** A unit for people: `{process}` is `process`, `1` is nothing. */
export function unitLabel(unit: string): string {
  if (unit === '' || unit === '1') return '';
  return UNIT_NAMES[unit] ?? unit.replaceAll(/[{}]/g, '');
}

/** Whether a Date holds it: HQ keeps what it was sent, and all formatting of other times throws. */
const isTime = (ts: number): boolean => Math.abs(ts) <= 8.64e15;

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
const DAY = { month: 'short', day: 'numeric' } as const;
const clockTime = new Intl.DateTimeFormat(undefined, CLOCK);

/** Writes a time so that it cannot be taken for one of another year: that is named unless it is the year of `now`. */
function dated(parts: Intl.DateTimeFormatOptions): (ts: number, now: number) => string {
  const ofThisYear = new Intl.DateTimeFormat(undefined, parts);
  const ofAnother = new Intl.DateTimeFormat(undefined, { ...parts, year: 'numeric' });
  return (ts, now) => {
    if (!isTime(ts)) return NONE;
    const isOfThisYear = new Date(ts).getFullYear() === new Date(now).getFullYear();
    return (isOfThisYear ? ofThisYear : ofAnother).format(ts);
  };
}

/** Local day, with the year unless it is that of `now`. */
export const formatDay = dated(DAY);
/** Local date and time of day, with the year unless it is that of `now`. */
export const formatDateTime = dated({ ...DAY, ...CLOCK });
/** Local time of day, after the date unless that is the one of `now`. */
export function formatClock(ts: number, now: number): string {
  if (!isTime(ts)) return NONE;
  const isToday = new Date(ts).toDateString() === new Date(now).toDateString();
  return isToday ? clockTime.format(ts) : formatDateTime(ts, now);
}
/** Date and time of day in UTC, with ms, for tooltips. */
export const formatUtc = (ts: number): string =>
  isTime(ts) ? new Date(ts).toISOString().replace('T', ' ').replace('Z', ' UTC') : `no time: ${ts}`;
/** For the attribute of a `time` element. */
export const machineTime = (ts: number): string | undefined =>
  isTime(ts) ? new Date(ts).toISOString() : undefined;
