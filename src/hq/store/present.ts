/** What is there of an epoch: the seqs that its frames, log entries and gaps stand for, each once. */
import { type Coverage, cover, EMPTY_COVERAGE, type SeqRange } from '../../protocol/coverage.ts';
import { type Accounting, account, type Counted, NOTHING_COUNTED } from './epoch-state.ts';

export type Present = {
  counted: Counted;
  /** The same seqs by what stands for them; `data` for samples. */
  readonly byKind: Map<string, { readonly accounting: Accounting; coverage: Coverage }>;
  /** The lowest seq of a frame; infinite where there is none. */
  firstFrame: number;
  /** The highest number of the log that a frame has. */
  lastNumber: number;
  /** Some of it came by HTTP. */
  isHttp: boolean;
};

export const nothingPresent = (): Present => ({
  counted: NOTHING_COUNTED,
  byKind: new Map(),
  firstFrame: Number.POSITIVE_INFINITY,
  lastNumber: 0,
  isHttp: false,
});

/** Gives the parts of `first … last` that nothing else stands for yet. */
export function addPresent(
  present: Present,
  accounting: Accounting,
  first: number,
  last: number,
): readonly SeqRange[] {
  const { state, added } = account(present.counted, accounting, first, last);
  present.counted = state;
  const kind = accounting.kind === 'data' ? 'data' : `${accounting.kind}/${accounting.reason}`;
  const of = present.byKind.get(kind) ?? { accounting, coverage: EMPTY_COVERAGE };
  present.byKind.set(kind, of);
  for (const [from, to] of added) of.coverage = cover(of.coverage, from, to);
  return added;
}
