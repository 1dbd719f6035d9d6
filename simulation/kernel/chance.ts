/**
 * Chance, all of it from one seed: each part of a world draws from a stream of its own, so that leaving one part out
 * does not change what the others draw.
 */
import { createHash } from 'node:crypto';
import { type Random, seededRandom } from '../../src/platform/random.ts';

export type Chance = Random & {
  /** Uniform in [low, high). */
  readonly between: (low: number, high: number) => number;
  /** Whole number in low … high, both included. */
  readonly whole: (low: number, high: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <T>(items: readonly T[]) => T;
  /** A stream of its own, named. */
  readonly stream: (name: string) => Chance;
};

export function createChance(seed: number, name = ''): Chance {
  const digest = createHash('sha256').update(`${seed}/${name}`).digest();
  const { next } = seededRandom(digest.readUInt32LE(0));
  return {
    next,
    between: (low, high) => low + next() * (high - low),
    whole: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (probability) => next() < probability,
    pick: (items) => {
      const item = items[Math.floor(next() * items.length)];
      if (item === undefined) throw new RangeError('nothing to pick from');
      return item;
    },
    stream: (child) => createChance(seed, `${name}/${child}`),
  };
}
