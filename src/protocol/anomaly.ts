/** Apart from what else a sample is, as the published operators give it and need no more than this. */

/**
 * How anomalies are found: by the z-score of each value, by that of means of several, or by one whose threshold is
 * learned. Their order is that of the wire.
 */
export const DETECTION_METHODS = ['zscore', 'mean_zscore', 'adaptive'] as const;
export type DetectionMethod = (typeof DETECTION_METHODS)[number];

/**
 * One episode of a series beyond its z-score threshold, reported when it opens and when it closes; in between it may be
 * reported as open again, with the same `startTs` and a higher peak. It is one episode however often it is reported.
 */
export type Anomaly = {
  /** Index into the schema's series. */
  readonly series: number;
  readonly state: 'open' | 'closed';
  /**
   * Wall time (ms) of the first sample beyond the threshold, or of the first one of the mean that is; identifies the
   * episode within its series.
   */
  readonly startTs: number;
  readonly peakTs: number;
  readonly peakValue: number;
  /** z-score at the peak, signed. */
  readonly peakZ: number;
  /** Mean and standard deviation of the window when the episode opened. */
  readonly mean: number;
  readonly stddev: number;
  /** Wall time (ms) of the first sample back within the threshold; null while open. */
  readonly endTs: number | null;
  /** What judged it, and the |z| beyond which it opened. Absent: found by an agent of 0.1. */
  readonly judgement?: { readonly method: DetectionMethod; readonly threshold: number };
};
