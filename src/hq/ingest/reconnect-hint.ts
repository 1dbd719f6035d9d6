/** How long agents should spread their reconnects, so that all of them together come no faster than HQ takes them. */

/** A way that has worked is tried again after at most this, while few agents are known, ms. */
const LEAST_MS = 2_000;
/** An hour: HQ may know a million agents. */
const MOST_MS = 3_600_000;

/** Upper bound of the wait between two attempts of one agent, ms. */
export function reconnectHintMs(agents: number, reconnectsPerSecond: number): number {
  return Math.min(MOST_MS, Math.max(LEAST_MS, Math.ceil((agents / reconnectsPerSecond) * 1000)));
}
