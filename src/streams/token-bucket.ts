import {
  concatMap,
  defer,
  identity,
  type MonoTypeOperatorFunction,
  map,
  of,
  type SchedulerLike,
  timer,
} from 'rxjs';
import { requireAbove } from './options.ts';
import { createTokenLevel } from './token-level.ts';

export type TokenBucketOptions<T> = {
  /** Tokens that may gather while idle: the burst. Above 0. The bucket starts full. */
  readonly capacity: number;
  /** Tokens a second; above 0. Infinity lets everything through. */
  readonly refillPerSecond: number;
  /** Tokens that a value costs, for instance its bytes. Default 1. */
  readonly costOf?: (value: T) => number;
};

/**
 * Paces values, in order, so that over any time t their cost is at most `capacity + refillPerSecond × t`
 * (plus one value that costs more than the capacity: it passes when the bucket is full, and its debt is then paid
 * off).
 *
 * ```
 * source                                                abcd|
 * tokenBucket({ capacity: 2, refillPerSecond: 250 })    ab--c---(d|)
 * ```
 *
 * Values wait without a bound, so feed it from something that is bounded itself. Completes after the last waiting
 * value; an error passes at once and discards what waits. Token bucket as in RFC 2697, with a debt for oversized
 * values.
 */
export function tokenBucket<T>(
  options: TokenBucketOptions<T>,
  scheduler: SchedulerLike,
): MonoTypeOperatorFunction<T> {
  const { capacity, refillPerSecond, costOf = () => 1 } = options;
  requireAbove('capacity', capacity, 0);
  requireAbove('refillPerSecond', refillPerSecond, 0);
  if (refillPerSecond === Number.POSITIVE_INFINITY) return identity;
  return (source) =>
    defer(() => {
      const level = createTokenLevel({ capacity, refillPerSecond });
      return source.pipe(
        concatMap((value) => {
          const waitMs = level.take(costOf(value), scheduler.now());
          return waitMs === 0 ? of(value) : timer(waitMs, scheduler).pipe(map(() => value));
        }),
      );
    });
}
