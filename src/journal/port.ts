/** The agent's journal: an append-only log of frames of one epoch, over a Storage. */
import type { Observable } from 'rxjs';
import type { Coverage, SeqRange } from '../protocol/coverage.ts';
import type { DiskState } from '../protocol/events.ts';
import type { FrameHeader, GapReason } from '../protocol/frame.ts';
import type { Epoch, InternedSchema, SchemaRef } from '../protocol/sample.ts';
import type { SampleRows } from '../protocol/sample-block.ts';

export const OVERFLOW_POLICIES = ['thin', 'drop-oldest', 'drop-newest', 'block'] as const;
export type OverflowPolicy = (typeof OVERFLOW_POLICIES)[number];

export type StoredFrame = {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly kind: FrameHeader['kind'];
  /** Whether a sample of it carries an anomaly or a diagnostic, or was kept whole alongside one that does. */
  readonly notable: boolean;
  readonly tsMin: number;
  readonly tsMax: number;
  /** The encoded frame. */
  readonly bytes: Uint8Array;
};

/** What an append made of its samples. */
export type Appended =
  | { readonly kind: 'committed'; readonly frame: StoredFrame }
  /** Policy `drop-newest`: the samples got their seqs and a gap frame stands for them. */
  | { readonly kind: 'dropped'; readonly frame: StoredFrame };

export type JournalStats = {
  readonly epoch: Epoch;
  /** Highest seq given out. */
  readonly sampled: number;
  /** Every seq up to here is acked and gone from the journal. */
  readonly released: number;
  /** Samples in the journal that HQ has not acked; gaps do not count. */
  readonly pending: number;
  /** Those of the pending ones that lie in thinned frames: only their buckets are left. */
  readonly thinned: number;
  readonly pendingBytes: number;
  readonly pendingFrames: number;
  /** Samples in those frames: the pending ones, and ones that HQ has acked of frames of which it has only a part. */
  readonly frameSamples: number;
  /** Acked by HQ as samples. sampled = acked + pending + Σ dropped. */
  readonly acked: number;
  readonly dropped: Readonly<Partial<Record<GapReason, number>>>;
  readonly maxBytes: number;
  /** The last run that HQ accepted; null before the first. */
  readonly greeting: { readonly number: number; readonly instance: string } | null;
  /** Identity of the HQ that this epoch speaks with; null before the first that told its own. */
  readonly hq: string | null;
  /** Whether its ledger had to be rebuilt after damage since HQ accepted last: HQ may then take it for a copy. */
  readonly rebuilt: boolean;
  /** Whether the quota is reached and samples are given up, or wait. */
  readonly overflowing: boolean;
  /** Whether the quota nears: under policy `thin`, that `thin` has work to do. */
  readonly crowded: boolean;
  readonly disk: DiskState;
  /** Wall time of the oldest pending sample; null when none. */
  readonly oldestPendingTs: number | null;
};

export type PendingQuery = {
  readonly order: 'oldest' | 'newest';
  /** Only frames with anomalies or diagnostics. */
  readonly notable?: boolean;
  /** Only frames that lie wholly beyond this seq in the given order. */
  readonly after?: number;
  readonly limit: number;
};

export type DownsamplingCounts = {
  /** Frames that went in and came out. */
  readonly rewritten: number;
  readonly thinned: number;
  /** Samples of which only buckets are left since. */
  readonly samples: number;
  /** On the disk. */
  readonly freedBytes: number;
};

/** Samples. */
export type Reinstated = { readonly again: number; readonly lost: number };

export type Journal = {
  readonly epoch: Epoch;
  /**
   * Highest seq that had been given out when the first run since the last accepted hello opened it: HQ can hold none of
   * this journal beyond it.
   */
  readonly begun: number;
  /**
   * Gives the samples the next seqs and commits them as one head frame; emits once durable. Samples of several schemas
   * may be mixed.
   */
  readonly append: (samples: readonly SampleRows[]) => Observable<Appended>;
  /** Unacked frames, gap frames included; emits one frame at a time and completes after `limit`. */
  readonly pending: (query: PendingQuery) => Observable<StoredFrame>;
  /** Takes note of what HQ holds durably and removes frames that it covers wholly; emits the stats after it. */
  readonly release: (acked: Coverage) => Observable<JournalStats>;
  /** Notes durably that HQ has accepted this run; nothing may be sent before. Emits once. */
  readonly noteAccepted: (instance: string) => Observable<void>;
  /** Notes durably which HQ this epoch speaks with. Emits once. */
  readonly noteHq: (hq: string) => Observable<void>;
  /** Notes durably that another journal uses this epoch: the next open gives this one a new epoch. Emits once. */
  readonly noteFork: () => Observable<void>;
  /**
   * HQ holds less than it has acked: a backup of it was restored. What is still here of the difference becomes pending
   * again, the rest a gap `lost_at_hq`. `held`: everything that HQ holds of the epoch. Emits how many samples are
   * pending again and lost.
   */
  readonly reinstate: (held: Coverage) => Observable<Reinstated>;
  /**
   * Replaces a pending frame that HQ will never take by a gap frame and keeps it as a local dead letter. `lastSeq`:
   * where it ended when it was read; a frame that has grown since, by compaction, stays, as most of it may be good.
   */
  readonly reject: (firstSeq: number, detail: string, lastSeq?: number) => Observable<JournalStats>;
  /**
   * Merges runs of small adjacent frames into compacted ones, leaving out seqs within `inFlight`; emits how many frames
   * went in and came out.
   */
  readonly compact: (inFlight: readonly SeqRange[]) => Observable<{ merged: number; compacted: number }>;
  /**
   * Under policy `thin`, once the quota nears: rewrites the oldest frames at half their resolution or less, leaving out
   * seqs within `inFlight`. Emits what came of it once there is room again, or nothing more can be done.
   */
  readonly thin: (inFlight: readonly SeqRange[]) => Observable<DownsamplingCounts>;
  /** What the pipeline had kept last; undefined: nothing, or it is damaged. */
  readonly keptState: () => Uint8Array | undefined;
  /** Keeps something of the pipeline durably, in the place of what it kept before. Emits once. */
  readonly keepState: (bytes: Uint8Array) => Observable<void>;
  readonly schema: (ref: SchemaRef) => InternedSchema | undefined;
  /**
   * What the source of this name said of itself with the last of its samples that is durable here: committed, or
   * refused by a full journal. Null: nothing.
   */
  readonly position: (source: string) => string | null;
  readonly stats: () => JournalStats;
  /** Emits the stats at once and after every change. */
  readonly stats$: Observable<JournalStats>;
  readonly close: () => Observable<never>;
};
