/** What became of the samples of several epochs. */
import { type EpochState, pendingOf } from './epoch-state.ts';
import type { AgentCounts } from './store.ts';

export function countsOf(states: readonly EpochState[]): AgentCounts {
  const total = { sampled: 0, stored: 0, pending: 0, thinned: 0, dropped: 0 };
  for (const state of states) {
    total.sampled += state.sampled;
    total.stored += state.stored;
    total.pending += pendingOf(state);
    for (const count of Object.values(state.dropped)) total.dropped += count;
    for (const count of Object.values(state.thinned)) total.thinned += count;
  }
  return total;
}
