import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/platform/random.ts';
import { createAnomalyDetector, type Episode } from '../../src/streams/index.ts';
import { oneByOne, savedAndRestored } from './detectors.ts';

const options = { threshold: 3, clearThreshold: 1.5, warmUp: 2, window: 4, minStddev: 1 };

/** Values of a series, one a second, through a detector of their own. */
function episodes(values: readonly number[], given = options): Episode[] {
  const detector = createAnomalyDetector(given);
  return values.flatMap((value, index) => detector.next(index * 1000, value) ?? []);
}

describe('createAnomalyDetector', () => {
  it('judges nothing during warm-up', () => {
    expect(episodes([5, 500, 5, -500], { ...options, warmUp: 4 })).toEqual([]);
  });

  it('makes one anomaly of one episode, with start, peak and end', () => {
    const seen = episodes([5, 5, 5, 9, 9.5, 9, 5]);
    expect(seen).toEqual([
      {
        state: 'open',
        startTs: 3000,
        peakTs: 3000,
        peakValue: 9,
        peakZ: 4,
        mean: 5,
        stddev: 1,
        endTs: null,
        judgement: { method: 'zscore', threshold: 3 },
      },
      {
        state: 'closed',
        startTs: 3000,
        peakTs: 4000,
        peakValue: 9.5,
        peakZ: 4.5,
        mean: 5,
        stddev: 1,
        endTs: 6000,
        judgement: { method: 'zscore', threshold: 3 },
      },
    ]);
  });

  it('tells an open episode again when its peak has grown by a quarter', () => {
    const wide = { ...options, window: 20 };
    const seen = episodes([5, 5, 5, 9, 9.9, 10, 8, 30, 31, 5], wide);
    expect(seen.map(({ state, startTs, peakTs, peakZ }) => [state, startTs, peakTs, peakZ])).toEqual([
      ['open', 3000, 3000, 4],
      ['open', 3000, 5000, 5],
      ['open', 3000, 7000, 25],
      ['closed', 3000, 8000, 26],
    ]);
  });

  it('tells it at most once a second, even after the clock was set back', () => {
    const detector = createAnomalyDetector({ ...options, window: 20 });
    const told = (ts: number, value: number) => detector.next(ts, value)?.peakZ ?? null;
    for (const ts of [0, 1, 2]) told(ts, 5);
    expect([told(100, 9), told(600, 50), told(1099, 10), told(1100, 10), told(1200, 200)]).toEqual([
      4,
      null,
      null,
      45,
      null,
    ]);
    expect(told(-9000, 10)).toBe(195);
  });

  it('sees falls as well as rises, with the sign', () => {
    expect(episodes([5, 5, 5, -5, 5]).map(({ peakZ }) => peakZ)).toEqual([-10, -10]);
  });

  it('does not flicker between the two thresholds', () => {
    const seen = episodes([5, 5, 5, 9, 7, 9, 7, 6], { ...options, window: 8 });
    expect(seen.map(({ state, endTs }) => [state, endTs])).toEqual([
      ['open', null],
      ['closed', 7000],
    ]);
    expect(episodes([5, 5, 5, 7, 7, 7])).toEqual([]);
  });

  it('keeps the values of an episode out of the window, so that the next one is judged alike', () => {
    const [first, , second] = episodes([5, 5, 5, 5, 50, 5, 50, 5]);
    expect(second).toMatchObject({ state: 'open', mean: first?.mean, peakZ: first?.peakZ });
  });

  it('takes a level that lasts for a whole window as the new normal', () => {
    const detector = createAnomalyDetector(options);
    const levels = [5, 5, 5, 5, 20, 20, 20, 20, 20, 20, 5];
    const seen = levels.map((value, index) => detector.next(index, value)?.state ?? null);
    expect(seen).toEqual([null, null, null, null, 'open', null, null, 'closed', null, null, 'open']);
  });

  it('measures each episode by itself when it asks whether it has lasted', () => {
    const seen = episodes([5, 5, 5, 5, 20, 20, 20, 5, 20, 20, 20, 5]);
    expect(seen.map(({ endTs }) => endTs)).toEqual([null, 7000, null, 11_000]);
  });

  it('takes no notice of values that are not finite, in an episode or out of it', () => {
    const nan = Number.NaN;
    const infinity = Number.POSITIVE_INFINITY;
    const seen = episodes([5, nan, 5, infinity, 5, 9, nan, -infinity, 5]);
    expect(seen.map(({ state, startTs, endTs }) => [state, startTs, endTs])).toEqual([
      ['open', 5000, null],
      ['closed', 5000, 8000],
    ]);
  });

  it('needs a floor to judge a constant series', () => {
    expect(episodes([5, 5, 5, 5, 6], { ...options, minStddev: 0 })).toEqual([]);
    expect(episodes([5, 5, 5, 5, 6], { ...options, minStddev: 0.1 })).toHaveLength(1);
  });

  it('leaves plain noise alone and finds every planted spike in it', () => {
    const random = seededRandom(3);
    const noise = () => random.next() + random.next() + random.next();
    const values = Array.from({ length: 20_000 }, (_, index) => noise() + (index % 1000 === 999 ? 8 : 0));
    const starts = episodes(values, {
      threshold: 6,
      clearThreshold: 3,
      warmUp: 30,
      window: 300,
      minStddev: 0.01,
    })
      .filter(({ state }) => state === 'open')
      .map(({ startTs }) => startTs / 1000);
    expect(starts).toEqual(Array.from({ length: 20 }, (_, index) => index * 1000 + 999));
  });

  it.each([
    ['with spikes', (index: number, noise: number) => noise + (index % 170 === 169 ? 8 : 0)],
    ['with steps that last', (index: number, noise: number) => noise + Math.floor(index / 700) * 50],
    ['with holes', (index: number, noise: number) => (index % 7 === 0 ? Number.NaN : noise ** 9)],
    ['that stands still', (index: number, noise: number) => (index % 500 < 400 ? 5 : noise)],
    ['at the edge of the threshold', (_index: number, noise: number) => Math.round(noise * 3)],
  ])('finds in columns what it finds value by value: a series %s', (_name, valueAt) => {
    for (const given of [options, { ...options, window: 30, warmUp: 10, minStddev: 0, clearThreshold: 1 }]) {
      const random = seededRandom(5);
      const values = Float64Array.from({ length: 6000 }, (_, index) =>
        valueAt(index, random.next() + random.next()),
      );
      const ts = values.map((_, index) => index * 100);
      const [whole, single] = [createAnomalyDetector(given), createAnomalyDetector(given)];
      const inColumns: (readonly [number, Episode])[] = [];
      for (let from = 0; from < values.length; ) {
        const to = from + 1 + Math.floor(random.next() * 300);
        const begin = from;
        whole.nextColumn(ts.subarray(from, to), values.subarray(from, to), (index, episode) =>
          inColumns.push([begin + index, episode]),
        );
        from = to;
      }
      const singly = Array.from(values, (value, index) => single.next(index * 100, value));
      expect(inColumns).toEqual(
        singly.flatMap((episode, index) => (episode === null ? [] : [[index, episode]])),
      );
      expect(inColumns.length).toBeGreaterThan(0);
    }
  });

  it('goes on after a restart as if there had been none, amid an episode and out of it', () => {
    const random = seededRandom(5);
    const values = Array.from({ length: 6000 }, (_, index) => random.next() + (index % 400 > 340 ? 9 : 0));
    for (const given of [options, { ...options, window: 90, warmUp: 10 }]) {
      const expected = oneByOne(createAnomalyDetector(given), values);
      expect(expected.length).toBeGreaterThan(20);
      expect(savedAndRestored(() => createAnomalyDetector(given), values)).toEqual(expected);
    }
  });

  it('does not go on with what none can have learned', () => {
    const restore = (...numbers: number[]) => {
      const rest = [...numbers];
      createAnomalyDetector(options).restore(() => rest.shift() ?? Number.NaN);
    };
    expect(() => restore(5, 0, 1)).toThrow(RangeError);
    expect(() => restore(0, 9, 1)).toThrow(RangeError);
    expect(() => restore(0, 0, 0.5)).toThrow(RangeError);
  });

  it('refuses thresholds and windows that contradict each other', () => {
    expect(() => createAnomalyDetector({ ...options, clearThreshold: 4 })).toThrow(/threshold/);
    expect(() => createAnomalyDetector({ ...options, warmUp: 5 })).toThrow(/window/);
    expect(() => createAnomalyDetector({ ...options, minStddev: -1 })).toThrow(/minStddev/);
  });
});
