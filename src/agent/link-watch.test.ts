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

describe('a frame of which HQ has a part', () => {
  const FRAME = { bytes: 262_144, samples: 26_214 };

  it('counts as much as samples of it are left, so that the forecast is what it takes', () => {
    let at = 1_000_000;
    let acked = 0;
    const watch = createLinkWatch({
      journal: {
        // The journal keeps both frames whole meanwhile.
        stats: () =>
          journalStats({
            pending: 2 * FRAME.samples - acked,
            frameSamples: 2 * FRAME.samples,
            pendingFrames: 2,
            pendingBytes: 2 * FRAME.bytes,
            oldestPendingTs: 0,
          }),
      },
      gate: OPEN_GATE,
      uplink: () => UPLINK as ReturnType<LinkWatchOptions['uplink']>,
      clock: { now: () => at, precise: () => at },
    });
    watch.look();
    // 2.4 kbit/s carry ten samples a second, in pieces of 40.
    for (let second = 1; second <= 64; second += 1) {
      at += 1_000;
      if (second % 4 === 0) acked += 40;
      watch.look();
    }
    const forecast = watch.forecast();
    if (forecast.kind !== 'in') throw new Error(forecast.kind);
    const takesMs = (2 * FRAME.samples - acked) * 100;
    expect(forecast.ms / takesMs).toBeGreaterThan(0.9);
    expect(forecast.ms / takesMs).toBeLessThan(1.1);
  });
});

describe('a link that comes and goes', () => {
  it('has a forecast of its passes, also while it is away', () => {
    let at = 1_000_000;
    let pending = 60_000;
    let phase = 'online';
    const watch = createLinkWatch({
      journal: {
        stats: () =>
          journalStats({ pending, frameSamples: pending, pendingBytes: 10 * pending, oldestPendingTs: 0 }),
      },
      gate: OPEN_GATE,
      uplink: () =>
        ({ ...UPLINK, phase, behind: phase === 'online' }) as ReturnType<LinkWatchOptions['uplink']>,
      clock: { now: () => at, precise: () => at },
    });
    for (let second = 0; second <= 200; second += 1, at += 1_000) {
      phase = second % 60 < 15 ? 'online' : 'waiting';
      pending += phase === 'online' ? -100 : 1;
      watch.look();
    }
    expect(phase).toBe('waiting');
    const forecast = watch.forecast();
    if (forecast.kind !== 'in') throw new Error(forecast.kind);
    const takesMs = (pending / (15 * 100 - 45)) * 60_000;
    expect(forecast.ms / takesMs).toBeGreaterThan(0.97);
    expect(forecast.ms / takesMs).toBeLessThan(1.03);
  });

  it('is not known to be caught up while it is away', () => {
    const watch = createLinkWatch({
      journal: { stats: () => journalStats() },
      gate: OPEN_GATE,
      uplink: () =>
        ({ ...UPLINK, phase: 'waiting', behind: false }) as ReturnType<LinkWatchOptions['uplink']>,
      clock: { now: () => 0, precise: () => 0 },
    });
    expect(watch.forecast()).toEqual({ kind: 'unknown' });
  });
});
