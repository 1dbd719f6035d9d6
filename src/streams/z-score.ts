import { defer, map, type OperatorFunction } from 'rxjs';
import { requireAtLeast, requireCount } from './options.ts';
import { createRollingStats } from './rolling-stats.ts';

export type ZScoreOptions = {
  /** Values in the sliding window; minimum 1. */
  readonly window: number;
  /** Values that the window must hold before a score is given; minimum 2 makes sense. */
  readonly warmUp: number;
  /** Floor of the standard deviation, in the unit of the values; minimum 0. */
  readonly minStddev: number;
};

export type Scored = {
  readonly value: number;
  /** Null during warm-up, for a value that is not finite, and where the deviation (floor included) is 0. */
  readonly z: number | null;
  /** Of the window before this value; the deviation with its floor. */
  readonly mean: number;
  readonly stddev: number;
};

/**
 * The standard score of each value against the window of values before it:
 * `(value − mean) / max(stddev, minStddev)`.
 *
 * ```
 * source    --1--1--2--9--|
 * zScore    --a--b--c--d--|   a and b have no score while warmUp is 2
 * ```
 *
 * Every value then enters the window, outliers too; {@link file://./detect-anomalies.ts} keeps them out.
 * Completes and errors with the source.
 */
export function zScore(options: ZScoreOptions): OperatorFunction<number, Scored> {
  requireCount('window', options.window);
  requireAtLeast('warmUp', options.warmUp, 0);
  requireAtLeast('minStddev', options.minStddev, 0);
  return (source) =>
    defer(() => {
      const stats = createRollingStats(options.window);
      return source.pipe(
        map((value) => {
          const mean = stats.mean;
          const stddev = Math.max(stats.stddev, options.minStddev);
          const known = stats.count >= Math.max(1, options.warmUp) && stddev > 0 && Number.isFinite(value);
          stats.push(value);
          return { value, z: known ? (value - mean) / stddev : null, mean, stddev };
        }),
      );
    });
}
