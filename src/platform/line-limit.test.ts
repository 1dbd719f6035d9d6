import { describe, expect, it } from 'vitest';
import { createLineLimit, PER_EVENT, PER_PEER, WINDOW_MS } from './line-limit.ts';

function limitAt() {
  let now = 0;
  const limit = createLineLimit(() => now);
  return {
    ...limit,
    pass: (ms: number) => (now += ms),
    /** How many of so many lines are written. */
    written: (lines: number, event: string, peer: (index: number) => string | null) =>
      Array.from({ length: lines }, (_, index) => limit.take(event, peer(index))).filter(({ write }) => write)
        .length,
  };
}

describe('lines of one event', () => {
  it('about one peer are left out beyond a number, and those about others are not', () => {
    const limit = limitAt();
    expect(limit.written(1_000, 'cut_off', () => 'evil')).toBe(PER_PEER);
    expect(limit.written(3, 'cut_off', () => 'honest')).toBe(3);
    expect(limit.written(3, 'refused', () => 'evil')).toBe(3);
    expect(limit.leftOut()).toBe(1_000 - PER_PEER);
  });

  it('are bounded in all, however many peers there are', () => {
    const limit = limitAt();
    expect(limit.written(100_000, 'cut_off', (index) => `peer-${index}`)).toBeLessThanOrEqual(PER_EVENT);
  });

  it('are written again in the next window, and the first says how many are missing', () => {
    const limit = limitAt();
    limit.written(PER_PEER + 7, 'cut_off', () => 'evil');
    limit.pass(WINDOW_MS);
    expect(limit.take('cut_off', 'honest')).toEqual({ write: true, leftOut: 7 });
    expect(limit.take('cut_off', 'evil')).toEqual({ write: true, leftOut: 0 });
  });

  it('that come slowly are all written', () => {
    const limit = limitAt();
    for (let line = 0; line < 1_000; line += 1) {
      expect(limit.take('link_down', null).write).toBe(true);
      limit.pass(WINDOW_MS / PER_PEER);
    }
  });
});
