/**
 * Keeps the estimate of each way to HQ, of which one is taken at a time: is told what goes and comes, says what may be
 * in flight.
 */
import { filter, type Observable, Subject } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { allowedBy } from './allowed.ts';
import type { RoundTrip } from './link.ts';
import {
  type EstimateEvent,
  type LinkEstimate,
  NEW_ESTIMATE,
  nextEstimate,
  rateOf,
} from './link-estimate.ts';
import { boundedBy, type LinkWindow, windowOf } from './link-window.ts';
import type { UplinkGate } from './metering/gate.ts';
import { onTheWire } from './wire-bytes.ts';

export type LinkGaugeOptions = {
  /** Queueing delay that the backlog may cause, ms. */
  readonly queueTargetMs: number;
  /** Backlog frames that may be in flight. */
  readonly maxFrames: number;
  readonly clock: Pick<Clock, 'precise'>;
  /** What the data budget lets go. */
  readonly gate: Pick<UplinkGate, 'allows' | 'room'>;
};

export type LinkGauge = {
  /** Over the way with this number: what is known of it is taken up again. */
  readonly connected: (way?: number) => void;
  /** A message of so many bytes is handed over; gives the number that its answer is told with, larger each time. */
  readonly sent: (bytes: number) => number;
  readonly answered: (id: number) => void;
  /** Its connection or its deadline has ended. */
  readonly abandoned: (id: number) => void;
  /** Something small was answered; `smaller`: just after something that is smaller still. */
  readonly probed: (trip: RoundTrip, smaller?: RoundTrip) => void;
  readonly window: () => LinkWindow;
  readonly estimate: () => LinkEstimate;
  /**
   * Time that a message of `bytes` may take beyond the usual deadline: what is in flight goes first, at a quarter of
   * the rate. ms.
   */
  readonly allowanceMs: (bytes: number) => number;
  /** Emits whenever something that was sent before now is answered; what waits behind it may wait on. */
  readonly progress$: () => Observable<unknown>;
};

/** 1 kbit/s, in bytes per ms: what a link of which nothing is known yet may have. */
const SLOWEST_RATE = 0.125;
const CAUTION = 4;
const MAX_ALLOWANCE_MS = 600_000;

const crossing = ({ bytes, ms }: RoundTrip): RoundTrip => ({ bytes: onTheWire(bytes), ms });

export function createLinkGauge({ queueTargetMs, maxFrames, clock, gate }: LinkGaugeOptions): LinkGauge {
  const answers$ = new Subject<number>();
  let estimate = NEW_ESTIMATE;
  let current = 0;
  /** What is known of the other ways. */
  const others = new Map<number, LinkEstimate>();
  let nextId = 1;
  let pacedUntil = 0;
  const now = () => clock.precise();
  const note = (event: EstimateEvent) => {
    estimate = nextEstimate(estimate, event, { queueTargetMs });
  };
  const linkWindow = () =>
    windowOf(estimate, { queueTargetMs, maxFrames, now: now(), pacedUntil, allowed: allowedBy(gate) });
  const window = () => boundedBy(linkWindow(), gate.room());
  return {
    connected: (way = 0) => {
      if (way !== current) {
        others.set(current, estimate);
        estimate = others.get(way) ?? NEW_ESTIMATE;
        current = way;
      }
      pacedUntil = 0;
      note({ type: 'connected', at: now() });
    },
    sent: (bytes) => {
      const id = nextId;
      nextId += 1;
      const wireBytes = onTheWire(bytes);
      // What a budget bounds says nothing of the link.
      const { bytes: allowed, pace } = linkWindow();
      note({ type: 'sent', id, bytes: wireBytes, window: allowed, at: now() });
      pacedUntil = Math.max(pacedUntil, now()) + wireBytes / pace;
      return id;
    },
    answered: (id) => {
      note({ type: 'answered', id, at: now() });
      answers$.next(id);
    },
    abandoned: (id) => note({ type: 'abandoned', id }),
    probed: (trip, smaller) =>
      note({ type: 'probed', trip: crossing(trip), smaller: smaller && crossing(smaller), at: now() }),
    window,
    estimate: () => estimate,
    allowanceMs: (bytes) => {
      const waiting = estimate.inFlightBytes + onTheWire(bytes);
      const rate = Math.max(rateOf(estimate) ?? 0, SLOWEST_RATE);
      return Math.min(MAX_ALLOWANCE_MS, (CAUTION * waiting) / rate);
    },
    progress$: () => {
      const mine = nextId;
      return answers$.pipe(filter((id) => id < mine));
    },
  };
}
