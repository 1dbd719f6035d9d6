/** Accounts for the seqs that a frame contributed. */
import { account, type Counted, THINNED } from './epoch-state.ts';
import type { Segment } from './frame-record.ts';

export function accountSegments<T extends Counted>(
  state: T,
  { segments, isDownsampled }: { readonly segments: readonly Segment[]; readonly isDownsampled: boolean },
): T {
  const accounting = isDownsampled ? THINNED : ({ kind: 'data' } as const);
  return segments.reduce((so, { first, last }) => account(so, accounting, first, last).state, state);
}
