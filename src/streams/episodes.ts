/** The course of one episode after the other in one series: what is reported of it, and when. */
import type { Anomaly, DetectionMethod } from '../protocol/anomaly.ts';
import { type Kept, restored } from './kept.ts';

/** An anomaly of one series; times are whatever was given as `ts`. */
export type Episode = Omit<Anomaly, 'series'>;

/** What was normal when an episode opened, and the value that opened it. */
export type Opening = {
  readonly ts: number;
  readonly value: number;
  readonly z: number;
  readonly mean: number;
  readonly stddev: number;
  /** |z| that had to be exceeded. */
  readonly threshold: number;
};

export type OpenEpisode = {
  readonly startTs: number;
  readonly mean: number;
  readonly stddev: number;
  readonly threshold: number;
  peakTs: number;
  peakValue: number;
  peakZ: number;
};

export type Episodes = Kept & {
  readonly current: () => OpenEpisode | null;
  readonly open: (opening: Opening) => Episode;
  /** Another value of the open episode: the episode when its peak has grown enough to be told again, else null. */
  readonly follow: (ts: number, value: number, z: number) => Episode | null;
  readonly close: (ts: number) => Episode | null;
};

/** An open episode is reported again when its peak is this much higher than last reported … */
const GROWTH = 1.25;
/** … but not sooner than this after the last report, ms. */
const REPORT_EVERY_MS = 1000;

/**
 * One episode gives two results at least: `open` with its first value, `closed` with its peak and end. In between,
 * `open` again with the same start where the peak has grown by a quarter since the last report, at most once a second
 * by `ts`.
 */
export function createEpisodes(method: DetectionMethod): Episodes {
  let current: OpenEpisode | null = null;
  let reportedTs = 0;
  let reportedZ = 0;

  const told = ({ threshold, ...open }: OpenEpisode, endTs: number | null): Episode => ({
    state: endTs === null ? 'open' : 'closed',
    ...open,
    endTs,
    judgement: { method, threshold },
  });
  const report = (open: OpenEpisode, ts: number): Episode => {
    reportedTs = ts;
    reportedZ = Math.abs(open.peakZ);
    return told(open, null);
  };

  return {
    current: () => current,
    open: ({ ts, value, z, mean, stddev, threshold }) => {
      current = { startTs: ts, peakTs: ts, peakValue: value, peakZ: z, mean, stddev, threshold };
      return report(current, ts);
    },
    follow: (ts, value, z) => {
      if (current === null) return null;
      if (Math.abs(z) > Math.abs(current.peakZ)) {
        current.peakTs = ts;
        current.peakValue = value;
        current.peakZ = z;
      }
      // A clock that was set back must not silence it, so the distance counts either way.
      const due = Math.abs(ts - reportedTs) >= REPORT_EVERY_MS;
      return due && Math.abs(current.peakZ) >= GROWTH * reportedZ ? report(current, ts) : null;
    },
    close: (ts) => {
      const ended = current;
      current = null;
      return ended === null ? null : told(ended, ts);
    },
    save: (put) => {
      put(current === null ? 0 : 1);
      if (current === null) return;
      const { startTs, mean, stddev, threshold, peakTs, peakValue, peakZ } = current;
      for (const value of [startTs, mean, stddev, threshold, peakTs, peakValue, peakZ]) put(value);
      put(reportedTs);
      put(reportedZ);
    },
    restore: (take) => {
      current = null;
      if (restored(take(), 0, 1) === 0) return;
      const [startTs, mean, stddev, threshold] = [take(), take(), take(), take()];
      current = { startTs, mean, stddev, threshold, peakTs: take(), peakValue: take(), peakZ: take() };
      reportedTs = take();
      reportedZ = take();
    },
  };
}
