import { describe, expect, test } from 'vitest';
import type { Bucket } from '../../../protocol/bucket.ts';
import type { NamedSeries } from './named-series.ts';
import { defaultSeries, isCounter, isolatedRows, shapeBuckets, stepFor, toRate } from './shape.ts';

const filled = (t: number, mean: number, count = 10): Bucket => ({
  t,
  count,
  min: mean - 1,
  max: mean + 1,
  mean,
});
const empty = (t: number): Bucket => ({ t, count: 0, min: null, max: null, mean: null });
const seconds = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => (from + index) * 1000);
const window = { from: 0, to: 20_000, stepMs: 1000, firstTs: 0 };

describe('stepFor', () => {
  test('leaves each bucket two pixels, and is finer than a second only where that is all there is to see', () => {
    expect(stepFor(10_000, 500)).toBe(50);
    expect(stepFor(2_000, 5000)).toBe(10);
    expect(stepFor(300_000, 1200)).toBe(1000);
    expect(stepFor(300_000, 300)).toBe(2000);
    expect(stepFor(86_400_000, 500)).toBe(600_000);
    expect(stepFor(86_400_000, 1)).toBe(3_600_000);
  });
});

describe('shapeBuckets', () => {
  test('an outage parts the line and is a gap', () => {
    const buckets = seconds(0, 20).map((t) => (t >= 5000 && t < 12_000 ? empty(t) : filled(t, 4)));
    const shape = shapeBuckets(buckets, window);
    expect(shape.gaps).toEqual([{ from: 5000, to: 12_000 }]);
    const parted = shape.t.indexOf(5000);
    expect([shape.mean[parted], shape.min[parted], shape.max[parted]]).toEqual([null, null, null]);
    expect(shape.t).toEqual(shape.t.toSorted((a, b) => a - b));
    expect(shape.latest).toEqual({ t: 19_000, value: 4 });
  });

  test('one empty bucket among full ones is a gap', () => {
    const buckets = seconds(0, 20).map((t) => (t === 7000 ? empty(t) : filled(t, 4)));
    expect(shapeBuckets(buckets, window).gaps).toEqual([{ from: 7000, to: 8000 }]);
  });

  test('samples that are rarer than buckets are no gaps', () => {
    const buckets = seconds(0, 20).map((t) => (t % 5000 === 0 ? filled(t, 4, 1) : empty(t)));
    const shape = shapeBuckets(buckets, { ...window, to: 20_000 });
    expect(shape.gaps).toEqual([]);
    expect(shape.mean).toEqual([4, 4, 4, 4]);
  });

  test('a sample that missed its bucket by a hair is no gap', () => {
    const buckets = seconds(0, 20).map((t) => (t === 7000 ? empty(t) : filled(t, 4, 1)));
    expect(shapeBuckets(buckets, window).gaps).toEqual([]);
  });

  test('silence up to now is a gap once the samples are overdue', () => {
    const until = (last: number) => seconds(0, 20).map((t) => (t <= last ? filled(t, 4) : empty(t)));
    expect(shapeBuckets(until(17_000), window).gaps).toEqual([]);
    expect(shapeBuckets(until(10_000), window).gaps).toEqual([{ from: 11_000, to: 20_000 }]);
  });

  test('time before the series began is no gap', () => {
    const buckets = seconds(0, 20).map((t) => (t < 10_000 ? empty(t) : filled(t, 4)));
    expect(shapeBuckets(buckets, { ...window, firstTs: 10_000 }).gaps).toEqual([]);
    expect(shapeBuckets(buckets, { ...window, firstTs: -5000 }).gaps).toEqual([{ from: 0, to: 10_000 }]);
  });

  test('a range wholly without samples is one gap', () => {
    expect(shapeBuckets(seconds(0, 20).map(empty), { ...window, firstTs: -1 })).toMatchObject({
      t: [],
      gaps: [{ from: 0, to: 20_000 }],
      latest: null,
    });
    expect(shapeBuckets([], { ...window, firstTs: null }).gaps).toEqual([]);
  });

  describe('thinned samples', () => {
    /** So many samples, one a second, that count together at their first. */
    const thinned = (t: number, samples: number): Bucket => ({
      ...filled(t, 4, samples),
      thinned: samples,
      ...(samples > 1 ? { until: t + (samples - 1) * 1000 } : {}),
    });
    const buckets = seconds(0, 20).map((t) =>
      t < 12_000 ? (t % 4000 === 0 ? thinned(t, 4) : empty(t)) : filled(t, 5, 1),
    );

    test('are a level as long as they reach, shaded as one span, and no gap', () => {
      const shape = shapeBuckets(buckets, window);
      expect(shape.gaps).toEqual([]);
      expect(shape.thinned).toEqual([{ from: 0, to: 12_000 }]);
      expect(shape.t.slice(0, 7)).toEqual([0, 3000, 4000, 7000, 8000, 11_000, 12_000]);
      expect(shape.max.slice(0, 7)).toEqual([5, 5, 5, 5, 5, 5, 6]);
    });

    test('part the line where nothing came after them', () => {
      const torn = buckets.map((bucket) =>
        bucket.t >= 4000 && bucket.t < 12_000 ? empty(bucket.t) : bucket,
      );
      const shape = shapeBuckets(torn, window);
      expect(shape.gaps).toEqual([{ from: 4000, to: 12_000 }]);
      expect(shape.thinned).toEqual([{ from: 0, to: 4000 }]);
    });

    test('that began before the range leave no gap at its start', () => {
      const cut = buckets.slice(2);
      const shape = shapeBuckets(cut, { ...window, from: 1000, firstTs: -50_000 });
      expect(shape.gaps).toEqual([]);
      expect(shape.t[0]).toBe(4000);
    });

    test('of a counter are points in the middle, between which it grew', () => {
      const growing = [0, 4000, 8000].map((t) => ({ ...thinned(t, 4), mean: t / 10 }));
      const rate = toRate(shapeBuckets(growing, { ...window, to: 12_000, middles: true }));
      expect(rate.t).toEqual([1500, 5500, 9500]);
      expect(rate.mean).toEqual([null, 100, 100]);
      expect(rate.thinned).toEqual([{ from: 0, to: 12_000 }]);
    });

    test('alongside whole ones in one bucket are shaded too', () => {
      const mixed = seconds(0, 20).map((t) => (t === 6000 ? { ...filled(t, 4), thinned: 3 } : filled(t, 4)));
      expect(shapeBuckets(mixed, window).thinned).toEqual([{ from: 6000, to: 7000 }]);
      expect(
        shapeBuckets(
          mixed.map(({ thinned: _, ...one }) => one),
          window,
        ).thinned,
      ).toEqual([]);
    });
  });

  test('values that JSON cannot carry part the line but are no gap', () => {
    const odd: Bucket = { t: 7000, count: 10, min: 1, max: 'Infinity', mean: 'NaN' };
    const buckets = seconds(0, 20).map((t) => (t === 7000 ? odd : filled(t, 4)));
    const shape = shapeBuckets(buckets, window);
    expect(shape.gaps).toEqual([]);
    expect(shape.mean[7]).toBeNull();
    expect(shape.max[7]).toBeNull();
  });
});

describe('toRate', () => {
  test('a counter becomes its growth a second; gaps and restarts have none', () => {
    const buckets = [
      filled(0, 100),
      filled(1000, 160),
      filled(2000, 200),
      filled(3000, 10),
      filled(4000, 30),
    ];
    const rate = toRate(shapeBuckets(buckets, { ...window, to: 5000 }));
    expect(rate.mean).toEqual([null, 60, 40, null, 20]);
    expect(rate.latest).toEqual({ t: 4000, value: 20 });
  });

  test('host counters are known by name, gauges are left alone', () => {
    expect(isCounter({ name: 'system.network.io' })).toBe(true);
    expect(isCounter({ name: 'system.disk.operations' })).toBe(true);
    expect(isCounter({ name: 'system.memory.usage' })).toBe(false);
  });
});

test('a value that no line reaches is found', () => {
  expect(isolatedRows([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  expect(isolatedRows([null, 0, null])).toEqual([1]);
  expect(isolatedRows([])).toEqual([]);
});

describe('defaultSeries', () => {
  const series = (name: string, attributes: Record<string, string> = {}): NamedSeries => ({
    chart: `${name}${Object.values(attributes).join()}`,
    series: `${name}${Object.values(attributes).join()}`,
    name,
    attributes,
    unit: '1',
    source: 'host',
    firstTs: 0,
    lastTs: 0,
  });

  test('vital signs come first, loopback never, at most two of a name', () => {
    const all = [
      ...['lo', 'eth0', 'eth1', 'eth2'].map((device) => series('system.network.io', { device })),
      series('some.other'),
      series('system.memory.utilization'),
      series('system.cpu.utilization'),
    ];
    expect(defaultSeries(all)).toEqual([
      'system.cpu.utilization',
      'system.memory.utilization',
      'system.network.ioeth0',
      'system.network.ioeth1',
      'some.other',
    ]);
  });

  test('no more than six', () => {
    expect(defaultSeries(Array.from({ length: 20 }, (_, index) => series(`made.up.${index}`)))).toHaveLength(
      6,
    );
  });
});
