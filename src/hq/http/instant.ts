/** Instants as people and programs write them, and durations. */
import { MAX_TS } from '../../protocol/sample.ts';
import { cutToMs } from '../../protocol/whole-ms.ts';

const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)([Zz]|[+-]\d{2}:\d{2})?$/;
/** Numbers below are seconds (as ms they would lie before 1973-03-03), numbers from here on ms. */
export const SECONDS_BELOW = 1e11;

/** Epoch ms of an RFC 3339 date and time; null when it is none. One without an offset is read as UTC. */
export function parseRfc3339(text: string): number | null {
  const match = RFC_3339.exec(text.trim());
  if (match === null) return null;
  const [, date, time, offset = 'Z'] = match;
  const ms = Date.parse(`${date}T${time}${offset.toUpperCase()}`);
  if (!Number.isFinite(ms)) return null;
  // Date.parse lets 30 February roll over into March.
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(`${date}T`) ? ms : null;
}

/** Epoch ms of a query parameter: RFC 3339 or epoch ms. One beyond MAX_TS is taken: ends are exclusive. */
export function parseQueryInstant(text: string): number | null {
  if (!/^-?\d{1,16}$/.test(text)) return parseRfc3339(text);
  const ms = Number(text);
  return ms >= -MAX_TS && ms <= MAX_TS + 1 ? ms : null;
}

/** Epoch ms of the `timestamp` of a delivery: RFC 3339, epoch ms or epoch seconds. */
export function parseDeliveredInstant(value: string | number): number | null {
  if (typeof value === 'string') return parseRfc3339(value);
  const ms = cutToMs(Math.abs(value) < SECONDS_BELOW ? value * 1000 : value);
  return Math.abs(ms) <= MAX_TS ? ms : null;
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
