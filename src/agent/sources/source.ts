/**
 * Source: something that measures. The port between adapters (host, sim, csv …) and the pipeline.
 *
 * A source is cold: each subscription to `samples` starts it afresh and unsubscribing stops it and frees all it holds.
 * An error means that the source failed; its supervisor reports it and starts it again with backoff. Completion means
 * that there will never be more (end of a file).
 */
import type { Observable } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { Emit } from '../../platform/telemetry.ts';
import type { Diagnostic, InternedSchema, Series } from '../../protocol/sample.ts';
import type { Positioned, SampleBlock } from '../../protocol/sample-block.ts';
import type { sourceEvents } from './source-events.ts';

/** What a source measured at one instant, before detection and diagnosis. */
export type RawSample = Positioned & {
  /** Keep the same object as long as the series stay the same: the pipeline compares by identity. */
  readonly schema: InternedSchema;
  /** Wall time, integer ms since the Unix epoch. */
  readonly ts: number;
  /** Monotonic time, integer ms since `schema.boot` began. */
  readonly mono: number;
  /** One value per series of the schema; null where nothing was measured. */
  readonly values: readonly (number | null)[];
  /** What the source itself knows to be wrong, for instance that one of its collectors hangs. */
  readonly diagnostics?: readonly Diagnostic[];
};

/** Many measurements in columns, for sources that can give more than some hundred a second. */
export type RawBlock = Omit<SampleBlock, 'notes'>;

/** What a source gives: one sample, or many. */
export type RawRows = RawSample | RawBlock;

/** Rows of one block at most: what a source may give beyond the end of demand. */
export const MAX_BLOCK_ROWS = 1024;

/**
 * What is normal for a series: the numbers that diagnosis and detection judge by. A rule without its number is off.
 */
export type Limits = {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly railLow?: number | undefined;
  readonly railHigh?: number | undefined;
  readonly stuckAfterMs?: number | undefined;
  readonly minStddev?: number | undefined;
  readonly staleAfterMs?: number | undefined;
};

/** What the pipeline should know of a series without being told by the configuration. */
export type SeriesTraits = Limits & {
  /** A counter that only grows: its z-score says nothing, so no anomalies are sought in it. Default false. */
  readonly cumulative?: boolean;
  /** Whether anomalies are sought at all; false for what moves at any time on a healthy machine. Default true. */
  readonly anomalies?: boolean;
};

export type Source = {
  /** Unique within the agent; also the `source` of its schemas. */
  readonly name: string;
  /**
   * `clock`: `ts` is read from the wall clock, so a difference between `ts` and `mono` is a clock that jumped.
   * `recorded`: `ts` is taken from a recording and says nothing about this machine's clock.
   */
  readonly time: 'clock' | 'recorded';
  /**
   * The measurements. `demand$` emits at once whether the pipeline has room, and then each change: a source that can
   * run ahead (a file at full speed) stops taking input while it is false; one that is paced by time may ignore it.
   */
  readonly samples: (demand$: Observable<boolean>) => Observable<RawRows>;
  readonly traits: (series: Series) => SeriesTraits;
  /** Where nothing else is set, means of so many samples are judged for anomalies. Default: each sample. */
  readonly meanOf?: number;
  /** With what it begins again, so that what was usual of it no longer is. Default: nothing, it goes on. */
  readonly beginsWith?: 'boot' | 'process';
};

export type SourceEmit = Emit<typeof sourceEvents>;

/** What the composition root hands to every source. */
export type SourceEnv = {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: SourceEmit;
  /**
   * Where the source of this name stood after the last of its samples that is durable, in its own words; null: nowhere.
   * Default: nowhere.
   */
  readonly position?: (source: string) => string | null;
  /** Samples of the journal that HQ has not confirmed. Default: none. */
  readonly pending?: () => number;
};
