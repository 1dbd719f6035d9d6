import { describe, expect, it } from 'vitest';
import { seededIds, systemIds } from './ids.ts';
import { type Random, seededRandom, systemRandom } from './random.ts';

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.next());

describe('seeded random', () => {
  it('gives the same sequence for the same seed, everywhere', () => {
    // Fixed values: another machine or version must not give a simulation another course.
    expect(draw(seededRandom(42), 3)).toEqual([0.6011037519201636, 0.44829055899754167, 0.8524657934904099]);
  });

  it('gives different sequences for different seeds', () => {
    expect(draw(seededRandom(1), 5)).not.toEqual(draw(seededRandom(2), 5));
  });

  it.each([
    ['seeded', seededRandom(7)],
    ['system', systemRandom],
  ])('fills [0, 1) evenly (%s)', (_name, random) => {
    const values = draw(random, 100_000);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const share = values.filter((value) => Math.floor(value * 10) === tenth).length / values.length;
      expect(share).toBeGreaterThan(0.09);
      expect(share).toBeLessThan(0.11);
    }
  });
});

describe('ids', () => {
  it('are lower-case hex of the length asked for, and differ', () => {
    const ids = Array.from({ length: 1000 }, () => systemIds.hex(6));
    expect(ids.every((id) => /^[0-9a-f]{12}$/.test(id))).toBe(true);
    expect(new Set(ids).size).toBe(1000);
  });

  it('are reproducible when seeded', () => {
    const ids = () => {
      const seeded = seededIds(seededRandom(3));
      return [seeded.hex(6), seeded.hex(6), seeded.hex(1)];
    };
    expect(ids()).toEqual(ids());
    expect(ids()[0]).toMatch(/^[0-9a-f]{12}$/);
    expect(ids()[0]).not.toBe(ids()[1]);
    expect(ids()[2]).toHaveLength(2);
  });
});
