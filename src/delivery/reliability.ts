/**
 * The reliability stack of a write: what is tried again, when, and when it is better to leave the receiver alone.
 *
 * Its order is retry(gate(breaker(deadline(write)))), see decision 7. Innermost the deadline, so that silence is a
 * failure that the breaker sees; around it the breaker, whose refusal is no try. The gate stands before both: to wait
 * is neither a try nor silence.
 */
import {
  BehaviorSubject,
  first,
  type MonoTypeOperatorFunction,
  type Observable,
  observeOn,
  retry,
  type SchedulerLike,
  tap,
  throwError,
  timer,
} from 'rxjs';
import type { Random } from '../platform/random.ts';
import { BreakerOpenError, type CircuitBreaker, circuitBreaker } from '../streams/circuit-breaker.ts';
import { retryWith } from '../streams/retry-with.ts';
import { type DeadlineOptions, IMPATIENT, type Patience, within } from './deadline.ts';
import { createFailures, type Failures } from './failures.ts';
import { createGates } from './gates.ts';
import { isFailure, type Judge } from './verdict.ts';

export type ReliabilityOptions = {
  /** What the error of a write means. */
  readonly judge: Judge<unknown>;
  /** `ackTimeoutMs` is shorter than `breaker.openMs`. */
  readonly deadline: DeadlineOptions;
  readonly breaker: {
    readonly failuresToOpen: number;
    /** ms */
    readonly openMs: number;
    readonly halfOpenProbes: number;
  };
  /** Pauses after a refusal, ms. */
  readonly pause: { readonly initialMs: number; readonly maxMs: number };
  readonly scheduler: SchedulerLike;
  readonly random: Random;
};

/** `L`: lanes. Writes of one lane wait for one another; lanes do not, unless the receiver can serve nobody. */
export type Reliability<L extends string> = {
  readonly breaker: CircuitBreaker;
  readonly receiverReady: Failures['receiverReady'];
  /** Since when a try failed and there will be another; null while writes pass. The present value at once. */
  readonly paused$: Observable<DeliveryPause | null>;
  readonly paused: () => DeliveryPause | null;
  /** Writes until the receiver has taken it. Errors with the write's own error when no repetition mends it. */
  readonly protect: <T>(lane: L, write: Observable<T>, patience?: Patience) => Observable<T>;
};

/** Why writes wait. */
export type DeliveryPause = {
  /** For instance `unavailable`. */
  readonly reason: string;
  /** Until the first of them is tried again, ms. */
  readonly delayMs: number;
};

/** While another write probes a half-open breaker, ms. */
const PROBE_PAUSE_MS = 100;

export function createReliability<L extends string>(options: ReliabilityOptions): Reliability<L> {
  const { judge, scheduler, random } = options;
  const breaker = circuitBreaker(
    {
      ...options.breaker,
      hintBackoffMs: options.pause.initialMs,
      isFailure: (error) => isFailure(judge(error).health),
    },
    scheduler,
  );
  const gates = createGates<L>({ judge, ...options.pause, scheduler, random });
  const failures = createFailures({ breaker, judge, scheduler });
  const paused$ = new BehaviorSubject<DeliveryPause | null>(null);
  const pause = (why: DeliveryPause) => {
    if (paused$.value === null) paused$.next(why);
  };
  const retried = <T>(lane: L): MonoTypeOperatorFunction<T> =>
    retryWith(
      {
        classify: gates.verdictFor(lane),
        // The gate has the jitter.
        backoff: { initialMs: 0, maxMs: 0, jitter: 'none' },
        onRetry: ({ reason, delayMs }) => pause({ reason, delayMs }),
      },
      random,
      scheduler,
    );
  const resumed = (lane: L) => {
    gates.passed(lane);
    // As long as one lane waits, people are told so.
    if (!gates.isAnyWaiting() && paused$.value !== null) paused$.next(null);
  };
  return {
    breaker,
    receiverReady: failures.receiverReady,
    paused$: paused$.asObservable(),
    paused: () => paused$.value,
    protect: (lane, write, patience = IMPATIENT) =>
      write.pipe(
        within(options.deadline, patience, scheduler),
        failures.guard(),
        gates.gated(lane),
        whenLetThrough(breaker, pause, scheduler),
        retried(lane),
        tap(() => resumed(lane)),
      ),
  };
}

/** Waits while the breaker refuses, whose time may come sooner than it says. */
function whenLetThrough<T>(
  breaker: Pick<CircuitBreaker, 'state$'>,
  pause: (why: DeliveryPause) => void,
  scheduler: SchedulerLike,
): MonoTypeOperatorFunction<T> {
  return retry({
    delay: (error: unknown) => {
      if (!(error instanceof BreakerOpenError)) return throwError(() => error);
      const delayMs = error.retryAtMs - scheduler.now();
      if (delayMs <= 0) return timer(PROBE_PAUSE_MS, scheduler);
      pause({ reason: 'breaker_open', delayMs });
      return breaker.state$.pipe(
        first(({ kind }) => kind !== 'open'),
        // In turns of their own: woken within one another's, writes would go out in reverse, the last lane first.
        observeOn(scheduler),
      );
    },
  });
}
