/** Sums over the epochs of an agent. */
import { type EpochState, pendingOf } from './epoch-state.ts';
import type { AgentCounts } from './store.ts';

/** At most 2^53 − 1 each: an agent may claim more, and beyond it sums of integers are no longer exact. */
export function countsOf(states: readonly EpochState[]): AgentCounts {
  const total = { sampled: 0, stored: 0, pending: 0, thinned: 0, dropped: 0 };
  const add = (name: keyof typeof total, count: number) => {
    total[name] = Math.min(Number.MAX_SAFE_INTEGER, total[name] + count);
  };
  for (const state of states) {
    add('sampled', state.sampled);
    add('stored', state.stored);
    add('pending', pendingOf(state));
    for (const count of Object.values(state.dropped)) add('dropped', count);
    for (const count of Object.values(state.thinned)) add('thinned', count);
  }
  return total;
}
