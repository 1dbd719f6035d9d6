/**
 * What a frame says, decoded. The byte layout and the codec are in `frame-codec.ts`; docs/protocol.md gives it byte by
 * byte.
 */
import type { Anomaly, Diagnostic, Epoch, SchemaRef } from './sample.ts';

export const FRAME_VERSION = 1;
export const FRAME_KINDS = ['data', 'gap', 'thinned'] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

/** Limits of one frame; HQ may announce smaller ones. */
export const MAX_FRAME_BYTES = 256 * 1024;
export const MAX_FRAME_SAMPLES = 4096;
/** In all groups of a frame together. */
export const MAX_FRAME_COLUMNS = 262_144;
/** Anomalies and diagnostics of one frame that HQ takes, and of one that holds a single sample and cannot be split. */
export const MAX_FRAME_NOTES = 4096;
export const MAX_SAMPLE_NOTES = 16_384;

export type FrameHeader = {
  readonly version: number;
  readonly kind: FrameKind;
  readonly compression: 'none' | 'zstd';
  readonly encrypted: boolean;
  readonly epoch: Epoch;
  readonly firstSeq: number;
  /**
   * Seqs that the frame stands for: `firstSeq … firstSeq + count − 1`. At most MAX_FRAME_SAMPLES for data; any count
   * for a gap or a thinned frame.
   */
  readonly count: number;
  readonly tsMin: number;
  readonly tsMax: number;
  readonly payloadLength: number;
  /** Bytes before the payload. */
  readonly headerLength: number;
  readonly crc: number;
};

/** Values of one series in one group, one per row. */
export type Column = {
  /** NaN where absent. */
  readonly values: Float64Array;
  /** 1 where a value is present, one byte a row; null: all are. */
  readonly present: Uint8Array | null;
};

/** Anomalies and diagnostics of one row; rows without any have no entry. */
export type RowNotes = {
  readonly row: number;
  readonly anomalies: readonly Anomaly[];
  readonly diagnostics: readonly Diagnostic[];
};

/** The samples of one schema within a frame, columnar; all arrays have one entry a row, rows in ascending seq. */
export type SampleGroup = {
  readonly schemaRef: SchemaRef;
  readonly seqs: Float64Array;
  readonly ts: Float64Array;
  readonly mono: Float64Array;
  /** In schema order; null for a column that the caller did not ask for. */
  readonly columns: readonly (Column | null)[];
  readonly notes: readonly RowNotes[];
};

export type DataFrame = { readonly header: FrameHeader; readonly groups: readonly SampleGroup[] };

/** What is kept of one series in each bucket of a group; one entry a row. */
export type BucketColumn = {
  /** Values that were there, NaN included. */
  readonly counts: Float64Array;
  /**
   * Those of them that were numbers, infinities included; the other figures are of these, and NaN where there were
   * none.
   */
  readonly numbers: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly sum: Float64Array;
};

/** The buckets of one schema within a thinned frame, columnar; rows in ascending first seq. */
export type BucketGroup = {
  readonly schemaRef: SchemaRef;
  /** First seq of each bucket. */
  readonly seqs: Float64Array;
  /** Samples in each bucket. */
  readonly sizes: Float64Array;
  /** Earliest wall time in each bucket, and how far from it the latest is. */
  readonly ts: Float64Array;
  readonly spans: Float64Array;
  /** Of the first sample of each bucket. */
  readonly mono: Float64Array;
  /** In schema order; null for a column that the caller did not ask for. */
  readonly columns: readonly (BucketColumn | null)[];
};

export type DownsampledFrame = { readonly header: FrameHeader; readonly groups: readonly BucketGroup[] };

/** Why seqs never come. */
export const GAP_REASONS = [
  'overflow_oldest',
  'overflow_newest',
  'damaged',
  'rejected',
  'lost_at_hq',
] as const;
export type GapReason = (typeof GAP_REASONS)[number];

/** A frame that stands for seqs that will never come. */
export type GapFrame = {
  readonly epoch: Epoch;
  readonly firstSeq: number;
  readonly count: number;
  readonly tsMin: number;
  readonly tsMax: number;
  readonly reason: GapReason;
};

export type FrameErrorCode =
  | 'truncated'
  | 'bad_magic'
  | 'unsupported_version'
  | 'unsupported_kind'
  | 'encrypted'
  | 'bad_checksum'
  | 'too_large'
  | 'too_many_notes'
  | 'malformed';

/** A buffer that is no valid frame; `code` says how, the message says where. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code: FrameErrorCode;
  constructor(code: FrameErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
