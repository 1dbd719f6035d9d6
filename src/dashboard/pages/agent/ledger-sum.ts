/** The ledger's equation: `sampled = stored + pending + Σ thinned + Σ dropped`. */
import type { LedgerEntry } from '../../../protocol/api.ts';

export type LedgerSum = {
  readonly thinned: number;
  readonly dropped: number;
  /** sampled minus everything accounted for; 0 when the equation holds. */
  readonly unexplained: number;
};

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

export function ledgerSum(entry: LedgerEntry): LedgerSum {
  const thinned = total(entry.thinned);
  const dropped = total(entry.dropped);
  return { thinned, dropped, unexplained: entry.sampled - entry.stored - entry.pending - thinned - dropped };
}
