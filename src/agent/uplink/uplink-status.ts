/** What people and metrics want to know of the uplink. */
import type { Journal } from '../../journal/port.ts';
import type { BreakerState } from '../../streams/breaker-state.ts';
import { isHeldBack } from './backlog-lane.ts';
import { type LinkEstimate, rateOf } from './link-estimate.ts';
import type { LinkGauge } from './link-gauge.ts';
import type { UplinkState } from './state.ts';

export type UplinkStatus = {
  readonly phase: UplinkState['phase'];
  /** Why it is waiting; null otherwise. */
  readonly reason: string | null;
  /** When it tries again, ms of the scheduler's clock; null unless waiting. */
  readonly retryAt: number | null;
  readonly attempt: number;
  /** Number of the latest connection. */
  readonly connection: number;
  readonly breaker: BreakerState['kind'];
  /** Why frames wait although there is a connection, for instance `unavailable`; null while they pass. */
  readonly paused: string | null;
  /** Smoothed round trip of acks, ms. */
  readonly rttMs: number | null;
  /** Our wall clock minus HQ's, ms, by the fastest recent answer. */
  readonly clockOffsetMs: number | null;
  /** Frames in flight. */
  readonly live: number;
  readonly backlog: number;
  /** Whether frames older than the live ones are still to be sent. */
  readonly behind: boolean;
  /** What is known of the link; null without a connection. */
  readonly link: LinkFigures | null;
};

/** Null before the first estimate. */
export type LinkFigures = {
  readonly rateBytesPerSecond: number | null;
  readonly minRttMs: number | null;
  /** Queueing delay beyond that. */
  readonly queueMs: number | null;
  /** Of frames without HQ's answer, headers included. */
  readonly inFlightBytes: number;
};

function figuresOf(estimate: LinkEstimate): LinkFigures {
  const rate = rateOf(estimate);
  return {
    rateBytesPerSecond: rate === null ? null : rate * 1000,
    minRttMs: estimate.least?.ms ?? null,
    queueMs: estimate.queueMs,
    inFlightBytes: estimate.inFlightBytes,
  };
}

/** What the state does not know. */
type Surroundings = {
  readonly breaker: BreakerState;
  readonly paused: string | null;
  readonly gauge: Pick<LinkGauge, 'estimate'>;
  readonly journal: Pick<Journal, 'stats'>;
};

export function statusOf(now: UplinkState, { breaker, paused, gauge, journal }: Surroundings): UplinkStatus {
  const waiting = now.phase === 'waiting' ? now : null;
  const online = now.phase === 'online' ? now : null;
  return {
    phase: now.phase,
    reason: waiting?.reason ?? null,
    retryAt: waiting?.until ?? null,
    attempt: now.memory.attempt,
    connection: now.memory.connection,
    breaker: breaker.kind,
    paused,
    ...now.memory.measures,
    live: online?.live.inFlight.length ?? 0,
    backlog: online?.backlog.inFlight.length ?? 0,
    behind:
      online !== null &&
      (!online.backlog.exhausted ||
        online.backlog.inFlight.length > 0 ||
        online.backlog.ready.length > 0 ||
        now.memory.suspected.length > 0 ||
        isHeldBack(online, journal.stats().pending)),
    link: online === null ? null : figuresOf(gauge.estimate()),
  };
}
