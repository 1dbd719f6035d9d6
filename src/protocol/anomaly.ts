/** Apart from what else a sample is, as the published operators give it and need no more than this. */

/**
 * One episode of a series beyond its z-score threshold, reported when it opens and when it closes; in between it may be
 * reported as open again, with the same `startTs` and a higher peak. It is one episode however often it is reported.
 */
export type Anomaly = {
  /** Index into the schema's series. */
  readonly series: number;
  readonly state: 'open' | 'closed';
  /** Wall time (ms) of the first sample beyond the threshold; identifies the episode within its series. */
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
};
