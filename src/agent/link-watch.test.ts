import { describe, expect, it } from 'vitest';
import { createLinkWatch, type LinkWatchOptions } from './link-watch.ts';
import { journalStats } from './testing/journal-stats.ts';
import { OPEN_GATE } from './uplink/metering/gate.ts';

const UPLINK = {
  phase: 'online',
  behind: true,
  paused: null,
  live: 0,
  backlog: 0,
  connection: 1,
  link: null,
};

function watchOf(change: { readonly why: 'window' | null; readonly lagMs: number }) {
  const budget = { ...OPEN_GATE.status(), phase: 'live_only', why: change.why, until: 9_000_000 } as const;
  let at = 1_000_000;
  const watch = createLinkWatch({
    journal: {
      stats: () => journalStats({ pending: 60_000, pendingBytes: 1e6, oldestPendingTs: at - change.lagMs }),
    },
    gate: { status: () => budget },
    uplink: () => UPLINK as ReturnType<LinkWatchOptions['uplink']>,
    clock: { now: () => at, precise: () => at },
  });
  for (let second = 0; second < 60; second += 1, at += 1_000) watch.look();
  return watch;
}

describe('a backlog that is held back', () => {
  it('is said to wait, why and until when, and is neither delivered nor never', () => {
    const watch = watchOf({ why: 'window', lagMs: 3_600_000 });
    expect(watch.forecast()).toEqual({ kind: 'unknown' });
    expect(watch.report()).toMatchObject({ caughtUpMs: null, paused: 'window', pausedUntil: 9_000_000 });
  });

  it('is none while only fresh samples are on their way', () => {
    const watch = watchOf({ why: 'window', lagMs: 1_000 });
    expect(watch.forecast()).toEqual({ kind: 'caught_up' });
    expect(watch.report()).not.toHaveProperty('paused');
  });

  it('is forecast by what is measured when nothing holds it back', () => {
    expect(watchOf({ why: null, lagMs: 3_600_000 }).forecast()).toEqual({ kind: 'never' });
  });
});
