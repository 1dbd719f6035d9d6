/**
 * What HQ knows of one epoch of one agent: the counters of its ledger and its coverage. Invariant, always exact:
 * `stored + Σ dropped + Σ thinned = seqs covered`, hence `sampled = stored + pending + Σ dropped + Σ thinned`.
 */
import { z } from 'zod';
import {
  type Coverage,
  countOf,
  cover,
  coverageSchema,
  coveredCount,
  EMPTY_COVERAGE,
  missingWithin,
  type SeqRange,
  without,
} from '../../protocol/coverage.ts';
import type { FrameKind } from '../../protocol/frame.ts';
import { parseJsonText } from '../../protocol/json-text.ts';
import { epochSchema } from '../../protocol/sample.ts';
import { pauseSchema } from './pause-record.ts';
import { rhythmSchema } from './rhythm-record.ts';

const count = z.number().int().min(0);
const counts = z.record(z.string(), count);

/** What is accounted for, and as what. */
export const countsSchema = z.object({
  sampled: count,
  stored: count,
  dropped: counts,
  thinned: counts,
  coverage: coverageSchema.extend({ ranges: z.array(z.tuple([count, count])) }),
});

const epochStateSchema = countsSchema.extend({
  released: count,
  /** HQ gives out the seqs itself, for samples that came by HTTP. */
  owned: z.boolean(),
  /** The last run of the agent that was accepted; null when none has said so. */
  run: z.object({ number: count, instance: z.string(), delivered: z.boolean() }).nullable().default(null),
  /** Frames up to this seq have been looked at for compaction. */
  mergedTo: count,
  /** Entries of the log up to this number are accounted for in the state as it was saved. */
  logTo: count.default(0),
  /**
   * How many of its seqs retention has removed, and below which seq that was not noted (see removed-seqs.ts). Absent in
   * states of versions that noted nothing.
   */
  removed: z.object({ seqs: count, before: count }).optional().catch(undefined),
});
type WithCoverage<T> = Omit<Readonly<T>, 'coverage'> & { readonly coverage: Coverage };
export type EpochState = WithCoverage<z.infer<typeof epochStateSchema>>;
export type Counted = WithCoverage<z.infer<typeof countsSchema>>;

export const NOTHING_COUNTED: Counted = {
  sampled: 0,
  stored: 0,
  dropped: {},
  thinned: {},
  coverage: EMPTY_COVERAGE,
};

export const EMPTY_EPOCH: EpochState = {
  ...NOTHING_COUNTED,
  released: 0,
  owned: false,
  run: null,
  mergedTo: 0,
  logTo: 0,
  removed: { seqs: 0, before: 1 },
};

/** What becomes of the seqs that a frame stands for. */
export type Accounting =
  | { readonly kind: Extract<FrameKind, 'data'> }
  | { readonly kind: 'dropped' | 'thinned'; readonly reason: string };

/** Full journals are why samples are thinned. */
export const THINNED: Accounting = { kind: 'thinned', reason: 'overflow' };

/** Takes note that a frame of the current run has come. */
export function markDelivered(state: EpochState): EpochState {
  const { run } = state;
  return run === null || run.delivered ? state : { ...state, run: { ...run, delivered: true } };
}

/**
 * Accounts for `first … last`; `added` are the parts that were not accounted for before. Returns the same state when
 * there are none.
 */
export function account<T extends Counted>(
  state: T,
  accounting: Accounting,
  first: number,
  last: number,
): { readonly state: T; readonly added: readonly SeqRange[]; readonly count: number } {
  const added = missingWithin(state.coverage, first, last);
  const added1 = countOf(added);
  if (added1 === 0) return { state, added, count: 0 };
  const next = {
    ...state,
    coverage: cover(state.coverage, first, last),
    sampled: Math.max(state.sampled, last),
  };
  if (accounting.kind === 'data')
    return { state: { ...next, stored: state.stored + added1 }, added, count: added1 };
  const of = state[accounting.kind];
  const moved = { ...of, [accounting.reason]: (of[accounting.reason] ?? 0) + added1 };
  return { state: { ...next, [accounting.kind]: moved }, added, count: added1 };
}

/** Seqs by what stands for them. */
export type KindCounts = Pick<Counted, 'stored' | 'dropped' | 'thinned'>;

/** Takes back what was accounted for: `gone` are the seqs, all of them covered, `counts` what they were counted as. */
export function takeBack<T extends Counted>(state: T, gone: readonly SeqRange[], counts: KindCounts): T {
  if (gone.length === 0) return state;
  return {
    ...state,
    coverage: without(state.coverage, gone),
    stored: state.stored - counts.stored,
    dropped: lessened(state.dropped, counts.dropped),
    thinned: lessened(state.thinned, counts.thinned),
  };
}

function lessened(
  of: Readonly<Record<string, number>>,
  by: Readonly<Record<string, number>>,
): Record<string, number> {
  const left = Object.entries(of).map(([reason, samples]) => [reason, samples - (by[reason] ?? 0)] as const);
  return Object.fromEntries(left.filter(([, samples]) => samples > 0));
}

export function pendingOf(state: EpochState): number {
  return state.sampled - coveredCount(state.coverage);
}

export function encodeEpochState(state: EpochState): Uint8Array {
  return Buffer.from(JSON.stringify(state));
}

/** Undefined when the record is absent or cannot be trusted; it is then rebuilt from the frames. */
export function decodeEpochState(value: Uint8Array | undefined): EpochState | undefined {
  const parsed = epochStateSchema.safeParse(parseJson(value));
  return parsed.success ? parsed.data : undefined;
}

const agentRecordSchema = z.object({
  agent: z.string(),
  epoch: epochSchema,
  firstSeenTs: z.number(),
  /** Epoch of the samples that came by HTTP; null when none has. */
  ownEpoch: epochSchema.nullable(),
  /** Absent: they do not wait. One that cannot be read is none. */
  paused: pauseSchema.optional().catch(undefined),
  /** How often it delivers over HTTP; absent: it does not. One that cannot be read is none. */
  rhythm: rhythmSchema.optional().catch(undefined),
  /** When an operator retired it, ms; absent: it is not. */
  retiredTs: z.number().optional().catch(undefined),
});
export type StoredAgent = Readonly<z.infer<typeof agentRecordSchema>>;

export function decodeAgent(value: Uint8Array | undefined): StoredAgent | undefined {
  const parsed = agentRecordSchema.safeParse(parseJson(value));
  return parsed.success ? parsed.data : undefined;
}

/** Undefined for anything that is no JSON. */
export function parseJson(value: Uint8Array | undefined): unknown {
  if (value === undefined) return undefined;
  try {
    return parseJsonText(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}
export const toJson = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
