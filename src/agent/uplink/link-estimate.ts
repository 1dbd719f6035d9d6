/**
 * What the uplink knows of its link, from its own frames and their answers: delivery rate, least round trip, queueing
 * delay. Pure: events in, estimate out.
 *
 * The two filters are those of BBR (Cardwell et al., ACM Queue 14-5; draft-cardwell-iccrg-bbr-congestion-control):
 * - rate: the largest of the last ten rounds' samples. A sample is what was delivered while a frame was under way, over
 *   that time. Samples of a link that was not filled are lower bounds: they may raise the rate, and never lower it.
 * - round trip: the least of the last `PROBE_EVERY_MS`, or nearly so; older than that, the window is smaller for a
 *   round trip so that a standing queue drains and the least can be seen again.
 *
 * While the window still grows, what larger frames took longer than the least round trip bounds the rate from below,
 * far ahead of it.
 *
 * Frames that are late by two queue targets, and arrive slower than the rate, say that the link has slowed down: the
 * older samples no longer count. Late ones that arrive all at once were held up elsewhere: by a disk of HQ, or a busy
 * machine. A round of a filled link that delivered more, and in which one frame met hardly any queue, says that it has
 * become faster: the window grows each round again.
 *
 * Units: bytes as they cross the link (`onTheWire`), milliseconds, bytes per millisecond.
 */
import { asLargeAs, isTelling, queueingDelay, rateBetween, type TimedTrip } from './least-round-trip.ts';
import type { RoundTrip } from './link.ts';
import { arrivesWithin, longer, type Streak } from './streak.ts';

export type EstimateEvent =
  | { readonly type: 'connected'; readonly at: number }
  /** A frame was handed over; `bytes` on the wire; `window`: what was allowed in flight then. */
  | {
      readonly type: 'sent';
      readonly id: number;
      readonly bytes: number;
      readonly window: number;
      readonly at: number;
    }
  /** HQ answered it, whatever it said. */
  | { readonly type: 'answered'; readonly id: number; readonly at: number }
  /** It will not be answered any more. */
  | { readonly type: 'abandoned'; readonly id: number }
  /** Something small was answered: a hello, a heartbeat; `smaller`: just after something that is smaller still. */
  | {
      readonly type: 'probed';
      readonly trip: RoundTrip;
      readonly smaller?: RoundTrip | undefined;
      readonly at: number;
    };

export type Flight = {
  readonly bytes: number;
  readonly sentAt: number;
  /** Whether the link was not filled when it was sent. */
  readonly isLimited: boolean;
  /** As they were when it was sent. */
  readonly delivered: number;
  readonly deliveredAt: number;
  readonly firstSentAt: number;
};

/**
 * `startup`: the window grows each round. `probing`: it is smaller until `until`, so that a queue drains.
 */
export type EstimatePhase =
  | { readonly kind: 'startup'; readonly fullRate: number; readonly flatRounds: number }
  | { readonly kind: 'steady' }
  | { readonly kind: 'probing'; readonly since: number; readonly until: number };

type RateSample = { readonly rate: number; readonly round: number };

export type LinkEstimate = {
  readonly flights: ReadonlyMap<number, Flight>;
  readonly inFlightBytes: number;
  /** Bytes answered on this connection, and when the last of them were. */
  readonly delivered: number;
  readonly deliveredAt: number;
  /** When the frame that was answered last had been sent. */
  readonly firstSentAt: number;
  readonly round: number;
  /** The round ends with the answer to a frame that was sent after so much was delivered. */
  readonly roundEnd: number;
  /** Falling rates of rising rounds; the first is the estimate. */
  readonly rates: readonly RateSample[];
  /** Whether the link was ever filled: until then the rate is only a lower bound. */
  readonly isMeasured: boolean;
  readonly least: TimedTrip | null;
  /** Of the answer before: how long the frame waited in a queue. */
  readonly queueMs: number | null;
  /** That were late by half a target, and by two. */
  readonly queued: Streak | null;
  readonly late: Streak | null;
  /** The least queueing delay of this round. */
  readonly roundQueueMs: number;
  readonly roundLimited: boolean;
  /** Rounds in a row that filled the window and met no queue at some point: more might pass. */
  readonly calmRounds: number;
  /** The rate at its beginning. */
  readonly roundRate: number;
  readonly phase: EstimatePhase;
  /** Lower bound of the rate by how much longer the frame before took than a smaller message; 0: none yet. */
  readonly told: number;
  /** Least round trip of frames that were sent while probing. */
  readonly probed: TimedTrip | null;
};

export type EstimateOptions = {
  /** Queueing delay that the backlog may cause, ms. */
  readonly queueTargetMs: number;
};

const RATE_ROUNDS = 10;
const PROBE_EVERY_MS = 30_000;
const PROBE_EVERY_ROUND_TRIPS = 30;
/** A link whose answers are late may have a longer way now: its least round trip counts no longer than this. */
const DOUBTED_AFTER_MS = 5_000;
const LONGEST_PROBE_MS = 5_000;
/**
 * Of the rate: late answers that arrive faster were held up together, and ones that arrive slower met a slower link.
 */
const BUNCHED = 2;
/** Of the queue target, from which answers show a queue. */
const QUEUED = 0.5;
const SLOWER = 0.85;
/** Growth in a round below which the rate is flat; after so many flat rounds the link is filled. */
const GROWTH = 1.25;
const FLAT_ROUNDS = 3;
/** Of the window in flight, from which a link counts as filled. */
const FILLED = 0.6;
/**
 * A round of a filled link that delivered so much more, with less queueing than this of the target, says that it has
 * become faster.
 */
const FASTER = 1.08;
const HARDLY_QUEUED = 0.5;
/**
 * Of the queue target: less is no queue. After so many rounds without one a frame more is tried, for as many as it
 * takes to see.
 */
const NO_QUEUE = 0.1;
const CALM_ROUNDS = 4;
const LIFTED_ROUNDS = 2;
/** Of what an earlier connection measured. */
const CARRIED_OVER = 0.5;
const LEAST_INTERVAL_MS = 0.25;
/** Of what two round trips tell: what follows from it is handed over at once. */
const HELD_BACK = 0.5;
/** How far the difference of two round trips is believed: a smaller one may have been held up. */
const LEAP = 8;

export const NEW_ESTIMATE: LinkEstimate = {
  flights: new Map(),
  inFlightBytes: 0,
  delivered: 0,
  deliveredAt: 0,
  firstSentAt: 0,
  round: 0,
  roundEnd: 0,
  rates: [],
  isMeasured: false,
  least: null,
  queueMs: null,
  queued: null,
  late: null,
  roundQueueMs: Number.POSITIVE_INFINITY,
  roundLimited: false,
  calmRounds: 0,
  roundRate: 0,
  phase: { kind: 'startup', fullRate: 0, flatRounds: 0 },
  told: 0,
  probed: null,
};

/** Bytes per ms; null before anything was answered. */
export function rateOf(estimate: LinkEstimate): number | null {
  return estimate.rates[0]?.rate ?? null;
}

export function nextEstimate(
  estimate: LinkEstimate,
  event: EstimateEvent,
  options: EstimateOptions,
): LinkEstimate {
  switch (event.type) {
    case 'connected':
      return connected(estimate, event.at);
    case 'sent':
      return sent(estimate, event);
    case 'answered':
      return answered(estimate, event, options);
    case 'abandoned':
      return without(estimate, event.id);
    case 'probed':
      return probed(estimate, event);
  }
}

/** Another connection over the same way: what is known of it is believed by half. */
function connected(estimate: LinkEstimate, at: number): LinkEstimate {
  const rate = rateOf(estimate);
  return {
    ...NEW_ESTIMATE,
    deliveredAt: at,
    firstSentAt: at,
    rates: rate === null ? [] : [{ rate: rate * CARRIED_OVER, round: 0 }],
    least: estimate.least,
  };
}

function sent(estimate: LinkEstimate, event: Extract<EstimateEvent, { type: 'sent' }>): LinkEstimate {
  const { id, bytes, window, at } = event;
  const isIdle = estimate.flights.size === 0;
  // What passed while nothing was under way says nothing about the link.
  const deliveredAt = isIdle ? at : estimate.deliveredAt;
  const firstSentAt = isIdle ? at : estimate.firstSentAt;
  const inFlightBytes = estimate.inFlightBytes + bytes;
  const flight: Flight = {
    bytes,
    sentAt: at,
    isLimited: estimate.phase.kind === 'probing' || inFlightBytes < FILLED * window,
    delivered: estimate.delivered,
    deliveredAt,
    firstSentAt,
  };
  const flights = new Map(estimate.flights).set(id, flight);
  return { ...estimate, flights, inFlightBytes, deliveredAt, firstSentAt };
}

function without(estimate: LinkEstimate, id: number): LinkEstimate {
  const flight = estimate.flights.get(id);
  if (flight === undefined) return estimate;
  const flights = new Map(estimate.flights);
  flights.delete(id);
  return { ...estimate, flights, inFlightBytes: estimate.inFlightBytes - flight.bytes };
}

/** Only the round trip: what is small says nothing about the rate, but before all others it is a lower bound. */
function probed(
  estimate: LinkEstimate,
  { trip, smaller, at }: Extract<EstimateEvent, { type: 'probed' }>,
): LinkEstimate {
  const noted = noteRoundTrip(estimate, { ...trip, at }, at - trip.ms);
  if (noted.rates.length > 0) return noted;
  const bound = trip.bytes / Math.max(LEAST_INTERVAL_MS, trip.ms);
  const told = smaller === undefined ? 0 : rateBetween(smaller, trip);
  const rate = Math.max(bound, Math.min(LEAP * bound, HELD_BACK * told));
  return { ...noted, told, rates: [{ rate, round: noted.round }] };
}

function answered(
  before: LinkEstimate,
  { id, at }: Extract<EstimateEvent, { type: 'answered' }>,
  { queueTargetMs }: EstimateOptions,
): LinkEstimate {
  const flight = before.flights.get(id);
  if (flight === undefined) return before;
  const delivered = before.delivered + flight.bytes;
  const rttMs = Math.max(0, at - flight.sentAt);
  const trip = { ms: rttMs, bytes: flight.bytes, at };
  const counted = { ...without(before, id), delivered, deliveredAt: at, firstSentAt: flight.sentAt };
  const timed = noteRoundTrip(counted, trip, flight.sentAt);
  const queueMs = queueingDelay(trip, { least: timed.least, rate: rateOf(timed) });
  const intervalMs = Math.max(at - flight.deliveredAt, flight.sentAt - flight.firstSentAt, LEAST_INTERVAL_MS);
  const sample = (delivered - flight.delivered) / intervalMs;
  const ended = flight.delivered >= before.roundEnd;
  const rated = leapt(noteRate(timed, { sample, isLimited: flight.isLimited }), trip);
  const queued = queueMs > QUEUED * queueTargetMs ? longer(before.queued, { delivered, at }) : null;
  const late =
    queueMs > 2 * queueTargetMs && !flight.isLimited ? longer(before.late, { delivered, at }) : null;
  const isSlower = late !== null && arrivesWithin(late, { delivered, at }, SLOWER * (rateOf(before) ?? 0));
  const judged = isSlower
    ? slowedDown({ ...rated, queued, late: null }, { sample, at })
    : { ...rated, queued, late, isMeasured: rated.isMeasured || !flight.isLimited };
  const summed = {
    ...judged,
    queueMs,
    roundQueueMs: Math.min(judged.roundQueueMs, queueMs),
    roundLimited: judged.roundLimited || flight.isLimited,
  };
  const isFull = queued !== null && arrivesWithin(queued, { delivered, at }, BUNCHED * (rateOf(summed) ?? 0));
  const phased = isFull && summed.phase.kind === 'startup' ? steady(summed) : summed;
  return ended ? roundEnded(phased, { at, queueTargetMs }) : probeIfDue(phased, { at, queueTargetMs });
}

/**
 * A frame that is larger than the least round trip's took longer by what the link needs for the difference: a lower
 * bound of the rate, and long before the window has grown to it. Two in a row have to tell so, as either round trip may
 * have been held up.
 */
function leapt(estimate: LinkEstimate, trip: TimedTrip): LinkEstimate {
  const { least, phase, told: before, roundRate } = estimate;
  if (phase.kind !== 'startup' || least === null || !isTelling(least, trip)) return estimate;
  const told = rateBetween(least, trip);
  const sample = Math.min(told, before, LEAP * roundRate);
  return { ...noteRate(estimate, { sample, isLimited: true }), told };
}

const steady = (estimate: LinkEstimate): LinkEstimate => ({ ...estimate, phase: { kind: 'steady' } });

function noteRate(
  estimate: LinkEstimate,
  { sample, isLimited }: { sample: number; isLimited: boolean },
): LinkEstimate {
  const rate = rateOf(estimate);
  if (isLimited && rate !== null && sample <= rate) return estimate;
  const { round } = estimate;
  const recent = estimate.rates.filter((one) => one.round > round - RATE_ROUNDS);
  const larger = recent.filter((one) => one.rate > sample);
  return { ...estimate, rates: [...larger, { rate: sample, round }] };
}

/** The link is slower than it was: what counts is what it delivers now. */
function slowedDown(
  estimate: LinkEstimate,
  { sample, at }: { readonly sample: number; readonly at: number },
): LinkEstimate {
  const { least, round } = estimate;
  const doubted =
    least !== null && at - least.at > DOUBTED_AFTER_MS ? { ...least, at: Number.NEGATIVE_INFINITY } : least;
  return steady({ ...estimate, least: doubted, isMeasured: true, rates: [{ rate: sample, round }] });
}

function noteRoundTrip(estimate: LinkEstimate, trip: TimedTrip, sentAt: number): LinkEstimate {
  const { least, phase, probed: seen } = estimate;
  const isLeast = least === null || trip.ms <= least.ms;
  const fair = asLargeAs(trip, { least, rate: rateOf(estimate) });
  const probes = phase.kind === 'probing' && sentAt >= phase.since && (seen === null || fair.ms < seen.ms);
  if (!isLeast && !probes) return estimate;
  return { ...estimate, least: isLeast ? trip : least, probed: probes ? fair : seen };
}

function roundEnded(
  estimate: LinkEstimate,
  now: { readonly at: number; readonly queueTargetMs: number },
): LinkEstimate {
  const next: LinkEstimate = {
    ...estimate,
    round: estimate.round + 1,
    roundEnd: estimate.delivered,
    roundQueueMs: Number.POSITIVE_INFINITY,
    roundLimited: false,
    calmRounds: calmRoundsAfter(estimate, now.queueTargetMs),
    roundRate: rateOf(estimate) ?? 0,
    least: leastAfter(estimate, now),
  };
  const rate = rateOf(estimate) ?? 0;
  const { phase } = estimate;
  if (phase.kind === 'startup') {
    if (estimate.roundLimited) return next;
    if (rate >= phase.fullRate * GROWTH)
      return { ...next, phase: { kind: 'startup', fullRate: rate, flatRounds: 0 } };
    const flatRounds = phase.flatRounds + 1;
    return flatRounds >= FLAT_ROUNDS ? steady(next) : { ...next, phase: { ...phase, flatRounds } };
  }
  const isFaster =
    rate > estimate.roundRate * FASTER && estimate.roundQueueMs < HARDLY_QUEUED * now.queueTargetMs;
  if (phase.kind === 'steady' && !estimate.roundLimited && isFaster)
    return { ...next, phase: { kind: 'startup', fullRate: rate, flatRounds: 0 } };
  return probeIfDue(next, now);
}

/** A round that met no queue at some point has seen the least round trip again: nothing need drain for it. */
function leastAfter(
  { least, roundQueueMs }: LinkEstimate,
  { at, queueTargetMs }: { readonly at: number; readonly queueTargetMs: number },
): LinkEstimate['least'] {
  const isSeen = least !== null && Number.isFinite(least.at) && roundQueueMs < NO_QUEUE * queueTargetMs;
  return isSeen ? { ...least, at } : least;
}

/**
 * Whether one frame more is tried now, as BBR cycles its gain: else a rate and a round trip that are both too small
 * would stay so.
 */
export function isLifted({ phase, calmRounds }: LinkEstimate): boolean {
  return phase.kind === 'steady' && calmRounds >= CALM_ROUNDS;
}

function calmRoundsAfter(
  { phase, roundLimited, roundQueueMs, calmRounds }: LinkEstimate,
  queueTargetMs: number,
): number {
  if (phase.kind !== 'steady' || calmRounds + 1 >= CALM_ROUNDS + LIFTED_ROUNDS) return 0;
  const isCalm = !roundLimited && roundQueueMs < NO_QUEUE * queueTargetMs;
  return isCalm || calmRounds >= CALM_ROUNDS ? calmRounds + 1 : 0;
}

function probeIfDue(
  estimate: LinkEstimate,
  { at, queueTargetMs }: { readonly at: number; readonly queueTargetMs: number },
): LinkEstimate {
  const { phase, least, probed: seen } = estimate;
  if (least === null) return estimate;
  if (phase.kind === 'probing') {
    // A way that has become longer answers later.
    if (at < phase.until || (seen === null && at < phase.until + LONGEST_PROBE_MS)) return estimate;
    return steady({ ...estimate, least: { ...(seen ?? least), at }, probed: null });
  }
  if (phase.kind === 'startup') return estimate;
  if (at - least.at < Math.max(PROBE_EVERY_MS, PROBE_EVERY_ROUND_TRIPS * least.ms)) return estimate;
  // What stands in the queue drains first; what is sent from then on meets none.
  const since = at + Math.max(queueTargetMs, estimate.inFlightBytes / (rateOf(estimate) ?? 1) - least.ms / 2);
  return { ...estimate, probed: null, phase: { kind: 'probing', since, until: since + 1.25 * least.ms } };
}
