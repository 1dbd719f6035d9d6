/**
 * HQ's store by the roles that others need of it: frames of all agents as received, each seq at most once.
 *
 * What writes or reads records emits later, so that another engine can stand behind each role; what is answered
 * at once is a durable state that the role keeps in memory.
 */
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
import type { AlarmRecord } from './alarms.ts';
import type { EpochState } from './epoch-state.ts';
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

/** Takes what agents deliver. */
export type FrameLog = {
  /** One durable transaction for all frames, dedup inside it; outcomes in order, once flushed. */
  readonly append: (frames: readonly IngestFrame[]) => Observable<readonly IngestOutcome[]>;
  readonly appended$: Observable<Appended>;
};

/** What names a delivery over HTTP, and what it stands for. */
export type DeliveryKey = {
  readonly agent: string;
  readonly dedupKey: string;
  /** SHA-256 of what the key stands for, 32 bytes. */
  readonly contentHash: Uint8Array;
  readonly arrivalTs: number;
};

/** Takes samples that bring no seqs of their own. */
export type SampleLog = {
  /**
   * HQ gives them seqs of an epoch of its own per agent. `dedupKey` seen within its TTL: nothing is stored.
   * Errors: KeyReusedError when it was seen with another content.
   */
  readonly appendSamples: (
    request: DeliveryKey & { readonly samples: readonly Sample[] },
  ) => Observable<{ readonly duplicate: boolean; readonly stored: number }>;
  /** Whether `appendSamples` would fail with a KeyReusedError now. */
  readonly reusesKey: (request: DeliveryKey) => boolean;
};

/** What HQ holds, and has heard, of every epoch. */
export type CoverageStore = {
  readonly coverage: (agent: string, epoch: Epoch) => Coverage;
  /**
   * What an agent says of its epoch at hello and heartbeat; seqs at or below `released` that HQ lacks are accounted
   * for as `lost_at_hq`.
   */
  readonly noteEpoch: (note: {
    readonly agent: string;
    readonly epoch: Epoch;
    readonly sampled: number;
    readonly released: number;
    readonly run?: { readonly number: number; readonly instance: string } | null;
    readonly ts: number;
  }) => Observable<Coverage>;
  /** Highest seq that the agent says it has given out; kept with the next commit of the epoch. */
  readonly observeSampled: (agent: string, epoch: Epoch, sampled: number) => void;
  /** Highest seq of the epoch that it has heard of, whether from its agent or by a frame; 0 when none. */
  readonly sampled: (agent: string, epoch: Epoch) => number;
  /** Whether HQ gives out the seqs of this epoch itself; no agent may use it. */
  readonly ownsEpoch: (agent: string, epoch: Epoch) => boolean;
  /** The last run of the epoch that was accepted; null when none is known. */
  readonly run: (agent: string, epoch: Epoch) => EpochState['run'];
  /** Whether anything was ever said or stored of this epoch. */
  readonly knowsEpoch: (agent: string, epoch: Epoch) => boolean;
  /** The agent that has this epoch; null when none has. */
  readonly holderOf: (epoch: Epoch) => string | null;
};

/** The agents that HQ knows, and what they measure. */
export type AgentRegistry = {
  readonly agents: () => readonly AgentRecord[];
  readonly putSchema: (agent: string, schema: InternedSchema) => Observable<void>;
  readonly schema: (agent: string, ref: SchemaRef) => InternedSchema | undefined;
  /** Of all schemas of the agent; series are told apart by source too. */
  readonly series: (agent: string) => readonly SeriesDocument[];
  /** Distinct series over all schemas of the agent. */
  readonly seriesCount: (agent: string) => number;
};

/** Reads what was stored. */
export type QueryStore = {
  readonly ledger: (agent: string) => readonly LedgerEntry[];
  /** Oldest first by (ts, epoch, seq). */
  readonly samples: (
    query: { agent: string; limit: number; cursor: string | null } & TimeRange,
  ) => Observable<Page<SampleDocument>>;
  /** Series are told apart by source too: two of an agent may measure series of one name. */
  readonly buckets: (
    query: { agent: string; source: string; series: string; stepMs: number } & TimeRange,
  ) => Observable<readonly Bucket[]>;
  readonly anomalies: (query: { agent: string } & TimeRange) => Observable<readonly AnomalyDocument[]>;
};

/** Sums over an agent's epochs. */
export type AgentCounts = {
  readonly sampled: number;
  readonly stored: number;
  readonly pending: number;
  readonly thinned: number;
  readonly dropped: number;
};

/** Numbers of each agent, kept up in memory. */
export type AgentNumbers = {
  readonly counts: (agent: string) => AgentCounts;
  readonly anomalyCounts: (agent: string) => { readonly open: number; readonly total: number };
  /** Distinct series over all schemas of the agent. */
  readonly seriesCount: (agent: string) => number;
};

/** Tells what the index has come to. */
export type IndexProgress = {
  /** Wall time of the newest indexed sample, the agent's clock; null when there is none. */
  readonly lastSampleTs: (agent: string) => number | null;
  /** Agents whose anomalies or series have been looked at anew. */
  readonly indexed$: Observable<string>;
};

/** Keeps the alarms of agents that are not over. */
export type AlarmStore = {
  readonly alarms: () => ReadonlyMap<string, AlarmRecord>;
  /** Completes when they are durable; null removes. */
  readonly saveAlarms: (changes: ReadonlyMap<string, AlarmRecord | null>) => Observable<void>;
};

/** Keeps why frames of agents wait; what it keeps comes back with their records. */
export type PauseStore = {
  /** Completes when they are durable; null removes. Agents that are not known are left out. */
  readonly savePauses: (changes: ReadonlyMap<string, PauseRecord | null>) => Observable<void>;
};

/** Today's store has every role. */
export type HqStore = FrameLog &
  SampleLog &
  CoverageStore &
  AgentRegistry &
  QueryStore &
  AgentNumbers &
  IndexProgress &
  AlarmStore &
  PauseStore & {
    /** Ends its work and closes the storage. */
    readonly close: () => Observable<never>;
  };
