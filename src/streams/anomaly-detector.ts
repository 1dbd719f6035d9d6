/** Finds the anomalies of one series. */
import type { DetectionMethod } from '../protocol/anomaly.ts';
import { createEpisodes, type Episode, type OpenEpisode } from './episodes.ts';
import type { Kept } from './kept.ts';
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
  /** What the anomalies are said to be judged by. Default `zscore`. */
  readonly method?: DetectionMethod;
};

export type AnomalyDetector = Kept & {
  /**
   * The episode when this value opens or closes one, or has its peak grown enough to be told again; else null.
   * Values that are not finite change nothing.
   */
  readonly next: (ts: number, value: number) => Episode | null;
  /**
   * As `next` for every entry in turn, which `report` is given the results of. NaN stands for no value. Far cheaper a
   * value.
   */
  readonly nextColumn: (
    ts: Float64Array,
    values: Float64Array,
    report: (index: number, episode: Episode) => void,
  ) => void;
};

/**
 * Finds episodes in which one series leaves its rolling z-score band; see {@link file://./episodes.ts} for what is
 * reported of one.
 *
 * While an episode lasts, its values stay out of the window, so that they are judged by what was normal before them
 * and do not make themselves normal. A level that lasts for a whole window is the new normal: its last values
 * become the window, and the episode is closed at that value.
 *
 * Costs O(1) a value and allocates only for episodes.
 */
export function createAnomalyDetector(options: AnomalyOptions): AnomalyDetector {
  const { threshold, clearThreshold, minStddev, warmUp, window, method = 'zscore' } = checked(options);
  const episodes = createEpisodes(method);
  let normal = createRollingStats(window);
  let lately: typeof normal | null = null;

  const judge = (ts: number, value: number): Episode | null => {
    const mean = normal.mean;
    const stddev = Math.max(normal.stddev, minStddev);
    const z = (value - mean) / stddev;
    if (normal.count < Math.max(1, warmUp) || stddev === 0 || Math.abs(z) <= threshold) {
      normal.push(value);
      return null;
    }
    lately ??= createRollingStats(window);
    lately.clear();
    lately.push(value);
    return episodes.open({ ts, value, z, mean, stddev, threshold });
  };

  const follow = (open: OpenEpisode, ts: number, value: number): Episode | null => {
    const z = (value - open.mean) / open.stddev;
    if (Math.abs(z) <= clearThreshold) {
      normal.push(value);
      return episodes.close(ts);
    }
    const grown = episodes.follow(ts, value, z);
    lately?.push(value);
    if (lately === null || lately.count < window) return grown;
    [normal, lately] = [lately, normal];
    return episodes.close(ts);
  };

  const next = (ts: number, value: number): Episode | null => {
    if (!Number.isFinite(value)) return null;
    const open = episodes.current();
    return open === null ? judge(ts, value) : follow(open, ts, value);
  };

  return {
    next,
    nextColumn: (ts, values, report) => {
      let index = 0;
      for (;;) {
        if (episodes.current() === null) index = normal.pushWithin(values, index, threshold);
        if (index >= values.length) return;
        const found = next(ts[index] as number, values[index] as number);
        if (found !== null) report(index, found);
        index += 1;
      }
    },
    save: (put) => {
      normal.save(put);
      episodes.save(put);
      if (episodes.current() !== null) lately?.save(put);
    },
    restore: (take) => {
      normal.restore(take);
      episodes.restore(take);
      if (episodes.current() === null) return;
      lately = createRollingStats(window);
      lately.restore(take);
    },
  };
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
