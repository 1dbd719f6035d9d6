/** Which failures the circuit breaker counts, and when the receiver's own word ends its wait. */
import { catchError, type MonoTypeOperatorFunction, NEVER, Observable, type SchedulerLike } from 'rxjs';
import type { CircuitBreaker } from '../streams/circuit-breaker.ts';
import { isFailure, type Judge } from './verdict.ts';

export type FailuresOptions = {
  readonly breaker: Pick<CircuitBreaker, 'protect' | 'recoveryHint'>;
  readonly judge: Judge<unknown>;
  readonly scheduler: SchedulerLike;
};

export type Failures = {
  /** The breaker, which sees failures of writes that were under way together as one. */
  readonly guard: <T>() => MonoTypeOperatorFunction<T>;
  /**
   * The receiver says whether it can take writes. That it can ends the wait of an open breaker where it had said that
   * it cannot, or had answered the last failure itself.
   */
  readonly receiverReady: (ready: boolean) => void;
};

export function createFailures({ breaker, judge, scheduler }: FailuresOptions): Failures {
  let lastFailureAt = Number.NEGATIVE_INFINITY;
  /**
   * Whether the receiver itself told of the last failure: when it stays silent to writes, what good it says besides
   * proves nothing.
   */
  let answered = false;
  return {
    guard:
      <T>(): MonoTypeOperatorFunction<T> =>
      (source) =>
        new Observable<T>((subscriber) => {
          const startedAt = scheduler.now();
          const counted = source.pipe(
            catchError((error: unknown) => {
              const { health } = judge(error);
              // Writes that were under way together fail together: that is one failure. A lost connection is none.
              const isUncounted = health === 'unknown' || (isFailure(health) && startedAt < lastFailureAt);
              if (isFailure(health)) {
                lastFailureAt = Math.max(lastFailureAt, scheduler.now());
                answered = health === 'down';
              }
              if (!isUncounted) throw error;
              subscriber.error(error);
              return NEVER;
            }),
          );
          return breaker.protect(counted).subscribe(subscriber);
        }),
    receiverReady: (ready) => {
      if (!ready) answered = true;
      else if (answered) breaker.recoveryHint();
    },
  };
}
