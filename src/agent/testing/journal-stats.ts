import type { JournalStats } from '../../journal/port.ts';

/** Those of a journal that has nothing yet, for tests. */
export function journalStats(change: Partial<JournalStats> = {}): JournalStats {
  return {
    epoch: '0123456789ab',
    sampled: 0,
    released: 0,
    pending: 0,
    thinned: 0,
    pendingBytes: 0,
    pendingFrames: 0,
    frameSamples: 0,
    acked: 0,
    dropped: {},
    maxBytes: 2 ** 20,
    greeting: null,
    rebuilt: false,
    hq: null,
    overflowing: false,
    crowded: false,
    disk: 'good',
    oldestPendingTs: null,
    ...change,
  };
}
