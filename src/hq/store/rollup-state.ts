/** How far the rollups of an agent go. */
import { z } from 'zod';
import type { SeqRange } from '../../protocol/coverage.ts';
import type { Epoch } from '../../protocol/sample.ts';
import { parseJson, toJson } from './epoch-state.ts';

const seq = z.number().int().min(0);
const rollupStateSchema = z.object({
  to: seq,
  missed: z.record(z.string(), z.array(z.tuple([seq, seq]))),
});

/** Seqs by epoch: inclusive ranges, ascending, apart from each other. No epoch has none. */
export type SeqsByEpoch = Readonly<Record<Epoch, readonly SeqRange[]>>;

export type RollupState = {
  /** Every entry of the log up to this number is in the rollups, but for what was missed. */
  readonly to: number;
  /** What is not in the rollups, and is not in the log any more: it is read from the index. */
  readonly missed: SeqsByEpoch;
};

export const encodeRollupState = (state: RollupState): Uint8Array => toJson(state);

/** Undefined when there is none, or it cannot be read: the rollups are made again then. */
export function decodeRollupState(value: Uint8Array | undefined): RollupState | undefined {
  const parsed = rollupStateSchema.safeParse(parseJson(value));
  return parsed.success ? parsed.data : undefined;
}

/** Whether rollups and what the log holds beyond them are all there is. */
export const isComplete = (state: RollupState | undefined): state is RollupState =>
  state !== undefined && Object.keys(state.missed).length === 0;

/** The ranges without `[first, last]`. */
export function without(ranges: readonly SeqRange[], first: number, last: number): readonly SeqRange[] {
  return ranges.flatMap(([from, to]): SeqRange[] => {
    if (to < first || from > last) return [[from, to]];
    const left: SeqRange[] = [];
    if (from < first) left.push([from, first - 1]);
    if (to > last) left.push([last + 1, to]);
    return left;
  });
}

/** Adds ranges, which need not be apart. */
export function joined(ranges: readonly SeqRange[]): readonly SeqRange[] {
  const all: [number, number][] = [];
  for (const [from, to] of [...ranges].sort(([one], [other]) => one - other)) {
    const last = all.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else all.push([from, to]);
  }
  return all;
}

/** With `ranges` for the epoch, or without the epoch where there are none. */
export function withSeqs(seqs: SeqsByEpoch, epoch: Epoch, ranges: readonly SeqRange[]): SeqsByEpoch {
  const { [epoch]: _, ...others } = seqs;
  return ranges.length === 0 ? others : { ...others, [epoch]: ranges };
}
