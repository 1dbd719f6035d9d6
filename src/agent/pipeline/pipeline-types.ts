/** What a pipeline is given and what it tells. The pipeline itself is in `pipeline.ts`. */
import type { Observable } from 'rxjs';
import type { Appended, Journal } from '../../journal/port.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { Emit } from '../../platform/telemetry.ts';
import { MAX_FRAME_SAMPLES } from '../../protocol/frame.ts';
import type { Source } from '../sources/source.ts';
import type { DetectionSettings } from './detect.ts';
import type { DetectionStore } from './detection-memory.ts';
import type { RangeRule } from './diagnose/limits.ts';
import type { pipelineEvents } from './pipeline-events.ts';

/** What the agent's settings say; their defaults stand there (config.ts). */
export type PipelineConfig = {
  /** Samples gather for this long before they are committed together, ms; 0: each sample is a commit of its own. */
  readonly commitMs: number;
  readonly detection: DetectionSettings;
  /** What is normal for which series; the first match counts, before the defaults of its source. */
  readonly ranges: readonly RangeRule[];
};

export type PipelineBounds = {
  /** Samples of one commit at most; reaching it commits at once. Minimum 1. */
  readonly commitMaxCount: number;
  /**
   * Samples kept in memory while the journal takes none; beyond it the oldest are discarded and counted. Minimum 16;
   * four blocks where a source gives blocks.
   */
  readonly maxUncommitted: number;
  /** Least movement of the wall clock against the monotonic one that is reported as a jump, ms. */
  readonly clockJumpMs: number;
};

export type PipelineSettings = PipelineConfig & PipelineBounds;

export const PIPELINE_BOUNDS: PipelineBounds = {
  commitMaxCount: MAX_FRAME_SAMPLES,
  maxUncommitted: 20_000,
  clockJumpMs: 1000,
};

export type PipelineOptions = {
  readonly sources: readonly Source[];
  readonly journal: Pick<Journal, 'append' | 'stats'>;
  /** Where what detection has learned outlives the process; default: nowhere. */
  readonly detectionStore?: DetectionStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit<typeof pipelineEvents>;
  /** A bound that is left out is that of {@link PIPELINE_BOUNDS}. */
  readonly settings: PipelineConfig & Partial<PipelineBounds>;
};

export type SourceStatus = {
  readonly name: string;
  readonly samples: number;
  /** Wall time of its newest sample; null before the first. */
  readonly lastTs: number | null;
  readonly state:
    | { readonly kind: 'starting' }
    | { readonly kind: 'running' }
    /** Failed; the next start comes after `delayMs`. `attempt` counts failures without a sample in between. */
    | {
        readonly kind: 'restarting';
        readonly reason: string;
        readonly attempt: number;
        readonly delayMs: number;
      }
    /** Has no more samples, or the pipeline was stopped. */
    | { readonly kind: 'ended' };
};

export type CommitStatus = {
  /** Samples in memory that wait for their commit. */
  readonly uncommitted: number;
  /** Samples made durable since the start. */
  readonly committed: number;
  /** Measurements lost before they were sampled since the start. */
  readonly discarded: number;
  /** Why the journal takes no samples at the moment; null when it does. */
  readonly failure: string | null;
};

export type PipelineStatus = {
  readonly sources: readonly SourceStatus[];
  readonly commit: CommitStatus;
  /** The journal takes no samples at the moment, or it is full and its overflow policy is at work. */
  readonly degraded: boolean;
};

export type Pipeline = {
  /**
   * What became of the samples, in order of seq. Subscribing starts the sources; completes when all have ended, or
   * after `stop`, once everything is durable. Never errors. Shared: all subscribers see one run, which ends when the
   * last leaves.
   */
  readonly appended$: Observable<Appended>;
  /** Current status at once, then its changes, counts at most every 250 ms. Never completes. */
  readonly status$: Observable<PipelineStatus>;
  /** The status now. */
  readonly status: () => PipelineStatus;
  /** Ends the sources at once; what they gave is still committed and `appended$` completes after it. Idempotent. */
  readonly stop: () => void;
};
