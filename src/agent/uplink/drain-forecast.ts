/**
 * When the journal will be empty: pending bytes ÷ (drain − inflow). Pure: is shown the pending bytes now and then.
 *
 * Drain − inflow is by how much the pending bytes shrink: a mean that forgets with 60 s. The band is what the slow and the fast ones
 * of the last ten minutes would give (their 20th and 80th percentile). Before 30 s have been seen there is no forecast, and each
 * connection begins anew.
 */
export type DrainForecast =
  /** Nothing older than the live samples is pending. */
  | { readonly kind: 'caught_up' }
  /** Too little has been seen. */
  | { readonly kind: 'unknown' }
  /** At this rate never: what is sampled exceeds what is delivered. */
  | { readonly kind: 'never' }
  /** ms from now; `lowMs` and `highMs` are null before two minutes were seen, `highMs` also while the slow minutes gain nothing. */
  | {
      readonly kind: 'in';
      readonly ms: number;
      readonly lowMs: number | null;
      readonly highMs: number | null;
    };

export type DrainSeen = {
  readonly latest: { readonly at: number; readonly bytes: number } | null;
  /** Time seen, ms. */
  readonly seenMs: number;
  /** Bytes a second; less than 0 while more comes than goes. */
  readonly rate: number;
  /** The minute under way, and the whole ones before it, newest last. */
  readonly minute: { readonly ms: number; readonly bytes: number };
  readonly minutes: readonly number[];
};

export type DrainLook = {
  /** Monotonic, ms. */
  readonly at: number;
  readonly pendingBytes: number;
  readonly connected: boolean;
};

export const NOTHING_SEEN: DrainSeen = {
  latest: null,
  seenMs: 0,
  rate: 0,
  minute: { ms: 0, bytes: 0 },
  minutes: [],
};

const TAU_MS = 60_000;
const LEAST_SEEN_MS = 30_000;
const MINUTE_MS = 60_000;
const MINUTES = 10;
const BAND_MINUTES = 2;
/** Between two looks; after longer, as when the machine slept, all begins anew. */
const MAX_STEP_MS = 15_000;

export function lookAtDrain(seen: DrainSeen, { at, pendingBytes, connected }: DrainLook): DrainSeen {
  if (!connected) return NOTHING_SEEN;
  const latest = { at, bytes: pendingBytes };
  const ms = seen.latest === null ? 0 : at - seen.latest.at;
  if (seen.latest === null || ms > MAX_STEP_MS) return { ...NOTHING_SEEN, latest };
  if (ms <= 0) return seen;
  const gone = seen.latest.bytes - pendingBytes;
  const seenMs = seen.seenMs + ms;
  // At first the plain mean, or the first second would count for a minute.
  const weight = Math.max(1 - Math.exp(-ms / TAU_MS), ms / seenMs);
  const minute = { ms: seen.minute.ms + ms, bytes: seen.minute.bytes + gone };
  const isWhole = minute.ms >= MINUTE_MS;
  return {
    latest,
    seenMs,
    rate: seen.rate + ((gone * 1000) / ms - seen.rate) * weight,
    minute: isWhole ? { ms: 0, bytes: 0 } : minute,
    minutes: isWhole ? [...seen.minutes, (minute.bytes * 1000) / minute.ms].slice(-MINUTES) : seen.minutes,
  };
}

/** `behind`: whether anything older than the live samples is pending. */
export function forecastOf(seen: DrainSeen, behind: boolean): DrainForecast {
  if (!behind) return { kind: 'caught_up' };
  const { latest, seenMs, rate, minutes } = seen;
  if (latest === null || seenMs < LEAST_SEEN_MS) return { kind: 'unknown' };
  if (rate <= 0) return { kind: 'never' };
  const after = (speed: number) => (speed > 0 ? (latest.bytes * 1000) / speed : null);
  const ms = (latest.bytes * 1000) / rate;
  if (minutes.length < BAND_MINUTES) return { kind: 'in', ms, lowMs: null, highMs: null };
  // The latest minute may be slower or faster than all those: the band has its own value always.
  const lowMs = after(percentile(minutes, 0.8)) ?? ms;
  const highMs = after(percentile(minutes, 0.2));
  return {
    kind: 'in',
    ms,
    lowMs: Math.min(lowMs, ms),
    highMs: highMs === null ? null : Math.max(highMs, ms),
  };
}

/** Between the two nearest, as most tools have it. */
function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? 0;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}
