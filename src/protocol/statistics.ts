/**
 * Statistics of buckets of values, columnar: one entry of each array is one bucket. Thinning, rollups and queries all
 * count with this.
 *
 * Rules:
 * - NaN counts in `counts` and nowhere else.
 * - Sums are kept with twice the digits of a double, so that any order of adding and merging agrees within 1e-12 of the
 *   sum of the magnitudes.
 * - `squares` is the sum of squared deviations from the mean (Welford; merged by Chan, Golub and LeVeque 1979). It is
 *   centred, so it is never negative. It is NaN where it is not known: with values that came thinned, infinite ones,
 *   and ones beyond {@link HUGE} in size.
 * - Infinite and huge values add up in `hugeSum`, so that a mean of finite values is finite; also where they came
 *   thinned, with a sum that is infinite only because no double holds it. The mean of values with
 *   one infinity is that infinity, of values with both NaN.
 */

export type Statistics = {
  /** Values that were there, NaN included. */
  readonly counts: Float64Array;
  /** Those of them that were numbers, infinities included; all that follows is of these. */
  readonly numbers: Float64Array;
  /** Of the counts, how many came as statistics of several (thinned). */
  readonly thinned: Float64Array;
  /** Infinity where there are no numbers. */
  readonly min: Float64Array;
  /** −Infinity where there are no numbers. */
  readonly max: Float64Array;
  /** The sum is `sum + sumLow + hugeSum × HUGE_UNIT`. */
  readonly sum: Float64Array;
  readonly sumLow: Float64Array;
  readonly hugeSum: Float64Array;
  readonly squares: Float64Array;
};

/** Statistics of some values of which nothing else is known any more. */
export type Summary = {
  readonly count: number;
  readonly numbers: number;
  readonly min: number;
  readonly max: number;
  readonly sum: number;
};

/** Values from here on could add up to more than a double holds. */
export const HUGE = 2 ** 500;
export const HUGE_UNIT = 2 ** 64;
/** Splits a double into two of half the digits (Veltkamp). */
const SPLITTER = 2 ** 27 + 1;
/** Products of a half and a whole number below this are exact. */
const EXACT_FACTOR = 2 ** 26;

/** `length` empty buckets. */
export function createStatistics(length: number): Statistics {
  return {
    counts: new Float64Array(length),
    numbers: new Float64Array(length),
    thinned: new Float64Array(length),
    min: new Float64Array(length).fill(Number.POSITIVE_INFINITY),
    max: new Float64Array(length).fill(Number.NEGATIVE_INFINITY),
    sum: new Float64Array(length),
    sumLow: new Float64Array(length),
    hugeSum: new Float64Array(length),
    squares: new Float64Array(length),
  };
}

/** Adds one value to bucket `at`. */
export function addValue(into: Statistics, at: number, value: number): void {
  into.counts[at] = (into.counts[at] as number) + 1;
  if (Number.isNaN(value)) return;
  const before = into.numbers[at] as number;
  into.numbers[at] = before + 1;
  if (before === 0 || value < (into.min[at] as number)) into.min[at] = value;
  if (before === 0 || value > (into.max[at] as number)) into.max[at] = value;
  if (!(Math.abs(value) < HUGE)) {
    addHuge(into, at, value);
    return;
  }
  if (before > 0) {
    const total = into.sum[at] as number;
    const product = value * before;
    const distance = product - total + (productError(value, before, product) - (into.sumLow[at] as number));
    into.squares[at] = (into.squares[at] as number) + (distance / before) * (distance / (before + 1));
  }
  addToSum(into, at, value);
}

/** Adds values that came thinned to bucket `at`. */
export function addSummary(into: Statistics, at: number, { count, numbers, min, max, sum }: Summary): void {
  into.counts[at] = (into.counts[at] as number) + count;
  into.thinned[at] = (into.thinned[at] as number) + count;
  if (numbers === 0) return;
  into.numbers[at] = (into.numbers[at] as number) + numbers;
  into.min[at] = Math.min(into.min[at] as number, min);
  into.max[at] = Math.max(into.max[at] as number, max);
  into.squares[at] = Number.NaN;
  if (Math.abs(sum) < HUGE) addToSum(into, at, sum);
  else if (Number.isFinite(sum) || !Number.isFinite(min) || !Number.isFinite(max)) addHuge(into, at, sum);
  else addOverflown(into, at, { numbers, min, max, sum });
}

/** The sum of finite numbers was more than a double holds. Of their mean only the bounds are known: the nearest one. */
function addOverflown(
  into: Statistics,
  at: number,
  { numbers, min, max, sum }: Omit<Summary, 'count'>,
): void {
  const each = Number.isNaN(sum) ? min / 2 + max / 2 : sum > 0 ? max : min;
  into.hugeSum[at] = (into.hugeSum[at] as number) + (each / HUGE_UNIT) * numbers;
}

/** Adds bucket `other` of `from` to bucket `at`. */
export function mergeStatistics(into: Statistics, at: number, from: Statistics, other: number): void {
  into.counts[at] = (into.counts[at] as number) + (from.counts[other] as number);
  into.thinned[at] = (into.thinned[at] as number) + (from.thinned[other] as number);
  const added = from.numbers[other] as number;
  if (added === 0) return;
  const before = into.numbers[at] as number;
  into.numbers[at] = before + added;
  into.min[at] = Math.min(into.min[at] as number, from.min[other] as number);
  into.max[at] = Math.max(into.max[at] as number, from.max[other] as number);
  const squares = (into.squares[at] as number) + (from.squares[other] as number);
  into.squares[at] = before === 0 ? squares : squares + squaresBetween(into, at, from, other, before);
  into.hugeSum[at] = (into.hugeSum[at] as number) + (from.hugeSum[other] as number);
  addToSum(into, at, from.sum[other] as number);
  into.sumLow[at] = (into.sumLow[at] as number) + (from.sumLow[other] as number);
}

/** What two groups add to the squared deviations by the distance of their means. `before`: numbers of the first. */
function squaresBetween(
  into: Statistics,
  at: number,
  from: Statistics,
  other: number,
  before: number,
): number {
  const added = from.numbers[other] as number;
  const [mine, theirs] = [into.sum[at] as number, from.sum[other] as number];
  const [product, otherProduct] = [mine * added, theirs * before];
  const low =
    productError(theirs, before, otherProduct) -
    productError(mine, added, product) +
    ((from.sumLow[other] as number) * before - (into.sumLow[at] as number) * added);
  const distance = otherProduct - product + low;
  return (distance / before / added) * (distance / (before + added));
}

/** What rounding took from `product`, which is `value × factor`. */
function productError(value: number, factor: number, product: number): number {
  const stretched = value * SPLITTER;
  const high = stretched - (stretched - value);
  const low = value - high;
  if (factor < EXACT_FACTOR) return high * factor - product + low * factor;
  const stretchedFactor = factor * SPLITTER;
  const highFactor = stretchedFactor - (stretchedFactor - factor);
  const lowFactor = factor - highFactor;
  return high * highFactor - product + high * lowFactor + low * highFactor + low * lowFactor;
}

/** Keeps what rounding takes (Knuth's two-sum). */
function addToSum(into: Statistics, at: number, value: number): void {
  const before = into.sum[at] as number;
  const sum = before + value;
  const part = sum - before;
  into.sum[at] = sum;
  into.sumLow[at] = (into.sumLow[at] as number) + (before - (sum - part) + (value - part));
}

function addHuge(into: Statistics, at: number, value: number): void {
  into.hugeSum[at] = (into.hugeSum[at] as number) + value / HUGE_UNIT;
  into.squares[at] = Number.NaN;
}

/** Infinite where it is more than a double holds; 0 where there are no numbers. */
export function sumOf({ sum, sumLow, hugeSum }: Statistics, at: number): number {
  const usual = (sum[at] as number) + (sumLow[at] as number);
  const huge = hugeSum[at] as number;
  return huge === 0 ? usual : huge * HUGE_UNIT + usual;
}

/** NaN where there are no numbers, and where both infinities are among them. Else between `min` and `max`. */
export function meanOf({ sum, sumLow, hugeSum, numbers, min, max }: Statistics, at: number): number {
  const count = numbers[at] as number;
  const usual = ((sum[at] as number) + (sumLow[at] as number)) / count;
  const huge = hugeSum[at] as number;
  // Rounding may take one of the largest doubles beyond them.
  return huge === 0
    ? usual
    : Math.min(max[at] as number, Math.max(min[at] as number, (huge / count) * HUGE_UNIT + usual));
}

/**
 * Standard deviation of the numbers themselves (divided by their count); 0 of one. NaN where there are none, and where
 * `squares` is not known.
 */
export function deviationOf({ squares, numbers }: Statistics, at: number): number {
  return Math.sqrt((squares[at] as number) / (numbers[at] as number));
}
