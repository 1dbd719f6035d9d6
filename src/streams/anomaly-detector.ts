/** Finds the anomalies of one series. */
import type { Anomaly } from '../protocol/anomaly.ts';
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

type OpenEpisode = {
  readonly startTs: number;
  readonly mean: number;
  readonly stddev: number;
  peakTs: number;
  peakValue: number;
  peakZ: number;
};

/** An open episode is reported again when its peak is this much higher than last reported … */
const GROWTH = 1.25;
/** … but not sooner than this after the last report, ms. */
const REPORT_EVERY_MS = 1000;

/**
 * Finds episodes in which one series leaves its rolling z-score band. One episode gives two results at least: `open`
 * with its first value, `closed` with its peak and end. In between, `open` again with the same start where the peak has
 * grown by a quarter since the last report, at most once a second by `ts`.
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
  let reportedTs = 0;
  let reportedZ = 0;

  const report = (open: OpenEpisode, ts: number): Episode => {
    reportedTs = ts;
    reportedZ = Math.abs(open.peakZ);
    return { state: 'open', ...open, endTs: null };
  };

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
    return report(episode, ts);
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
    if (lately !== null && lately.count >= window) {
      [normal, lately] = [lately, normal];
      return close(open, ts);
    }
    // A clock that was set back must not silence it, so the distance counts either way.
    const due = Math.abs(ts - reportedTs) >= REPORT_EVERY_MS;
    return due && Math.abs(open.peakZ) >= GROWTH * reportedZ ? report(open, ts) : null;
  };

  const next = (ts: number, value: number): Episode | null => {
    if (!Number.isFinite(value)) return null;
    return episode === null ? judge(ts, value) : follow(episode, ts, value);
  };

  return {
    next,
    nextColumn: (ts, values, report) => {
      let index = 0;
      for (;;) {
        if (episode === null) index = normal.pushWithin(values, index, threshold);
        if (index >= values.length) return;
        const found = next(ts[index] as number, values[index] as number);
        if (found !== null) report(index, found);
        index += 1;
      }
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
