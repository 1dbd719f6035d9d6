/** What the uplink asks before it hands anything to the link. */
import { NEVER, type Observable } from 'rxjs';
import type { BudgetPhase, PauseReason, SendLane } from './data-budget.ts';

/** Bytes of a day or month; `limit` and `left` are null without a limit. */
export type SpanStatus = {
  readonly used: number;
  readonly limit: number | null;
  readonly left: number | null;
};

export type BudgetStatus = {
  readonly phase: BudgetPhase['kind'];
  /** Why something waits; null while all goes. */
  readonly why: PauseReason | 'way' | null;
  /** When that ends, epoch ms; null while all goes, or when that is not known. */
  readonly until: number | null;
  readonly day: SpanStatus;
  readonly month: SpanStatus;
  /** Bytes a second of everything but backlog. */
  readonly liveRate: number;
};

export type UplinkGate = {
  readonly allows: (lane: SendLane) => boolean;
  /** Bytes of the backlog that may be on their way; infinite without a budget. */
  readonly room: () => number;
  /** Emits when an answer of `allows` may have changed. */
  readonly changes$: Observable<void>;
  readonly status: () => BudgetStatus;
};

const UNMETERED: SpanStatus = { used: 0, limit: null, left: null };

/** Lets everything pass, counts nothing. */
export const OPEN_GATE: UplinkGate = {
  allows: () => true,
  room: () => Number.POSITIVE_INFINITY,
  changes$: NEVER,
  status: () => ({ phase: 'open', why: null, until: null, day: UNMETERED, month: UNMETERED, liveRate: 0 }),
};
