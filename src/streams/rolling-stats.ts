import { type Kept, restored } from './kept.ts';
import { requireCount } from './options.ts';

export type Stats = {
  /** Values in the window. */
  readonly count: number;
  /** 0 while the window is empty. */
  readonly mean: number;
  /** Sample variance (divisor n − 1); 0 below two values. */
  readonly variance: number;
  /** Square root of `variance`. */
  readonly stddev: number;
};

export type RollingStats = Stats & {
  /**
   * Adds a value and, in a full window, removes the oldest. Ignores what is not a finite number of magnitude ≤
   * 1e150.
   */
  readonly push: (value: number) => void;
  /**
   * Pushes `values[from]` and what follows for as long as each lies well within `threshold` standard deviations of the
   * window before it, as in {@link push} one by one. Returns the index of the first value that does not, or that this
   * quick look cannot judge: that one has not been pushed. Judges full windows only.
   */
  readonly pushWithin: (values: Float64Array, from: number, threshold: number) => number;
  readonly clear: () => void;
} & Kept;

/** Beyond it squares overflow, so such values are treated as the infinities that they nearly are. */
const MAX_MAGNITUDE = 1e150;
/** Rounding gathers over at most this many windows before everything is computed afresh. */
const WINDOWS_BETWEEN_RECOUNTS = 16;
/** A sum of squares that fell by this factor has lost its digits to cancellation and is computed afresh at once. */
const CANCELLATION = 1e-8;

/** How much nearer than `threshold` a value must be to be within it whatever was rounded. */
const MARGIN = 1 - 1e-9;
/** Below it squares lose digits or vanish; such windows are left to the exact judgement. */
const LEAST_SQUARES = 1e-150;
const LEAST_THRESHOLD = 1e-3;

/** Doubles live in typed arrays: a field that changes would allocate a heap number at each update. */
type State = {
  readonly window: number;
  readonly ring: Float64Array;
  readonly sums: Float64Array;
  count: number;
  position: number;
  untilRecount: number;
};
const MEAN = 0;
const SQUARES = 1;
const LARGEST_SQUARES = 2;

/**
 * Mean and standard deviation over the last `window` values in O(1) an update, without allocation.
 *
 * Welford's update (B. P. Welford, Technometrics 4(3), 1962; Knuth, TAOCP 2, 4.2.2) with removal: replacing `old`
 * by `x` in a full window moves the mean by `(x − old) / n`, and the sum of squares by
 * `(x − old)(x − mean′ + old − mean)`.
 *
 * The removal alone drifts. Two passes over the ring therefore correct it every 16 windows, and at once when the
 * sum of squares falls to 1e-8 of its largest value since, as when a spike leaves the window. The range of a double
 * allows only some 75 such falls in a window, so an update stays O(1) amortised, and the error does not grow with
 * time.
 *
 * @param window values kept; a whole number, minimum 1
 */
export function createRollingStats(window: number): RollingStats {
  requireCount('window', window);
  const state: State = {
    window,
    ring: new Float64Array(window),
    sums: new Float64Array(3),
    count: 0,
    position: 0,
    untilRecount: window * WINDOWS_BETWEEN_RECOUNTS,
  };
  return {
    push: (value) => push(state, value),
    pushWithin: (values, from, threshold) => pushWithin(state, values, from, threshold),
    clear: () => {
      state.count = 0;
      state.position = 0;
      state.untilRecount = window * WINDOWS_BETWEEN_RECOUNTS;
      state.sums.fill(0);
    },
    save: (put) => save(state, put),
    restore: (take) => restore(state, take),
    get count() {
      return state.count;
    },
    get mean() {
      return state.sums[MEAN] as number;
    },
    get variance() {
      return variance(state);
    },
    get stddev() {
      return Math.sqrt(variance(state));
    },
  };
}

function variance({ count, sums }: State): number {
  return count < 2 ? 0 : (sums[SQUARES] as number) / (count - 1);
}

function push(state: State, value: number): void {
  if (!(value <= MAX_MAGNITUDE && value >= -MAX_MAGNITUDE)) return;
  const { window, ring, sums, position } = state;
  const before = sums[MEAN] as number;
  let squares = sums[SQUARES] as number;
  if (state.count < window) {
    state.count += 1;
    const delta = value - before;
    const mean = before + delta / state.count;
    squares += delta * (value - mean);
    sums[MEAN] = mean;
  } else {
    const old = ring[position] as number;
    const mean = before + (value - old) / window;
    squares += (value - old) * (value - mean + (old - before));
    sums[MEAN] = mean;
  }
  ring[position] = value;
  state.position = position + 1 === window ? 0 : position + 1;
  sums[SQUARES] = squares;
  state.untilRecount -= 1;
  const largest = sums[LARGEST_SQUARES] as number;
  if (squares > largest) sums[LARGEST_SQUARES] = squares;
  if (squares < largest * CANCELLATION || state.untilRecount === 0) recount(state);
}

function pushWithin(state: State, values: Float64Array, from: number, threshold: number): number {
  const { window, ring, sums } = state;
  if (state.count < window || !(threshold >= LEAST_THRESHOLD)) return from;
  // |value − mean| ≤ threshold × stddev, without its root and its quotient.
  const share = ((threshold * threshold) / (window - 1)) * MARGIN;
  let mean = sums[MEAN] as number;
  let squares = sums[SQUARES] as number;
  let largest = sums[LARGEST_SQUARES] as number;
  let { position, untilRecount } = state;
  let index = from;
  for (; index < values.length; index += 1) {
    const value = values[index] as number;
    const delta = value - mean;
    const isWithin =
      squares > LEAST_SQUARES ? delta * delta <= share * squares : delta === 0 && squares === 0;
    if (!isWithin || !(value <= MAX_MAGNITUDE && value >= -MAX_MAGNITUDE)) break;
    const old = ring[position] as number;
    const moved = mean + (value - old) / window;
    squares += (value - old) * (value - moved + (old - mean));
    mean = moved;
    ring[position] = value;
    position = position + 1 === window ? 0 : position + 1;
    untilRecount -= 1;
    if (squares > largest) largest = squares;
    if (squares < largest * CANCELLATION || untilRecount === 0) {
      recount(state);
      untilRecount = state.untilRecount;
      mean = sums[MEAN] as number;
      squares = sums[SQUARES] as number;
      largest = squares;
    }
  }
  state.position = position;
  state.untilRecount = untilRecount;
  sums[MEAN] = mean;
  sums[SQUARES] = squares;
  sums[LARGEST_SQUARES] = largest;
  return index;
}

/** Two passes, relative to the first value: a constant window gives exactly its value and 0. */
function recount(state: State): void {
  const { window, ring, sums, count } = state;
  state.untilRecount = window * WINDOWS_BETWEEN_RECOUNTS;
  const origin = ring[0] as number;
  let offset = 0;
  for (let index = 0; index < count; index += 1) offset += (ring[index] as number) - origin;
  const mean = origin + offset / count;
  let squares = 0;
  for (let index = 0; index < count; index += 1) {
    const deviation = (ring[index] as number) - mean;
    squares += deviation * deviation;
  }
  sums[MEAN] = mean;
  sums[SQUARES] = squares;
  sums[LARGEST_SQUARES] = squares;
}

function save({ count, position, untilRecount, sums, ring }: State, put: (value: number) => void): void {
  put(count);
  put(position);
  put(untilRecount);
  for (const sum of sums) put(sum);
  for (let index = 0; index < count; index += 1) put(ring[index] as number);
}

function restore(state: State, take: () => number): void {
  const { window, sums, ring } = state;
  state.count = restored(take(), 0, window);
  state.position = restored(take(), 0, window - 1);
  state.untilRecount = restored(take(), 1, window * WINDOWS_BETWEEN_RECOUNTS);
  for (let index = 0; index < sums.length; index += 1) sums[index] = take();
  for (let index = 0; index < state.count; index += 1) ring[index] = take();
}
