/**
 * Series as sensors and machines give them, with one trouble in each: what detection is measured by. The same seed
 * gives the same series.
 */
import { type Random, seededRandom } from '../../../platform/random.ts';

/** What is usual in a series. */
export const NATURES = ['daily rhythm', 'bursts', 'heavy tails'] as const;
export type Nature = (typeof NATURES)[number];

/** `stuck`: at a reading that it does not usually have. */
export const TROUBLES = ['step', 'spike', 'stuck', 'variance'] as const;
export type Trouble = (typeof TROUBLES)[number];

export type TroubledOptions = {
  readonly nature: Nature;
  readonly trouble: Trouble | 'none';
  /**
   * How far the trouble is from what is usual, in standard deviations of the means of `meanOf` values before it, rhythm
   * and bursts included.
   */
  readonly sigma: number;
  readonly meanOf: number;
  /** Values before the trouble, and from its begin to the end of the series. */
  readonly before: number;
  readonly after: number;
  /** Values that a spike lasts. */
  readonly spike: number;
  readonly seed: number;
};

/** Values of a day: one a second. */
const DAY = 86_400;
/** Of the rhythm, in standard deviations of the noise around it. */
const SWING = 5;
const BURST_EVERY = 200;
const BURST_LASTS = 8;

export function troubledSeries(options: TroubledOptions): Float64Array {
  const { nature, trouble, sigma, meanOf, before, after, spike, seed } = options;
  const random = seededRandom(seed);
  const values = usual(nature, before + after, random);
  if (trouble === 'none') return values.whole;
  const { whole, level } = values;
  const size = sigma * deviationOf(whole.subarray(0, before), meanOf) * (random.next() < 0.5 ? -1 : 1);
  const stuckAt = (level[before] as number) + size;
  for (let at = before; at < whole.length; at += 1) {
    const value = whole[at] as number;
    const usually = level[at] as number;
    if (trouble === 'stuck') whole[at] = stuckAt;
    else if (trouble === 'variance') whole[at] = usually + (value - usually) * sigma;
    else if (trouble === 'step' || at < before + spike) whole[at] = value + size;
  }
  return whole;
}

type Usual = {
  readonly whole: Float64Array;
  /** Around which it moves. */
  readonly level: Float64Array;
};

function usual(nature: Nature, length: number, random: Random): Usual {
  const level = new Float64Array(length).fill(100);
  const whole = new Float64Array(length);
  const phase = random.next() * DAY;
  let burst = 0;
  let height = 0;
  for (let at = 0; at < length; at += 1) {
    let noise = gaussian(random);
    if (nature === 'daily rhythm') level[at] = 100 + SWING * Math.sin((2 * Math.PI * (at + phase)) / DAY);
    else if (nature === 'heavy tails') noise = heavyTailed(random, noise);
    else {
      if (burst === 0 && random.next() < 1 / BURST_EVERY) {
        burst = 1 + Math.floor(2 * BURST_LASTS * random.next());
        height = -4 * Math.log(1 - random.next());
      }
      if (burst > 0) {
        burst -= 1;
        noise += height;
      }
    }
    whole[at] = (level[at] as number) + noise;
  }
  return { whole, level };
}

/** Standard normal (Box–Muller). */
function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}

/** Student's t with three degrees of freedom. */
function heavyTailed(random: Random, normal: number): number {
  const squares = gaussian(random) ** 2 + gaussian(random) ** 2 + gaussian(random) ** 2;
  return normal / Math.sqrt(squares / 3);
}

/** Standard deviation of the means of so many values. */
function deviationOf(values: Float64Array, meanOf: number): number {
  let sum = 0;
  let squares = 0;
  let count = 0;
  for (let at = 0; at + meanOf <= values.length; at += meanOf) {
    const mean = values.subarray(at, at + meanOf).reduce((all, value) => all + value / meanOf, 0);
    sum += mean;
    squares += mean * mean;
    count += 1;
  }
  return Math.sqrt(squares / count - (sum / count) ** 2);
}
