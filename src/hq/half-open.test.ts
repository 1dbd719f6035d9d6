import { describe, expect, it } from 'vitest';
import { type CutReason, createHalfOpen } from './half-open.ts';

function start(options: { max?: number } = {}) {
  let now = 0;
  const counts: number[] = [];
  const halfOpen = createHalfOpen({
    silenceMs: 10_000,
    leastBytesPerSecond: 5,
    max: options.max ?? 100,
    clock: { precise: () => now },
    onCount: (count) => counts.push(count),
  });
  const begin = () => {
    const peer = { bytes: 0, cuts: [] as CutReason[], end: () => {} };
    peer.end = halfOpen.begin({
      received: () => peer.bytes,
      cut: (reason) => void peer.cuts.push(reason),
    });
    return peer;
  };
  return {
    counts,
    begin,
    /** A sweep each second. */
    pass: (seconds: number, each: () => void = () => {}) => {
      for (let second = 0; second < seconds; second += 1) {
        now += 1_000;
        each();
        halfOpen.sweep();
      }
    },
  };
}

describe('what is half open', () => {
  it('may take an hour while bytes come', () => {
    const { begin, pass } = start();
    const slow = begin();
    pass(3_600, () => {
      slow.bytes += 5;
    });
    expect(slow.cuts).toEqual([]);
  });

  it('is cut after silence, counted from its last byte', () => {
    const { begin, pass, counts } = start();
    const peer = begin();
    pass(9, () => {
      peer.bytes += 100;
    });
    pass(10);
    expect(peer.cuts).toEqual([]);
    pass(1);
    expect(peer.cuts).toEqual(['silent']);
    expect(counts).toEqual([1, 0]);
  });

  it('is cut below the least rate, but not before the time of a silence has passed', () => {
    const { begin, pass } = start();
    const peer = begin();
    pass(10, () => {
      peer.bytes += 4;
    });
    expect(peer.cuts).toEqual([]);
    pass(1, () => {
      peer.bytes += 4;
    });
    expect(peer.cuts).toEqual(['too slow']);
  });

  it('is left alone once it has ended', () => {
    const { begin, pass, counts } = start();
    const peer = begin();
    peer.end();
    pass(60);
    expect(peer.cuts).toEqual([]);
    expect(counts).toEqual([1, 0]);
  });

  it('bytes of another connection count again', () => {
    const { begin, pass } = start();
    const peer = begin();
    peer.bytes = 1_000;
    pass(9);
    peer.bytes = 900;
    pass(9);
    expect(peer.cuts).toEqual([]);
  });

  it('beyond the most at once the slowest makes room, not those that make progress and not the newest', () => {
    const { begin, pass, counts } = start({ max: 3 });
    const [fast, slow, trickling] = [begin(), begin(), begin()];
    pass(20, () => {
      fast.bytes += 1_000;
      slow.bytes += 300;
      trickling.bytes += 6;
    });
    const first = begin();
    const cuts = () => [fast, slow, trickling, first].map((peer) => peer.cuts);
    expect(cuts()).toEqual([[], [], ['too many'], []]);
    // One of a flood of connections that say nothing makes room for the next of them.
    const second = begin();
    expect(cuts()).toEqual([[], [], ['too many'], ['too many']]);
    second.bytes += 2_000;
    const third = begin();
    expect(second.cuts).toEqual([]);
    expect(slow.cuts).toEqual(['too many']);
    expect(third.cuts).toEqual([]);
    expect(counts.at(-1)).toBe(3);
  });
});
