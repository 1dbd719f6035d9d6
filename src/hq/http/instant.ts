/** Instants as people and programs write them, and durations. */
import { MAX_TS } from '../../protocol/sample.ts';
import { cutToMs } from '../../protocol/whole-ms.ts';
import { localMsOf, parseOffset } from '../../protocol/written-time.ts';

const RFC_3339 =
  /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})[Tt ](?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2})(?:\.(?<fraction>\d{1,9}))?(?<offset>[Zz]|[+-]\d{2}:\d{2})?$/;
/** Numbers below are seconds (as ms they would lie before 1973-03-03), numbers from here on ms. */
export const SECONDS_BELOW = 1e11;

/** Epoch ms of an RFC 3339 date and time; null when it is none. One without an offset is read as UTC. */
export function parseRfc3339(text: string): number | null {
  const groups = RFC_3339.exec(text.trim())?.groups;
  if (groups === undefined) return null;
  const number = (name: string) => Number(groups[name]);
  const localMs = localMsOf({
    ...{ year: number('year'), month: number('month'), day: number('day') },
    ...{ hour: number('hour'), minute: number('minute'), second: number('second') },
    fraction: groups.fraction ?? '',
  });
  const ms = localMs === null ? Number.NaN : localMs - parseOffset(groups.offset ?? 'Z');
  return Number.isNaN(ms) ? null : ms;
}

/** Epoch ms of a query parameter: RFC 3339 or epoch ms. One beyond MAX_TS is taken: ends are exclusive. */
export function parseQueryInstant(text: string): number | null {
  if (!/^-?\d{1,16}$/.test(text)) return parseRfc3339(text);
  const ms = Number(text);
  return ms >= -MAX_TS && ms <= MAX_TS + 1 ? ms : null;
}

/** Epoch ms of the `timestamp` of a delivery: RFC 3339, epoch ms or epoch seconds. Null: not of that form. */
export function parseDeliveredInstant(value: string | number): number | null {
  if (typeof value === 'string') return parseRfc3339(value);
  const ms = cutToMs(Math.abs(value) < SECONDS_BELOW ? value * 1000 : value);
  return Number.isFinite(ms) ? ms : null;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Ms of `10s`, `500ms`, `5m`, `1h`, `1d` or a plain number of ms; null when it is none or not positive. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,12})(ms|s|m|h|d)?$/.exec(text.trim());
  const factor = UNITS[match?.[2] ?? ''];
  const ms = match === null || factor === undefined ? 0 : Number(match[1]) * factor;
  return ms > 0 && ms <= MAX_TS ? ms : null;
}
