import type { AnomalyDetector } from './anomaly-detector.ts';
import { createEpisodes, type Episode } from './episodes.ts';
import { type Kept, restored } from './kept.ts';
import { requireAtLeast } from './options.ts';
import { createTailThreshold } from './tail-threshold.ts';

export type AdaptiveOptions = {
  /** Wanted share of values whose score lies beyond the threshold that is learned; above 0, below 0.02. */
  readonly rate: number;
  /** An episode closes where |z| no longer exceeds this; at most 3. */
  readonly clearThreshold: number;
  /** Floor of the standard deviation, in the unit of the values; minimum 0. At 0 a constant series is not judged. */
  readonly minStddev: number;
};

/** What is judged: a mean that weighs about so many of the last values … */
const SHORT = 10;
/** … against their long mean and its variance, which weigh about so many. */
const LONG = 1000;
const VARIANCE = 5000;
/** Values before scores mean anything, and before the first judgement. */
const SCORED_FROM = 100;
const WARM_UP = 500;
/** |z| that is no anomaly, however rare it is. */
const LEAST_Z = 3;
/** Of the last three scores so many must lie beyond the threshold. */
const AGREEING = 2;
/** Values after an episode in which none begins. */
const REST = 100;
/** An episode lasts for so many values at most: by then what it measures is what is usual. */
const LONGEST = 1000;
/** A variance of a smaller part of the squared mean is made of rounding. */
const ROUNDING = 1e-24;
/** Beyond it squares overflow. */
const MAX_MAGNITUDE = 1e150;

const SHORT_MEAN = 0;
const LONG_MEAN = 1;
const LONG_VARIANCE = 2;

/**
 * Finds episodes in which a short mean of one series leaves what it usually is by more than it usually does. No
 * threshold is set: it is learned from the tail of the scores (tail-threshold.ts), for a wanted rate. Meant for series
 * of which nobody knows how they are distributed.
 *
 * The score is the z-score of an exponentially weighted mean of the last ten values, against exponentially weighted
 * mean and variance. It must exceed 3 and the learned threshold two times of three. After an episode it rests for 100
 * values. All values count for what is usual, those of an episode too: a new level becomes usual by itself.
 *
 * Slow changes become usual before they stand out, and single values hardly move a mean of ten. O(1) a value, without
 * allocation but for episodes; some twenty numbers a series.
 */
export function createAdaptiveDetector(options: AdaptiveOptions): AnomalyDetector {
  const { rate, clearThreshold, minStddev } = options;
  requireAtLeast('clearThreshold', clearThreshold, 0);
  requireAtLeast('least z', LEAST_Z, clearThreshold);
  requireAtLeast('minStddev', minStddev, 0);
  const episodes = createEpisodes('adaptive');
  const tail = createTailThreshold(rate);
  const votes = createVotes();
  const sums = new Float64Array(3);
  const leastVariance = minStddev * minStddev;
  let count = 0;
  let lasting = 0;

  const judge = (ts: number, z: number, stddev: number): Episode | null => {
    const score = Math.abs(z);
    const threshold = Math.max(LEAST_Z, tail.value());
    tail.learn(score);
    if (!votes.cast(score > threshold) || count <= WARM_UP) return null;
    lasting = 0;
    const [value, mean] = [sums[SHORT_MEAN] as number, sums[LONG_MEAN] as number];
    return episodes.open({ ts, value, z, mean, stddev, threshold });
  };

  const follow = (ts: number, z: number): Episode | null => {
    lasting += 1;
    if (Math.abs(z) > clearThreshold && lasting < LONGEST)
      return episodes.follow(ts, sums[SHORT_MEAN] as number, z);
    votes.rest();
    return episodes.close(ts);
  };

  const score = (ts: number, deviation: number, variance: number): Episode | null => {
    if (episodes.current() === null) {
      // What is not even of the tail is below any threshold.
      if (tail.learnLow(deviation * deviation, variance)) {
        votes.cast(false);
        return null;
      }
      const stddev = Math.sqrt(variance);
      return judge(ts, deviation / stddev, stddev);
    }
    return follow(ts, deviation / Math.sqrt(variance));
  };

  const next = (ts: number, value: number): Episode | null => {
    if (!(value <= MAX_MAGNITUDE && value >= -MAX_MAGNITUDE)) return null;
    count += 1;
    const deviation = enter(sums, value, count);
    const variance = Math.max(sums[LONG_VARIANCE] as number, leastVariance);
    const mean = sums[LONG_MEAN] as number;
    const isJudged = count > SCORED_FROM && variance > mean * mean * ROUNDING;
    const found = isJudged ? score(ts, deviation, variance) : null;
    absorb(sums, deviation, count);
    return found;
  };

  return {
    next,
    nextColumn: (ts, values, report) => {
      for (let index = 0; index < values.length; index += 1) {
        const found = next(ts[index] as number, values[index] as number);
        if (found !== null) report(index, found);
      }
    },
    save: (put) => {
      for (const value of [...sums, count, lasting]) put(value);
      votes.save(put);
      tail.save(put);
      episodes.save(put);
    },
    restore: (take) => {
      for (let index = 0; index < sums.length; index += 1) sums[index] = take();
      count = restored(take(), 0, Number.MAX_SAFE_INTEGER);
      lasting = restored(take(), 0, LONGEST);
      votes.restore(take);
      tail.restore(take);
      episodes.restore(take);
    },
  };
}

/** Takes the `count`-th value into the short mean; how far that is from the long one. */
function enter(sums: Float64Array, value: number, count: number): number {
  const before = sums[SHORT_MEAN] as number;
  const short = before + (value - before) * (count < SHORT ? 1 / count : 1 / SHORT);
  sums[SHORT_MEAN] = short;
  return short - (sums[LONG_MEAN] as number);
}

/** Takes the short mean into the long one and its variance. */
function absorb(sums: Float64Array, deviation: number, count: number): void {
  const mean = (sums[LONG_MEAN] as number) + deviation * (count < LONG ? 1 / count : 1 / LONG);
  const variance = sums[LONG_VARIANCE] as number;
  const squared = deviation * ((sums[SHORT_MEAN] as number) - mean);
  sums[LONG_MEAN] = mean;
  sums[LONG_VARIANCE] = variance + (squared - variance) * (count < VARIANCE ? 1 / count : 1 / VARIANCE);
}

type Votes = Kept & {
  /** Whether enough of the last scores lay beyond the threshold, this one among them. */
  readonly cast: (isBeyond: boolean) => boolean;
  /** For a while none counts. */
  readonly rest: () => void;
};

function createVotes(): Votes {
  /** Of the last three, the latest in the lowest bit. */
  let beyond = 0;
  let resting = 0;
  return {
    cast: (isBeyond) => {
      if (resting > 0) {
        resting -= 1;
        return false;
      }
      beyond = ((beyond << 1) & 7) | (isBeyond ? 1 : 0);
      return isBeyond && bitsOf(beyond) >= AGREEING;
    },
    rest: () => {
      beyond = 0;
      resting = REST;
    },
    save: (put) => {
      put(beyond);
      put(resting);
    },
    restore: (take) => {
      beyond = restored(take(), 0, 7);
      resting = restored(take(), 0, REST);
    },
  };
}

function bitsOf(three: number): number {
  return (three & 1) + ((three >> 1) & 1) + (three >> 2);
}
