import {
  defer,
  distinctUntilChanged,
  EMPTY,
  finalize,
  ignoreElements,
  map,
  merge,
  type Observable,
  type SchedulerLike,
  Subject,
  startWith,
  switchMap,
  tap,
  throwError,
  timer,
} from 'rxjs';
import {
  admit,
  type BreakerRules,
  type BreakerState,
  CLOSED,
  conclude,
  consecutiveFailures,
  type Outcome,
  settle,
  takeHint,
} from './breaker-state.ts';
import { requireAtLeast, requireCount } from './options.ts';

export type CircuitBreakerOptions = {
  /** Failures in a row that open it; minimum 1. */
  readonly failuresToOpen: number;
  /** How long it refuses everything, ms; minimum 1. */
  readonly openMs: number;
  /** Calls let through to try; so many successes close it again. Minimum 1. */
  readonly halfOpenProbes: number;
  /**
   * How long it stays open in spite of a recovery hint when an earlier one was wrong, ms; doubles with each. Minimum 1.
   * Default `openMs`.
   */
  readonly hintBackoffMs?: number;
  /** Which errors are failures of the other side. Others count as success: it answered. Default: all. */
  readonly isFailure?: (error: unknown) => boolean;
};

export type CircuitBreaker = {
  /** The state at once, then every change, open → half-open included. Never ends. */
  readonly state$: Observable<BreakerState>;
  readonly state: () => BreakerState;
  /** Lets a subscription to `source` through, or errors with {@link BreakerOpenError} without subscribing. */
  readonly protect: <T>(source: Observable<T>) => Observable<T>;
  /**
   * Tells it that the other side has been seen, by other means than calls: an open one tries at once instead of waiting
   * for its time. When the probe then fails, the next hint makes it try `hintBackoffMs` after that failure, the one
   * after it twice as long, up to `openMs`: the other side may give hints as often as it likes.
   */
  readonly recoveryHint: () => void;
};

/** A call was refused because the breaker is open, or half-open with all probes under way. */
export class BreakerOpenError extends Error {
  override readonly name = 'BreakerOpenError';
  /** When to try again, ms of the breaker's scheduler; now when only the probes' outcome is awaited. */
  readonly retryAtMs: number;
  constructor(retryAtMs: number) {
    super(`the circuit breaker refuses calls until ${retryAtMs}`);
    this.retryAtMs = retryAtMs;
  }
}

/**
 * Stops calling what keeps failing, and finds out gently when it works again.
 *
 * ```
 * outcomes of calls      -s--f--f                 s--s
 * breaker.state$         c------co-----------h--------c     failuresToOpen 2, halfOpenProbes 2
 *                                 <- openMs ->
 * ```
 *
 * A call has succeeded when `source` completes, or is left by its consumer after a value; it has failed when
 * `source` errors. One left before any value says nothing. The outcome counts only in the state that let the call
 * through: a late one is ignored.
 *
 * The object is shared on purpose: all its calls count together. It holds no timer but while open and observed
 * through `state$`; otherwise the state is worked out when asked for. States after M. Nygard, "Release It!", 2007,
 * and the Cockatiel library.
 */
export function circuitBreaker(options: CircuitBreakerOptions, scheduler: SchedulerLike): CircuitBreaker {
  requireCount('failuresToOpen', options.failuresToOpen);
  requireAtLeast('openMs', options.openMs, 1);
  requireCount('halfOpenProbes', options.halfOpenProbes);
  const { isFailure = () => true, hintBackoffMs = options.openMs } = options;
  requireAtLeast('hintBackoffMs', hintBackoffMs, 1);
  const rules: BreakerRules = {
    trip: consecutiveFailures(options.failuresToOpen),
    openMs: options.openMs,
    halfOpenProbes: options.halfOpenProbes,
    hintBackoffMs,
  };
  let current: BreakerState = CLOSED;
  const changed$ = new Subject<void>();
  // Grows when the kind changes; tells an outcome of this state from one of an earlier state.
  let generation = 0;

  const become = (next: BreakerState) => {
    if (next === current) return;
    if (next.kind !== current.kind) generation += 1;
    current = next;
    changed$.next();
  };
  const state = () => {
    become(settle(current, scheduler.now()));
    return current;
  };
  const halfOpenInTime = (from: BreakerState): Observable<never> =>
    from.kind === 'open'
      ? timer(Math.max(0, from.until - scheduler.now()), scheduler).pipe(
          // Timers may fire a fraction early; this one was set for `until`, so it counts as that.
          tap(() => become(settle(from, from.until))),
          ignoreElements(),
        )
      : EMPTY;

  return {
    state,
    recoveryHint: () => {
      become(takeHint(state(), rules));
      state();
    },
    state$: defer(() => {
      state();
      return changed$.pipe(
        startWith(undefined),
        // Read, not carried: an observer that calls through the breaker must not leave others with an older state.
        map(() => current),
        distinctUntilChanged(),
        switchMap((value) => merge([value], halfOpenInTime(value))),
      );
    }),
    protect: <T>(source: Observable<T>) =>
      defer(() => {
        const now = state();
        const admitted = admit(now, rules);
        if (admitted === null) {
          const retryAtMs = now.kind === 'open' ? now.until : scheduler.now();
          return throwError(() => new BreakerOpenError(retryAtMs));
        }
        become(admitted);
        const mine = generation;
        let concluded = false;
        let answered = false;
        // Before the outcome is passed on, so that its receiver finds the state that follows from it.
        const record = (outcome: Outcome) => {
          if (concluded) return;
          concluded = true;
          if (mine === generation) become(conclude(current, outcome, scheduler.now(), rules));
        };
        return source.pipe(
          tap({
            next: () => {
              answered = true;
            },
            complete: () => record('success'),
            error: (error) => record(isFailure(error) ? 'failure' : 'success'),
          }),
          finalize(() => record(answered ? 'success' : 'abandoned')),
        );
      }),
  };
}
