import { describe, expect, it } from 'vitest';
import { type CutReason, createHalfOpen } from './half-open.ts';

function start(options: { max?: number; mostBytes?: number } = {}) {
  let now = 0;
  const counts: number[] = [];
  const halfOpen = createHalfOpen({
    silenceMs: 10_000,
    leastBytesPerSecond: 5,
    max: options.max ?? 100,
    ...(options.mostBytes !== undefined && { mostBytes: options.mostBytes }),
    clock: { precise: () => now },
    onCount: (count) => counts.push(count),
  });
  const begin = (address = '10.0.0.1') => {
    const peer = { bytes: 0, cuts: [] as CutReason[], end: () => {} };
    peer.end = halfOpen.begin({
      address,
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
    const [fast, slow, trickling] = [begin('10.0.0.1'), begin('10.0.0.2'), begin('10.0.0.3')];
    pass(20, () => {
      fast.bytes += 1_000;
      slow.bytes += 300;
      trickling.bytes += 6;
    });
    const first = begin('10.0.0.4');
    const cuts = () => [fast, slow, trickling, first].map((peer) => peer.cuts);
    expect(cuts()).toEqual([[], [], ['too many'], []]);
    // One of a flood of connections that say nothing makes room for the next of them.
    const second = begin('10.0.0.5');
    expect(cuts()).toEqual([[], [], ['too many'], ['too many']]);
    second.bytes += 2_000;
    const third = begin('10.0.0.6');
    expect(second.cuts).toEqual([]);
    expect(slow.cuts).toEqual(['too many']);
    expect(third.cuts).toEqual([]);
    expect(counts.at(-1)).toBe(3);
  });

  it.each([
    ['one address', () => '10.0.0.1', '10.0.0.2'],
    ['one IPv4 address written as IPv6', () => '::ffff:10.0.0.1', '::ffff:10.0.0.2'],
    ['one network of IPv6', (index: number) => `2001:db8::1:${index.toString(16)}`, '2001:db8:0:1::1'],
  ])('of %s may be half of the most at once, and drives out no others', (_what, address, other) => {
    const { begin, counts } = start({ max: 10 });
    const honest = begin(other);
    const flood = Array.from({ length: 50 }, (_, index) => begin(address(index)));
    expect(honest.cuts).toEqual([]);
    expect(flood.filter(({ cuts }) => cuts.length > 0)).toHaveLength(45);
    expect(counts.at(-1)).toBe(6);
  });

  it('is not looked at all over again for each that a flood begins', () => {
    let looks = 0;
    const halfOpen = createHalfOpen({
      ...{ silenceMs: 10_000, leastBytesPerSecond: 5, max: 1_000, clock: { precise: () => 0 } },
    });
    const received = () => {
      looks += 1;
      return 0;
    };
    for (let index = 0; index < 5_000; index += 1)
      halfOpen.begin({ address: '10.0.0.1', received, cut: () => {} });
    expect(looks).toBeLessThan(5 * 5_000);
  });

  it('is cut once it has sent more than any of them needs', () => {
    const { begin, pass } = start({ mostBytes: 1_000 });
    const [modest, huge] = [begin(), begin()];
    pass(1, () => {
      modest.bytes += 1_000;
      huge.bytes += 1_001;
    });
    expect([modest.cuts, huge.cuts]).toEqual([[], ['too much']]);
  });
});
