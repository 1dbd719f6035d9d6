/** What something has learned, as numbers in an order of its own, so that it can be kept while it does not run. */
export type Kept = {
  readonly save: (put: (value: number) => void) => void;
  /**
   * Takes over what one with the same options has saved. Throws RangeError on numbers that none can have saved; it is
   * of no more use then.
   */
  readonly restore: (take: () => number) => void;
};

/** A whole number that was kept. Throws RangeError unless it lies within the bounds. */
export function restored(value: number, least: number, most: number): number {
  if (!(Number.isInteger(value) && value >= least && value <= most)) {
    throw new RangeError(`kept: ${value} is no whole number of ${least} … ${most}`);
  }
  return value;
}
