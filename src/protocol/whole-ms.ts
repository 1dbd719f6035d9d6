/** Times that are given finer than Holdfast keeps them. */

/** Half of a µs, ms. More is the error of a time of these decades in seconds, multiplied. */
const MOST_ERROR_MS = 0.0005;

/**
 * The whole ms that has begun: rounded, .9999 s would lie in the next second. One that is not reached only by the error
 * of a double counts as reached.
 */
export function cutToMs(ms: number): number {
  if (Number.isInteger(ms)) return ms;
  return Math.floor(ms + Math.max(MOST_ERROR_MS, Math.abs(ms) * Number.EPSILON));
}
