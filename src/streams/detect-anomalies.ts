import { defer, filter, map, type OperatorFunction } from 'rxjs';
import type { Anomaly } from '../protocol/sample.ts';
import { requireAtLeast, requireCount } from './options.ts';
import { createRollingStats } from './rolling-stats.ts';

export type AnomalyOptions = {
  /** An episode opens where |z| exceeds this; above 0. */
  readonly threshold: number;
  /**
   * And closes where |z| no longer exceeds this; at most `threshold`. The distance keeps a value at the edge from
   * flickering.
   */
  readonly clearThreshold: number;
  /**
   * Values needed before the first judgement; at most `window`. Below 2 only `minStddev` keeps everything from
   * standing out.
   */
  readonly warmUp: number;
  /** Values in the sliding window; minimum 2. */
  readonly window: number;
  /**
   * Floor of the standard deviation, in the unit of the values; minimum 0. At 0 a constant window judges nothing.
   */
  readonly minStddev: number;
};

/** An anomaly of one series; times are whatever was given as `ts`. */
export type Episode = Omit<Anomaly, 'series'>;

export type AnomalyDetector = {
  /** The episode when this value opens or closes one, else null. Values that are not finite change nothing. */
  readonly next: (ts: number, value: number) => Episode | null;
};

type OpenEpisode = {
  readonly startTs: number;
  readonly mean: number;
  readonly stddev: number;
  peakTs: number;
  peakValue: number;
  peakZ: number;
};

/**
 * Finds episodes in which one series leaves its rolling z-score band. One episode gives two results: `open` with
 * its first value, `closed` with its peak and end.
 *
 * While an episode lasts, its values stay out of the window, so that they are judged by what was normal before them
 * and do not make themselves normal. A level that lasts for a whole window is the new normal: its last values
 * become the window, and the episode is closed at that value.
 *
 * Costs O(1) a value and allocates only for episodes.
 */
export function createAnomalyDetector(options: AnomalyOptions): AnomalyDetector {
  const { threshold, clearThreshold, minStddev, warmUp, window } = checked(options);
  let normal = createRollingStats(window);
  let lately: typeof normal | null = null;
  let episode: OpenEpisode | null = null;

  const close = (ended: OpenEpisode, endTs: number): Episode => {
    episode = null;
    return { state: 'closed', ...ended, endTs };
  };

  const judge = (ts: number, value: number): Episode | null => {
    const mean = normal.mean;
    const stddev = Math.max(normal.stddev, minStddev);
    const z = (value - mean) / stddev;
    if (normal.count < Math.max(1, warmUp) || stddev === 0 || Math.abs(z) <= threshold) {
      normal.push(value);
      return null;
    }
    episode = { startTs: ts, peakTs: ts, peakValue: value, peakZ: z, mean, stddev };
    lately ??= createRollingStats(window);
    lately.clear();
    lately.push(value);
    return { state: 'open', ...episode, endTs: null };
  };

  const follow = (open: OpenEpisode, ts: number, value: number): Episode | null => {
    const z = (value - open.mean) / open.stddev;
    if (Math.abs(z) <= clearThreshold) {
      normal.push(value);
      return close(open, ts);
    }
    if (Math.abs(z) > Math.abs(open.peakZ)) {
      open.peakTs = ts;
      open.peakValue = value;
      open.peakZ = z;
    }
    lately?.push(value);
    if (lately === null || lately.count < window) return null;
    [normal, lately] = [lately, normal];
    return close(open, ts);
  };

  return {
    next: (ts, value) => {
      if (!Number.isFinite(value)) return null;
      return episode === null ? judge(ts, value) : follow(episode, ts, value);
    },
  };
}

/**
 * The openings and closings of anomalies in one series; see {@link createAnomalyDetector}.
 *
 * ```
 * values             1--1--1--9--8--1--1--|
 * detectAnomalies    ---------o-----c-----|   o open at 9, c closed at 1 with its peak of 9
 * ```
 *
 * Completes and errors with the source; an episode still open at the end is not closed, since its end was not seen.
 */
export function detectAnomalies(
  options: AnomalyOptions,
): OperatorFunction<{ readonly ts: number; readonly value: number }, Episode> {
  checked(options);
  return (source) =>
    defer(() => {
      const detector = createAnomalyDetector(options);
      return source.pipe(
        map(({ ts, value }) => detector.next(ts, value)),
        filter((episode) => episode !== null),
      );
    });
}

function checked(options: AnomalyOptions): AnomalyOptions {
  requireAtLeast('window', options.window, 2);
  requireCount('window', options.window);
  requireAtLeast('threshold', options.threshold, Number.MIN_VALUE);
  requireAtLeast('clearThreshold', options.clearThreshold, 0);
  requireAtLeast('threshold', options.threshold, options.clearThreshold);
  requireAtLeast('warmUp', options.warmUp, 0);
  requireAtLeast('window', options.window, options.warmUp);
  requireAtLeast('minStddev', options.minStddev, 0);
  return options;
}
