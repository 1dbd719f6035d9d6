import { describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../src/platform/random.ts';
import { createAdaptiveDetector } from '../../src/streams/index.ts';
import { type Found, inColumns, oneByOne, savedAndRestored } from './detectors.ts';

const options = { rate: 1e-4, clearThreshold: 2, minStddev: 0 };
const create = () => createAdaptiveDetector(options);
const noise = ({ next }: Random) => next() + next() + next() + next() - 2;
const NOISE_STDDEV = Math.sqrt(4 / 12);

/** Noise, and what `trouble` adds to it from 6,000 on. */
function noisy(trouble: (at: number, noise: number) => number, length = 8000): number[] {
  const random = seededRandom(17);
  return Array.from({ length }, (_, index) => {
    const value = noise(random);
    return index < 6000 ? value : value + trouble(index - 6000, value);
  });
}

const states = (found: Found) => found.map(([, { state }]) => state);

describe('createAdaptiveDetector', () => {
  it('finds a step as one episode, which ends when the new level is usual', () => {
    const found = oneByOne(
      create(),
      noisy(() => 5 * NOISE_STDDEV),
    );
    const [opened, ...rest] = found;
    expect(opened?.[0]).toBeGreaterThanOrEqual(6000);
    expect(opened?.[0]).toBeLessThan(6030);
    expect(states(rest).at(-1)).toBe('closed');
    expect(states(found).filter((state) => state === 'closed')).toHaveLength(1);
    expect(new Set(found.map(([, { startTs }]) => startTs))).toEqual(new Set([opened?.[1].startTs]));
  });

  it('says what it judged by', () => {
    const [first] = oneByOne(
      create(),
      noisy(() => 10),
    );
    const { judgement, mean, stddev, peakValue, peakZ } = first?.[1] ?? {};
    expect(judgement?.method).toBe('adaptive');
    expect(judgement?.threshold).toBeGreaterThanOrEqual(3);
    expect(Math.abs(peakZ ?? 0)).toBeGreaterThan(judgement?.threshold ?? 0);
    expect(((peakValue ?? 0) - (mean ?? 0)) / (stddev ?? 1)).toBeCloseTo(peakZ ?? 0, 9);
  });

  it('is not moved by a single value, nor by a slow drift', () => {
    expect(
      oneByOne(
        create(),
        noisy((at) => (at === 0 ? 5 * NOISE_STDDEV : 0)),
      ),
    ).toEqual([]);
    expect(
      oneByOne(
        create(),
        noisy((at) => at / 5000, 16_000),
      ),
    ).toEqual([]);
  });

  it('judges nothing before it has seen 500 values', () => {
    const values = Array.from({ length: 500 }, (_, index) => (index > 450 ? 1000 : index % 2));
    expect(oneByOne(create(), values)).toEqual([]);
  });

  it('rests after an episode', () => {
    const pulses = oneByOne(
      create(),
      noisy((at) => (at % 60 < 15 && at < 200 ? 8 : 0)),
    );
    const opened = pulses.filter(([, { state, peakTs, startTs }]) => state === 'open' && peakTs === startTs);
    const closed = pulses.find(([, { state }]) => state === 'closed');
    expect(opened[0]?.[0]).toBeLessThan(6015);
    for (const [at] of opened.slice(1)) expect(at - (closed?.[0] ?? 0)).toBeGreaterThan(100);
  });

  it('becomes quiet where the tail is heavy', () => {
    const random = seededRandom(23);
    const values = Array.from({ length: 60_000 }, () => noise(random) / (0.02 + random.next()));
    const opened = oneByOne(create(), values).filter(
      ([, { state, peakTs, startTs }]) => state === 'open' && peakTs === startTs,
    );
    expect(opened.length).toBeLessThanOrEqual(12);
  });

  it.each([
    ['a constant', () => 5],
    ['a constant that is hard to round', () => 0.1 + 1e6],
    [
      'values that are not finite',
      (index: number) => [Number.NaN, Number.POSITIVE_INFINITY, -Infinity][index % 3] ?? 0,
    ],
    ['values beyond all squares', (index: number) => (index % 2 === 0 ? 1e300 : -1e300)],
  ])('finds nothing in %s', (_name, valueAt) => {
    expect(
      oneByOne(
        create(),
        Array.from({ length: 5000 }, (_, index) => valueAt(index)),
      ),
    ).toEqual([]);
  });

  it('finds in columns, and over a restart, what it finds value by value', () => {
    const values = noisy((at, value) => (at % 700 < 60 ? 4 : 0) + (at > 5000 ? value * 6 : 0), 16_000);
    const expected = oneByOne(create(), values);
    expect(expected.length).toBeGreaterThan(5);
    expect(inColumns(create(), values)).toEqual(expected);
    expect(savedAndRestored(create, values)).toEqual(expected);
  });

  it('refuses options that contradict each other', () => {
    expect(() => createAdaptiveDetector({ ...options, clearThreshold: 4 })).toThrow(/least z/);
    expect(() => createAdaptiveDetector({ ...options, minStddev: -1 })).toThrow(/minStddev/);
  });
});
