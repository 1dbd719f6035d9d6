/** How long agents should spread their reconnects, so that all of them together come no faster than HQ takes them. */

/** A way that has worked is tried again after at most this, while few agents are known, ms. */
const LEAST_MS = 2_000;
/** An hour: HQ may know a million agents. */
const MOST_MS = 3_600_000;

/**
 * Upper bound of the wait between two attempts of one agent, ms. Waits are drawn evenly from nothing to this, so that agents come at the
 * given pace on average over it, and at about twice that in the first second after HQ's return.
 */
export function reconnectHintMs(agents: number, reconnectsPerSecond: number): number {
  return Math.min(MOST_MS, Math.max(LEAST_MS, Math.ceil((agents / reconnectsPerSecond) * 1000)));
}
