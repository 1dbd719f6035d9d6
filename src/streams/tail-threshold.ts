import type { Kept } from './kept.ts';
import { requireAbove, requireAtLeast } from './options.ts';

export type TailThreshold = Kept & {
  /** What scores exceed as seldom as wanted; Infinity until enough have been seen. */
  readonly value: () => number;
  readonly learn: (score: number) => void;
  /**
   * The same for the score whose square is `squared ÷ by`, if it is none of the tail: nearly all are, and need neither
   * root nor quotient. False: it is of the tail, and has not been learned.
   */
  readonly learnLow: (squared: number, by: number) => boolean;
};

/** Share of the scores that count as the tail: the ones beyond a level that is moved to keep it so. */
const TAIL_SHARE = 0.02;
/** How far one score beyond the level moves it; all others move it back. */
const LEVEL_STEP = 0.05;
const FIRST_LEVEL = 2;
/** Their mean and mean square weigh about so many scores of the tail … */
const TAIL_MEMORY = 128;
/** … and say nothing before so many. */
const LEAST_TAIL = 10;
/** Shape of the tail: beyond it its variance has no meaning. */
const MAX_SHAPE = 0.5;
/** One score of the tail counts for no more than this many times the threshold. */
const MAX_SCORE = 2;

const LEVEL = 0;
const SEEN = 1;
const MEAN = 2;
const SQUARES = 3;
const THRESHOLD = 4;

/**
 * Learns which score is exceeded at a wanted rate, from those scores that are high: peaks over threshold.
 *
 * What high scores have above a level follows a generalised Pareto distribution, whose shape and scale are taken from
 * the mean and the variance of it (method of moments). Beyond `level + scale ÷ shape × ((rate ÷ share)^−shape − 1)`
 * lies the share `rate` of all scores. After A. Siffer and others, "Anomaly Detection in Streams with Extreme Value
 * Theory" (SPOT), KDD 2017; here all of it forgets, in about 6,000 scores, and takes five numbers.
 *
 * A score far out counts for twice the threshold: it raises that, so that a series that goes there again and again
 * becomes quiet, and one such score does not blind for days.
 *
 * @param rate wanted share of scores beyond the threshold; above 0 and below 0.02
 */
export function createTailThreshold(rate: number): TailThreshold {
  requireAbove('rate', rate, 0);
  requireAtLeast('share of the tail', TAIL_SHARE, rate);
  const state = new Float64Array(5);
  state[LEVEL] = FIRST_LEVEL;
  state[THRESHOLD] = Number.POSITIVE_INFINITY;
  return {
    value: () => state[THRESHOLD] as number,
    learnLow: (squared, by) => {
      const level = state[LEVEL] as number;
      if (!(squared <= level * level * by)) return false;
      state[LEVEL] = level - LEVEL_STEP * TAIL_SHARE;
      return true;
    },
    learn: (score) => {
      const level = state[LEVEL] as number;
      if (!(score > level)) {
        state[LEVEL] = level - LEVEL_STEP * TAIL_SHARE;
        return;
      }
      state[LEVEL] = level + LEVEL_STEP * (1 - TAIL_SHARE);
      const most = MAX_SCORE * (state[THRESHOLD] as number);
      const excess = Math.min(score, most) - level;
      const seen = (state[SEEN] as number) + 1;
      const weight = 1 / Math.min(seen, TAIL_MEMORY);
      state[SEEN] = seen;
      state[MEAN] = (state[MEAN] as number) + weight * (excess - (state[MEAN] as number));
      state[SQUARES] = (state[SQUARES] as number) + weight * (excess * excess - (state[SQUARES] as number));
      if (seen >= LEAST_TAIL) state[THRESHOLD] = level + quantileOf(state, rate);
    },
    save: (put) => {
      for (const value of state) put(value);
    },
    restore: (take) => {
      for (let index = 0; index < state.length; index += 1) state[index] = take();
    },
  };
}

/** How far above the level the wanted share of scores lies. */
function quantileOf(state: Float64Array, rate: number): number {
  const mean = state[MEAN] as number;
  const variance = (state[SQUARES] as number) - mean * mean;
  const rarity = Math.log(TAIL_SHARE / rate);
  // All alike: as an exponential tail, the shape between.
  const ratio = variance > 0 ? (mean * mean) / variance : 1;
  const shape = Math.min(MAX_SHAPE, (1 - ratio) / 2);
  const scale = mean * (1 - shape);
  if (Math.abs(shape) < 1e-6) return scale * rarity;
  return (scale * Math.expm1(shape * rarity)) / shape;
}
