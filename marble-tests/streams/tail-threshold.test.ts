import { describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../src/platform/random.ts';
import { createTailThreshold } from '../../src/streams/tail-threshold.ts';

const RATE = 1e-3;
const exponential = (random: Random) => -Math.log(1 - random.next());
const pareto = (random: Random) => (1 - random.next()) ** -0.3;
const uniform = (random: Random) => 3 * random.next();

/** Share of a second half of the scores that lies beyond what the threshold was then. */
function shareBeyond(scoreOf: (random: Random) => number): number {
  const random = seededRandom(3);
  const threshold = createTailThreshold(RATE);
  const count = 400_000;
  let beyond = 0;
  for (let index = 0; index < count; index += 1) {
    const score = scoreOf(random);
    if (index >= count / 2 && score > threshold.value()) beyond += 1;
    threshold.learn(score);
  }
  return beyond / (count / 2);
}

describe('createTailThreshold', () => {
  it.each([
    ['exponential', exponential],
    ['heavy', pareto],
    ['bounded', uniform],
  ])('is exceeded about as seldom as wanted where the tail is %s', (_name, scoreOf) => {
    expect(shareBeyond(scoreOf)).toBeGreaterThan(RATE / 3);
    expect(shareBeyond(scoreOf)).toBeLessThan(RATE * 3);
  });

  it('says nothing before it has seen some of the tail', () => {
    const threshold = createTailThreshold(RATE);
    for (let index = 0; index < 9; index += 1) threshold.learn(5);
    expect(threshold.value()).toBe(Number.POSITIVE_INFINITY);
    threshold.learn(5);
    expect(threshold.value()).toBeLessThan(100);
  });

  it('is not moved far by one score, however high', () => {
    const random = seededRandom(1);
    const threshold = createTailThreshold(RATE);
    for (let index = 0; index < 20_000; index += 1) threshold.learn(exponential(random));
    const before = threshold.value();
    threshold.learn(1e9);
    expect(threshold.value()).toBeLessThan(2 * before);
  });

  it('rises where scores beyond it come again and again', () => {
    const random = seededRandom(1);
    const threshold = createTailThreshold(RATE);
    let beyond = 0;
    for (let index = 0; index < 20_000; index += 1) {
      const score = index % 100 === 0 ? 50 : exponential(random);
      if (index > 15_000 && score > threshold.value()) beyond += 1;
      threshold.learn(score);
    }
    expect(beyond).toBe(0);
  });

  it('refuses rates that are none, or beyond the tail', () => {
    expect(() => createTailThreshold(0)).toThrow(/rate/);
    expect(() => createTailThreshold(0.5)).toThrow(/tail/);
  });
});
