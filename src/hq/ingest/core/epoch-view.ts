/**
 * What a session knows of its epoch without a question to the store: loaded at hello, kept current by the outcomes of
 * its own frames. While it holds the lease nobody else accounts for seqs of the epoch, so the view is what the store
 * has shown; it never says more. A commit that got through although it was said to have failed shows with the next
 * outcome.
 */
import { type Coverage, coveredCount } from '../../../protocol/coverage.ts';

export type EpochView = {
  readonly coverage: () => Coverage;
  /** The outcome of a frame tells what is held now. Outcomes come in the order of their commits. */
  readonly moved: (coverage: Coverage) => void;
};

/** `before`: the view of an earlier hello of this session for the same epoch. */
export function createEpochView(loaded: Coverage, before: EpochView | null): EpochView {
  let coverage = loaded;
  // A frame that was committed behind the note may have been answered before it.
  if (before !== null && coveredCount(before.coverage()) > coveredCount(loaded)) coverage = before.coverage();
  return {
    coverage: () => coverage,
    moved: (now) => {
      coverage = now;
    },
  };
}
