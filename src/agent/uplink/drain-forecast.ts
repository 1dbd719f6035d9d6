/**
 * When the journal will be empty: pending bytes ÷ (drain − inflow). Pure: is shown the pending bytes and the link now
 * and then.
 *
 * Drain − inflow is by how much the pending bytes shrink. Of one connection that is a mean which forgets with two
 * minutes, and the band is what the slow and the fast ones of its last ten minutes would give (their 20th and 80th
 * percentile).
 *
 * A link that comes and goes is judged by whole passes, each from the beginning of a connection to the beginning of a
 * later one: the mean of the last six, outages included, with a band of the slow and the fast ones. One outage is no
 * pattern: with fewer than two passes, as after an outage much longer than the others, the forecast begins again with
 * the connection.
 *
 * Nothing is forecast before 30 s of a connection, or two passes, have been seen. What is seen while the backlog may
 * not go does not count, and a journal that has caught up forgets all.
 */
export type DrainForecast =
  /** Nothing older than the live samples is pending. */
  | { readonly kind: 'caught_up' }
  /** Too little has been seen. */
  | { readonly kind: 'unknown' }
  /** At this rate never: what is sampled exceeds what is delivered. */
  | { readonly kind: 'never' }
  /**
   * ms from now; `lowMs` and `highMs` are null before two minutes were seen, `highMs` also while the slow ones gain
   * nothing.
   */
  | {
      readonly kind: 'in';
      readonly ms: number;
      readonly lowMs: number | null;
      readonly highMs: number | null;
    };

/** Bytes by which the pending ones shrank within a time. */
type Shrinkage = { readonly ms: number; readonly bytes: number };

type Connection = {
  readonly kind: 'connected';
  readonly ms: number;
  /** By which the pending ones shrank since it has settled. */
  readonly bytes: number;
  /** Bytes a second; less than 0 while more comes than goes. */
  readonly rate: number;
  /** The minute under way, and the whole ones before it, newest last. */
  readonly minute: Shrinkage;
  readonly minutes: readonly number[];
};

/** A time with or without a connection. */
type Spell = Connection | { readonly kind: 'outage'; readonly ms: number };

/** From the beginning of a connection to the beginning of a later one. */
type Pass = { readonly connectedMs: number; readonly outageMs: number; readonly bytes: number };

export type DrainSeen = {
  readonly latest: { readonly at: number; readonly bytes: number } | null;
  readonly spell: Spell | null;
  /** The one under way; null before the first connection. */
  readonly pass: Pass | null;
  /** Whole ones, newest last. */
  readonly passes: readonly Pass[];
};

export type DrainLook = {
  /** Monotonic, ms. */
  readonly at: number;
  readonly pendingBytes: number;
  /** `held`: backlog may not go now, link or no link. `caught_up`: there is none. */
  readonly link: 'connected' | 'outage' | 'held' | 'caught_up';
};

export const NOTHING_SEEN: DrainSeen = { latest: null, spell: null, pass: null, passes: [] };

const NEW_CONNECTION: Connection = {
  kind: 'connected',
  ms: 0,
  bytes: 0,
  rate: 0,
  minute: { ms: 0, bytes: 0 },
  minutes: [],
};
const NEW_PASS: Pass = { connectedMs: 0, outageMs: 0, bytes: 0 };

/**
 * With less, a connection that outlives outages of 45 s in every 60 would be forecast 40 % too long and too short by
 * turns.
 */
const TAU_MS = 120_000;
const LEAST_SEEN_MS = 30_000;
/**
 * Hello, and finding out what the link carries, take so long on slow links: the mean of a connection does not count it.
 */
const SETTLING_MS = 15_000;
const MINUTE_MS = 60_000;
const MINUTES = 10;
const BAND_PARTS = 2;
/** Between two looks; after longer, as when the machine slept, all begins again. */
const MAX_STEP_MS = 15_000;
const PASSES = 6;
const LEAST_PASSES = 2;
/** A shorter pass is one with the next, so that a link that flaps is not judged by moments. */
const LEAST_PASS_MS = 30_000;
/** Of the next longest outage: one that is longer is no part of a pattern. A pass may be missed. */
const OUTAGE_FACTOR = 3;
/** Outages up to this do not differ by much. */
const SHORT_OUTAGE_MS = 60_000;
/** Of the longest connection that was seen: one that lasts longer is judged by itself. */
const CONNECTION_FACTOR = 2;

export function lookAtDrain(seen: DrainSeen, { at, pendingBytes, link }: DrainLook): DrainSeen {
  if (link === 'caught_up') return NOTHING_SEEN;
  const latest = { at, bytes: pendingBytes };
  const ms = seen.latest === null ? 0 : at - seen.latest.at;
  if (seen.latest === null || ms > MAX_STEP_MS) return turned({ ...NOTHING_SEEN, latest }, link);
  if (ms <= 0) return turned(seen, link);
  const gone = { ms, bytes: seen.latest.bytes - pendingBytes };
  return turned({ ...(link === 'held' ? seen : counted(seen, gone)), latest }, link);
}

/** Of a backlog that may go. */
export function forecastOf(seen: DrainSeen): DrainForecast {
  if (seen.latest === null) return { kind: 'unknown' };
  const { bytes } = seen.latest;
  const connection = byConnection(seen, bytes);
  const passes = byPasses(seen, bytes);
  if (connection === null || passes === null) return connection ?? passes ?? { kind: 'unknown' };
  return isByItself(seen, connection) ? connection : passes;
}

/** What has passed counts for the spell and the pass that it belongs to. */
function counted(seen: DrainSeen, gone: Shrinkage): DrainSeen {
  const { spell, pass } = seen;
  if (spell === null) return seen;
  const isConnected = spell.kind === 'connected';
  return {
    ...seen,
    spell: isConnected ? longer(spell, gone) : { kind: 'outage', ms: spell.ms + gone.ms },
    pass: pass && {
      connectedMs: pass.connectedMs + (isConnected ? gone.ms : 0),
      outageMs: pass.outageMs + (isConnected ? 0 : gone.ms),
      bytes: pass.bytes + gone.bytes,
    },
  };
}

function longer(spell: Connection, gone: Shrinkage): Connection {
  const ms = spell.ms + gone.ms;
  const sum = spell.bytes + gone.bytes;
  // What has grown meanwhile goes first: that it goes then is no gain.
  const bytes = ms <= SETTLING_MS ? Math.min(0, sum) : sum;
  const settledMs = Math.max(gone.ms, ms - SETTLING_MS);
  const weight = 1 - Math.exp(-gone.ms / TAU_MS);
  const minute = { ms: spell.minute.ms + gone.ms, bytes: spell.minute.bytes + gone.bytes };
  const isWhole = minute.ms >= MINUTE_MS;
  return {
    kind: 'connected',
    ms,
    bytes,
    // At first the plain mean, or the first second would count for two minutes.
    rate:
      settledMs <= TAU_MS
        ? perSecond({ ms: settledMs, bytes })
        : spell.rate + (perSecond(gone) - spell.rate) * weight,
    minute: isWhole ? { ms: 0, bytes: 0 } : minute,
    minutes: isWhole ? [...spell.minutes, perSecond(minute)].slice(-MINUTES) : spell.minutes,
  };
}

/** The link has come or gone. */
function turned(seen: DrainSeen, link: 'connected' | 'outage' | 'held'): DrainSeen {
  const { spell, pass, passes } = seen;
  if (link === 'held' || link === spell?.kind) return seen;
  if (link === 'outage') return { ...seen, spell: { kind: 'outage', ms: 0 } };
  if (pass === null) return { ...seen, spell: NEW_CONNECTION, pass: NEW_PASS };
  if (lengthOf(pass) < LEAST_PASS_MS) return { ...seen, spell: NEW_CONNECTION };
  const all = [...passes, pass];
  return {
    ...seen,
    spell: NEW_CONNECTION,
    pass: NEW_PASS,
    passes: isPattern(all.map(({ outageMs }) => outageMs)) ? all.slice(-PASSES) : [],
  };
}

function byConnection({ spell }: DrainSeen, bytes: number): DrainForecast | null {
  if (spell?.kind !== 'connected' || spell.ms < LEAST_SEEN_MS) return null;
  return forecastAt(bytes, spell.rate, spell.minutes);
}

function byPasses({ spell, passes }: DrainSeen, bytes: number): DrainForecast | null {
  if (passes.length < LEAST_PASSES) return null;
  const outages = passes.map(({ outageMs }) => outageMs);
  if (spell?.kind === 'outage' && !isPattern([...outages, spell.ms])) return null;
  const sum = passes.reduce(
    ({ ms, bytes: gone }, pass) => ({ ms: ms + lengthOf(pass), bytes: gone + pass.bytes }),
    { ms: 0, bytes: 0 },
  );
  return forecastAt(
    bytes,
    perSecond(sum),
    passes.map((pass) => perSecond({ ms: lengthOf(pass), bytes: pass.bytes })),
  );
}

/**
 * Whether outages do not matter now: the connection is out of the pattern, or is over with the backlog before it ends
 * as usual.
 */
function isByItself({ spell, passes }: DrainSeen, connection: DrainForecast): boolean {
  const lasted = spell?.ms ?? 0;
  const usual = passes.map(({ connectedMs }) => connectedMs);
  if (lasted > CONNECTION_FACTOR * Math.max(...usual)) return true;
  const mean = usual.reduce((sum, ms) => sum + ms, 0) / usual.length;
  return connection.kind === 'in' && lasted + connection.ms <= mean;
}

/** Whether none of the outages is by far longer than all others. */
function isPattern(outages: readonly number[]): boolean {
  const [longest = 0, next] = outages.toSorted((a, b) => b - a);
  return next === undefined || longest <= Math.max(SHORT_OUTAGE_MS, OUTAGE_FACTOR * next);
}

const lengthOf = ({ connectedMs, outageMs }: Pass): number => connectedMs + outageMs;

const perSecond = ({ ms, bytes }: Shrinkage): number => (bytes * 1000) / ms;

/** `rate`: bytes a second; `parts`: those of the minutes or passes that it stands for. */
function forecastAt(bytes: number, rate: number, parts: readonly number[]): DrainForecast {
  if (rate <= 0) return { kind: 'never' };
  const after = (speed: number) => (speed > 0 ? (bytes * 1000) / speed : null);
  const ms = (bytes * 1000) / rate;
  if (parts.length < BAND_PARTS) return { kind: 'in', ms, lowMs: null, highMs: null };
  // The rate may be slower or faster than all those: the band has its own value always.
  const lowMs = after(percentile(parts, 0.8)) ?? ms;
  const highMs = after(percentile(parts, 0.2));
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
