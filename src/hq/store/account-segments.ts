/** Accounts for the seqs that a frame contributed. */
import { account, type EpochState, THINNED } from './epoch-state.ts';
import type { Segment } from './frame-record.ts';

export function accountSegments(
  state: EpochState,
  { segments, isDownsampled }: { readonly segments: readonly Segment[]; readonly isDownsampled: boolean },
): EpochState {
  const accounting = isDownsampled ? THINNED : ({ kind: 'data' } as const);
  return segments.reduce((so, { first, last }) => account(so, accounting, first, last).state, state);
}
