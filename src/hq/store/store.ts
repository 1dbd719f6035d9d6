/** HQ's store: frames of all agents as received, over a Storage; each seq at most once. */
import type { Observable } from 'rxjs';
import type {
  AnomalyDocument,
  Bucket,
  LedgerEntry,
  SampleDocument,
  SeriesDocument,
} from '../../protocol/api.ts';
import type { Coverage } from '../../protocol/coverage.ts';
import type { FrameHeader } from '../../protocol/frame.ts';
import type { Epoch, InternedSchema, Sample, SchemaRef } from '../../protocol/sample.ts';
import type { PauseRecord } from './pause-record.ts';

export type IngestFrame = {
  readonly agent: string;
  /** Already verified. */
  readonly header: FrameHeader;
  readonly bytes: Uint8Array;
  /** HQ's wall time, ms. */
  readonly arrivalTs: number;
  readonly lane: 'live' | 'backlog' | 'http';
};

export type IngestOutcome = {
  /** Samples that were new and came whole. */
  readonly stored: number;
  /** Seqs that a thinned frame newly accounted for. */
  readonly thinned: number;
  /** Seqs that were already accounted for. */
  readonly duplicates: number;
  /** Seqs that a gap frame newly accounted for. */
  readonly dropped: number;
  readonly coverage: Coverage;
};

/** Emitted after the flush, for the aggregator. */
export type Appended = { readonly frame: IngestFrame; readonly outcome: IngestOutcome };

export type AgentRecord = {
  readonly agent: string;
  /** Epoch of the latest hello or frame. */
  readonly epoch: Epoch;
  readonly firstSeenTs: number;
  /** Why its frames wait, as it said last; absent: they do not. */
  readonly paused?: PauseRecord | undefined;
};

export type TimeRange = { readonly from: number; readonly to: number };
export type Page<T> = { readonly items: readonly T[]; readonly cursor: string | null };

/** A dedup key came again with other content; nothing was stored. */
export class KeyReusedError extends Error {
  override readonly name = 'KeyReusedError';
}

export type HqStore = {
  /** One durable transaction for all frames, dedup inside it; outcomes in order, once flushed. */
  readonly append: (frames: readonly IngestFrame[]) => Observable<readonly IngestOutcome[]>;
  /**
   * HTTP samples: HQ gives them seqs of an epoch of its own per agent. `dedupKey` seen within its TTL: nothing is
   * stored. Errors: KeyReusedError when it was seen with another content.
   */
  readonly appendSamples: (request: {
    readonly agent: string;
    readonly samples: readonly Sample[];
    readonly dedupKey: string;
    /** SHA-256 of what the key stands for, 32 bytes. */
    readonly contentHash: Uint8Array;
    readonly arrivalTs: number;
  }) => Observable<{ readonly duplicate: boolean; readonly stored: number }>;
  /** Whether `appendSamples` would fail with a KeyReusedError now. */
  readonly reusesKey: (request: {
    readonly agent: string;
    readonly dedupKey: string;
    readonly contentHash: Uint8Array;
    readonly arrivalTs: number;
  }) => boolean;
  /**
   * What an agent says of its epoch at hello and heartbeat; seqs at or below `released` that HQ lacks are booked as
   * `lost_at_hq`.
   */
  readonly noteEpoch: (note: {
    readonly agent: string;
    readonly epoch: Epoch;
    readonly sampled: number;
    readonly released: number;
    readonly run?: { readonly number: number; readonly instance: string } | null;
    readonly ts: number;
  }) => Observable<Coverage>;
  readonly putSchema: (agent: string, schema: InternedSchema) => Observable<void>;
  readonly schema: (agent: string, ref: SchemaRef) => InternedSchema | undefined;
  /** Distinct series over all schemas of the agent. */
  readonly seriesCount: (agent: string) => number;
  readonly coverage: (agent: string, epoch: Epoch) => Coverage;
  readonly agents: () => readonly AgentRecord[];
  readonly ledger: (agent: string) => readonly LedgerEntry[];
  /** Oldest first by (ts, epoch, seq). */
  readonly samples: (
    query: { agent: string; limit: number; cursor: string | null } & TimeRange,
  ) => Observable<Page<SampleDocument>>;
  readonly series: (agent: string) => readonly SeriesDocument[];
  /** Series are told apart by source too: two of an agent may measure series of one name. */
  readonly buckets: (
    query: { agent: string; source: string; series: string; stepMs: number } & TimeRange,
  ) => Observable<readonly Bucket[]>;
  readonly anomalies: (query: { agent: string } & TimeRange) => Observable<readonly AnomalyDocument[]>;
  readonly appended$: Observable<Appended>;
  readonly close: () => Observable<never>;
};
