/**
 * HQ's store by the roles that others need of it: frames of all agents as received, each seq at most once.
 *
 * Every answer is an Observable: nothing happens before it is subscribed; it emits one value and completes, or fails
 * with a StorageError (a wrong cursor with a CursorError). When it emits is up to the engine: a reader that must know
 * at once holds a view of its own. Today's store answers from memory within the subscription, its longer reads of the
 * storage in slices.
 */
import type { Observable } from 'rxjs';
import type { AgentEvent } from '../../protocol/agent-event.ts';
import type { AnomalyDocument, LedgerEntry, SampleDocument, SeriesDocument } from '../../protocol/api.ts';
import type { Arrival } from '../../protocol/arrival.ts';
import type { Bucket, BucketStatistic } from '../../protocol/bucket.ts';
import type { Coverage } from '../../protocol/coverage.ts';
import type { FrameHeader } from '../../protocol/frame.ts';
import type { LabelRecord } from '../../protocol/labels.ts';
import type { Epoch, InternedSchema, Sample, SchemaRef } from '../../protocol/sample.ts';
import type { AlarmRecord } from './alarms.ts';
import type { EpochState } from './epoch-state.ts';
import type { HistoryRecord } from './ingest-history.ts';
import type { PauseRecord } from './pause-record.ts';
import type { RhythmRecord } from './rhythm-record.ts';

export type IngestFrame = {
  readonly agent: string;
  /** Already verified. */
  readonly header: FrameHeader;
  readonly bytes: Uint8Array;
  /** HQ's wall time, ms. */
  readonly arrivalTs: number;
  readonly lane: 'live' | 'backlog' | 'http';
};

/** A frame that an agent has sent; the others are made by HQ. */
export type AgentFrame = IngestFrame & { readonly lane: 'live' | 'backlog' };

/** One agent's part of a delivery over HTTP. */
export type DeliveryPart = {
  readonly agent: string;
  readonly samples: readonly Sample[];
  /** What names the delivery at this agent. */
  readonly dedupKey: string;
};

/** Samples that bring no seqs of their own: HQ gives them seqs of an epoch of its own per agent. */
export type SampleDelivery = {
  /** At most one of each agent. */
  readonly parts: readonly DeliveryPart[];
  /** SHA-256 of what the keys stand for, 32 bytes. */
  readonly contentHash: Uint8Array;
  /** HQ's wall time, ms. */
  readonly arrivalTs: number;
};

export type IngestItem = IngestFrame | SampleDelivery;

/** What became of samples or seqs. */
export type IngestCounts = {
  /** Samples that were new and came whole. */
  readonly stored: number;
  /** Seqs that a thinned frame newly accounted for. */
  readonly thinned: number;
  /** Seqs that were already accounted for; samples of a delivery that had been stored before. */
  readonly duplicates: number;
  /** Seqs that a gap frame newly accounted for. */
  readonly dropped: number;
};

/** What became of a frame. */
export type IngestOutcome = IngestCounts & { readonly coverage: Coverage };

/** What became of a delivery. */
export type DeliveryOutcome = IngestCounts & {
  /** An agent at which its key was used for other content: then nothing is stored. Null: there is none. */
  readonly keyReusedAt: string | null;
  /** An agent of which as many keys are remembered as may be: then nothing is stored. Null: there is none. */
  readonly keysFullAt: string | null;
};

export type ItemOutcome = IngestOutcome | DeliveryOutcome;

/** Emitted after the flush, for the aggregator. */
export type Appended = { readonly frame: IngestFrame; readonly outcome: IngestOutcome };

export type AgentRecord = {
  readonly agent: string;
  /** Epoch of the latest hello or frame. */
  readonly epoch: Epoch;
  readonly firstSeenTs: number;
  /** HQ gives out the seqs of this epoch itself: all that it has of the agent came by HTTP. */
  readonly owned: boolean;
  /** Why its frames wait, as it said last; absent: they do not. */
  readonly paused?: PauseRecord | undefined;
  /** How often it delivers over HTTP; absent: it does not. */
  readonly rhythm?: RhythmRecord | undefined;
  /** When it was retired, HQ's wall time, ms; absent: it is not. */
  readonly retiredTs?: number | undefined;
};

/** The removal of an agent for good. */
export type Purge = {
  /** HQ's wall time of the order, ms. */
  readonly ts: number;
  /** What the ledger came to then. */
  readonly counts: AgentCounts;
  readonly isDone: boolean;
};

export type TimeRange = { readonly from: number; readonly to: number };
export type Page<T> = { readonly items: readonly T[]; readonly cursor: string | null };

/**
 * A series whose values count in the row `row` of an answer. Series are told apart by source too: two of an agent may
 * measure series of one name.
 */
export type CountedSeries = {
  readonly agent: string;
  readonly source: string;
  readonly series: string;
  readonly row: number;
};

export type BucketQuery = TimeRange & {
  readonly stepMs: number;
  /** Each once. Those of one row are counted together. */
  readonly series: readonly CountedSeries[];
  readonly rows: number;
  /** Whether percentiles are counted: they cost more than the rest. */
  readonly percentiles: boolean;
};

export type ArrivalQuery = TimeRange & {
  readonly agent: string;
  /** Times further apart than this begin another run. */
  readonly gapMs: number;
  readonly limit: number;
  readonly cursor: string | null;
};

/** Statistics by row and step of time. */
export type BucketTable = {
  /** Buckets of each row. */
  readonly length: number;
  /** With the statistics that are wanted; `count` is there in any case. */
  readonly bucket: (row: number, index: number, wanted: ReadonlySet<BucketStatistic>) => Bucket;
};

/** Takes what agents deliver, and what comes over HTTP. */
export type FrameLog = {
  /**
   * One durable transaction for all items, dedup inside it; outcomes in order, once flushed. A frame has an
   * IngestOutcome, a delivery a DeliveryOutcome. Of a delivery, parts whose key was seen within its TTL store nothing.
   */
  readonly append: (items: readonly IngestItem[]) => Observable<readonly ItemOutcome[]>;
  readonly appended$: Observable<Appended>;
};

/** What HQ holds, and has heard, of an epoch. */
export type EpochRecord = {
  readonly coverage: Coverage;
  /** Highest seq that it has heard of, whether from its agent or by a frame. */
  readonly sampled: number;
  /** HQ gives out the seqs itself; no agent may use it. */
  readonly owned: boolean;
  /** The last run that was accepted; null when none is known. */
  readonly run: EpochState['run'];
};

/** What has become of what an agent said of its epoch. */
export type NotedEpoch = {
  readonly coverage: Coverage;
  /** Seqs that are accounted for by now and were not when it was said: they are lost. */
  readonly lost: number;
};

/** What damage has cost of an epoch. */
export type TakenBack = {
  readonly agent: string;
  readonly epoch: Epoch;
  /** Seqs that its agent may still have. */
  readonly again: number;
  /** Seqs that nobody has any more. */
  readonly lost: number;
};

/** What HQ holds, and has heard, of every epoch. */
export type CoverageStore = {
  /** Null when nothing was ever said or stored of it. */
  readonly epoch: (agent: string, epoch: Epoch) => Observable<EpochRecord | null>;
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
  }) => Observable<NotedEpoch>;
  /** Highest seq that the agent says it has given out; kept with the next commit of the epoch. Nothing to wait for. */
  readonly observeSampled: (agent: string, epoch: Epoch, sampled: number) => void;
  /** What damage has cost of an epoch, once it is taken back from its coverage. */
  readonly takenBack$: Observable<TakenBack>;
  /** The agent that has this epoch; null when none has. */
  readonly holderOf: (epoch: Epoch) => Observable<string | null>;
};

/** A schema, and how many series it has. */
export type SchemaSize = { readonly ref: SchemaRef; readonly series: number };

/** The agents that HQ knows, and what they measure. */
export type AgentRegistry = {
  /** But those that are retired. */
  readonly agents: () => Observable<readonly AgentRecord[]>;
  /** Null when it is not known; retired ones are. */
  readonly agent: (agent: string) => Observable<AgentRecord | null>;
  /**
   * Takes it from the agents that count. What was stored of it, and its ledger, stays; what comes of it brings it back.
   * Emits whether there was one to retire. `ts`: HQ's wall time, ms.
   */
  readonly retire: (agent: string, ts: number) => Observable<boolean>;
  /**
   * Removes it for good, with everything that was stored of it, from now on until `purged$` tells that it is gone;
   * meanwhile it is not known, and nothing of it may be appended. Emits once that is noted, what its ledger came to;
   * null when it is not known. `ts`: HQ's wall time, ms.
   */
  readonly purge: (agent: string, ts: number) => Observable<Purge | null>;
  /** Whether it is being removed for good, or has been and has not come back; else null. */
  readonly purgeOf: (agent: string) => Observable<Purge | null>;
  /** Agents that are gone for good. */
  readonly purged$: Observable<string>;
  readonly putSchema: (agent: string, schema: InternedSchema) => Observable<void>;
  /** All that it has of the agent. */
  readonly schemas: (agent: string) => Observable<readonly SchemaSize[]>;
  /** Those of `refs` that it does not have of the agent. */
  readonly lacks: (agent: string, refs: readonly SchemaRef[]) => Observable<readonly SchemaRef[]>;
  /** Null when it does not have it of the agent. */
  readonly schema: (agent: string, ref: SchemaRef) => Observable<InternedSchema | null>;
  /** Of all schemas of the agent; series are told apart by source too. */
  readonly series: (agent: string) => Observable<readonly SeriesDocument[]>;
  /** The same as `sourceSeriesKey`s. Not to be kept: it may change. */
  readonly seriesKeys: (agent: string) => Observable<ReadonlySet<string>>;
};

/** Where samples are, by steps of the time at which they were sampled. */
export type CustodyQuery = TimeRange & {
  readonly stepMs: number;
  /** Those of one row are counted together. */
  readonly agents: readonly { readonly agent: string; readonly row: number }[];
  readonly rows: number;
  /** What arrived later counts as pending, HQ's wall time, ms; infinite: all that has arrived counts. */
  readonly asOf: number;
  /** What arrived within so long of its time was on time, ms. */
  readonly withinMs: number;
};

/** Samples; cell `row × length + step`. */
export type CustodyTable = {
  /** Steps of each row. */
  readonly length: number;
  readonly stored: Float64Array;
  /** Of those that are stored. */
  readonly onTime: Float64Array;
  readonly thinned: Float64Array;
  readonly dropped: Float64Array;
  readonly pending: Float64Array;
};

/** Reads what was stored. */
export type QueryStore = {
  readonly ledger: (agent: string) => Observable<readonly LedgerEntry[]>;
  /** Oldest first by (ts, epoch, seq). */
  readonly samples: (
    query: { agent: string; limit: number; cursor: string | null } & TimeRange,
  ) => Observable<Page<SampleDocument>>;
  /** An agent's frames are read once for all of its series. Too many buckets: a TooManyBucketsError. */
  readonly buckets: (query: BucketQuery) => Observable<BucketTable>;
  /** By the time of the samples. */
  readonly arrivals: (query: ArrivalQuery) => Observable<Page<Arrival>>;
  readonly custody: (query: CustodyQuery) => Observable<CustodyTable>;
  /** Oldest first by start. */
  readonly anomalies: (
    query: { agent: string; limit: number; cursor: string | null } & TimeRange,
  ) => Observable<Page<AnomalyDocument>>;
};

/** Sums over an agent's epochs. */
export type AgentCounts = {
  readonly sampled: number;
  readonly stored: number;
  readonly pending: number;
  readonly thinned: number;
  readonly dropped: number;
};

export type NumbersOfAgent = {
  readonly counts: AgentCounts;
  readonly anomalies: { readonly open: number; readonly total: number };
  /** Distinct series over all schemas of the agent; series are told apart by source too. */
  readonly seriesCount: number;
};

/** Counts what there is of agents. */
export type AgentNumbers = {
  /** Of each of `agents`, in their order; of an agent that is not known nothing but zeros. */
  readonly numbers: (agents: readonly string[]) => Observable<readonly NumbersOfAgent[]>;
};

/** Tells what the index has come to. */
export type IndexProgress = {
  /**
   * Wall time of the newest indexed sample of each of `agents`, in their order, by the agent's clock; null when there
   * is none.
   */
  readonly lastSampleTs: (agents: readonly string[]) => Observable<readonly (number | null)[]>;
  /** Agents of which more was found than that time goes on: anomalies, new schemas, samples ahead of HQ's clock. */
  readonly indexed$: Observable<string>;
};

/** Keeps the alarms of agents that are not over. */
export type AlarmStore = {
  readonly alarms: () => Observable<ReadonlyMap<string, AlarmRecord>>;
  /** Completes when they are durable; null removes. */
  readonly saveAlarms: (changes: ReadonlyMap<string, AlarmRecord | null>) => Observable<void>;
};

/** Keeps the labels of agents, of those too that are retired. */
export type LabelStore = {
  readonly labels: () => Observable<ReadonlyMap<string, LabelRecord>>;
  /** Completes when they are durable; null removes. */
  readonly saveLabels: (changes: ReadonlyMap<string, LabelRecord | null>) => Observable<void>;
};

/** Keeps why frames of agents wait; what it keeps comes back with their records. */
export type PauseStore = {
  /** Completes when they are durable; null removes. Agents that are not known are left out. */
  readonly savePauses: (changes: ReadonlyMap<string, PauseRecord | null>) => Observable<void>;
};

/** Keeps how often agents deliver over HTTP; what it keeps comes back with their records. */
export type RhythmStore = {
  /** Completes when they are durable; null removes. Agents that are not known are left out. */
  readonly saveRhythms: (changes: ReadonlyMap<string, RhythmRecord | null>) => Observable<void>;
};

/** Keeps what the graph of ingest shows over a restart. */
export type IngestHistoryStore = {
  readonly ingestHistory: () => Observable<ReadonlyMap<string, HistoryRecord>>;
  /** Completes when they are durable; null removes. */
  readonly saveIngestHistory: (changes: ReadonlyMap<string, HistoryRecord | null>) => Observable<void>;
};

export type EventQuery = TimeRange & {
  readonly agent: string;
  readonly limit: number;
  readonly cursor: string | null;
};

/** An event to keep; `agent` null: of HQ itself. */
export type NewEvent = { readonly agent: string | null; readonly event: Omit<AgentEvent, 'of'> };

/** Keeps what has happened to agents, and to HQ itself. */
export type EventStore = {
  /** Completes when they are durable. `leftOut`: how many were not to be kept. */
  readonly saveEvents: (batch: {
    readonly events: readonly NewEvent[];
    readonly leftOut: number;
  }) => Observable<void>;
  /** Oldest first; those of HQ itself among them. */
  readonly events: (query: EventQuery) => Observable<Page<AgentEvent>>;
};

/** Today's store has every role. */
export type HqStore = FrameLog &
  CoverageStore &
  AgentRegistry &
  QueryStore &
  AgentNumbers &
  IndexProgress &
  AlarmStore &
  LabelStore &
  PauseStore &
  RhythmStore &
  EventStore &
  IngestHistoryStore & {
    /** Ends its work and closes the storage. */
    readonly close: () => Observable<never>;
  };
