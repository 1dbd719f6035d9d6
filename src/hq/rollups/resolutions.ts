/** Widths of rollups. Each is a whole multiple of the one before, so that it is made from that. */

export type Resolution = {
  /** Its place in {@link RESOLUTIONS}; stands in keys. */
  readonly index: number;
  /** As settings and docs call it. */
  readonly name: string;
  /** Width of a bucket, ms; bucket n holds the times from n × this on. */
  readonly stepMs: number;
  /** Times that one record covers, ms. */
  readonly blockMs: number;
  /** Whether quantiles are kept. */
  readonly hasSketches: boolean;
};

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const RESOLUTIONS = [
  { index: 0, name: '10s', stepMs: 10 * SECOND_MS, blockMs: HOUR_MS, hasSketches: false },
  { index: 1, name: '1m', stepMs: MINUTE_MS, blockMs: 6 * HOUR_MS, hasSketches: true },
  { index: 2, name: '1h', stepMs: HOUR_MS, blockMs: 16 * DAY_MS, hasSketches: true },
  { index: 3, name: '1d', stepMs: DAY_MS, blockMs: 384 * DAY_MS, hasSketches: true },
] as const satisfies readonly Resolution[];

/** Most buckets of one record. */
export const MAX_BUCKETS_A_BLOCK = 384;

/** The block that holds a time, ms. */
export const blockOf = ({ blockMs }: Resolution, ts: number): number => Math.floor(ts / blockMs);
