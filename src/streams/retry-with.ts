import { defer, type MonoTypeOperatorFunction, retry, type SchedulerLike, throwError, timer } from 'rxjs';
import type { Random } from '../platform/random.ts';
import { type Backoff, type BackoffOptions, backoff, checkBackoff } from './backoff.ts';
import { requireCount } from './options.ts';

/** What an error means for the next attempt. */
export type RetryVerdict =
  /**
   * `afterMs`: the other side asked to be left alone so long. The backoff comes on top, so that its clients do not
   * return together.
   */
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number }
  | { readonly kind: 'give-up'; readonly reason: string };

export type RetryNotice = {
  readonly error: unknown;
  readonly reason: string;
  /** Failures in a row, this one included. */
  readonly attempt: number;
  readonly delayMs: number;
};

export type RetryOptions = {
  readonly classify: (error: unknown) => RetryVerdict;
  /** Delays between attempts; begins again after a success. */
  readonly backoff: BackoffOptions;
  /** Attempts in a row without a value, the first included. Default: no limit. */
  readonly maxAttempts?: number;
  /** Told of every retry before its delay, for instance to log the first of a run. */
  readonly onRetry?: (notice: RetryNotice) => void;
};

/**
 * Subscribes again after an error, as long as the verdict on the error is `retry`, after a backoff.
 *
 * ```
 * attempts                          --#   --a--#     --|
 * retryWith(…), delays of 3         -----  --a------  --|
 * ```
 *
 * A value counts as success and resets attempts and backoff. Gives up with the source's own error, on the verdict
 * `give-up` or after `maxAttempts`; a throw of `classify` becomes the error. Completes with the source.
 */
export function retryWith<T>(
  options: RetryOptions,
  random: Random,
  scheduler: SchedulerLike,
): MonoTypeOperatorFunction<T> {
  const { classify, maxAttempts = Number.POSITIVE_INFINITY, onRetry } = options;
  if (maxAttempts !== Number.POSITIVE_INFINITY) requireCount('maxAttempts', maxAttempts);
  checkBackoff(options.backoff);
  return (source) =>
    defer(() => {
      let step: Backoff | undefined;
      return source.pipe(
        retry({
          resetOnSuccess: true,
          delay: (error: unknown, attempt) => {
            const verdict = classify(error);
            if (verdict.kind === 'give-up' || attempt >= maxAttempts) return throwError(() => error);
            step = step === undefined || attempt === 1 ? backoff(options.backoff, random) : step.next();
            const delayMs = step.delayMs + (verdict.afterMs ?? 0);
            onRetry?.({ error, reason: verdict.reason, attempt, delayMs });
            return timer(delayMs, scheduler);
          },
        }),
      );
    });
}
