/** What a pipeline is given and what it tells. The pipeline itself is in `pipeline.ts`. */
import type { Observable } from 'rxjs';
import { z } from 'zod';
import type { Appended, Journal } from '../../journal/journal.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { Emit } from '../../platform/telemetry.ts';
import type { Source } from '../sources/source.ts';
import { rangeRuleSchema } from './diagnose/limits.ts';
import type { pipelineEvents } from './pipeline-events.ts';

export const pipelineSettingsSchema = z.strictObject({
  commitMs: z
    .number()
    .int()
    .min(0)
    .max(60_000)
    .default(200)
    .describe(
      'ms for which samples gather before they are committed together; 0: each sample is a commit of its own',
    ),
  commitMaxCount: z
    .number()
    .int()
    .min(1)
    .max(4096)
    .default(4096)
    .describe('samples of one commit at most; reaching it commits at once'),
  maxUncommitted: z
    .number()
    .int()
    .min(16)
    .max(1_000_000)
    .default(20_000)
    .describe(
      'samples kept in memory while the journal takes none; beyond it the oldest are discarded and counted',
    ),
  detection: z
    .strictObject({
      enabled: z.boolean().default(true).describe('look for anomalies'),
      threshold: z.number().positive().default(3).describe('|z| beyond which a value is anomalous'),
      window: z
        .number()
        .int()
        .min(2)
        .max(100_000)
        .default(300)
        .describe('values of the sliding window, per series'),
      warmUp: z.number().int().min(2).default(30).describe('values to see before any judgement'),
    })
    .prefault({}),
  ranges: z
    .array(rangeRuleSchema)
    .max(1000)
    .default([])
    .describe('what is normal for which series; the first match counts, before the defaults of its source'),
  clockJumpMs: z
    .number()
    .int()
    .min(1)
    .default(1000)
    .describe('ms by which the wall clock must move against the monotonic one to be reported as a jump'),
});
export type PipelineSettings = Readonly<z.infer<typeof pipelineSettingsSchema>>;

export type PipelineOptions = {
  readonly sources: readonly Source[];
  readonly journal: Pick<Journal, 'append' | 'stats'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit<typeof pipelineEvents>;
  readonly settings: PipelineSettings;
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
  /** The journal takes no samples or samples were discarded since it last failed. */
  readonly degraded: boolean;
};

export type Pipeline = {
  /**
   * What became of the samples, in order of seq. Subscribing starts the sources; completes when all have ended, or after
   * `stop`, once everything is durable. Never errors. Shared: all subscribers see one run, which ends when the last leaves.
   */
  readonly appended$: Observable<Appended>;
  /** Current status at once, then its changes; per-sample counts move at most every 250 ms. */
  readonly status$: Observable<PipelineStatus>;
  /** Whether the pipeline runs and how, now. */
  readonly status: () => PipelineStatus;
  /** Ends the sources at once; what they gave is still committed and `appended$` completes after it. Idempotent. */
  readonly stop: () => void;
};
