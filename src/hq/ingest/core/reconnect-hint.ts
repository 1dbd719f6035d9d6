/** How long agents should spread their reconnects, so that all of them together come no faster than HQ takes them. */

/** A way that has worked is tried again after at most this, while few agents are known, ms. */
const LEAST_MS = 2_000;
/** An hour: HQ may know a million agents. */
const MOST_MS = 3_600_000;

/**
 * Upper bound of the wait between two attempts of one agent, ms. Waits are drawn evenly from nothing to this, again and
 * again while HQ is away. What is left of one at HQ's return falls into any second with at most twice the share of one
 * second in the bound, so the bound is twice the time that all agents need at the given pace.
 */
export function reconnectHintMs(agents: number, reconnectsPerSecond: number): number {
  return Math.min(MOST_MS, Math.max(LEAST_MS, Math.ceil((2 * agents * 1000) / reconnectsPerSecond)));
}

/** For one connection: `changed` is nothing while the agent knows the hint, so that heartbeats stay small. */
export type HintTeller = {
  readonly tell: () => { readonly reconnectMs: number };
  readonly changed: () => { readonly reconnectMs?: number };
};

export function createHintTeller(hintMs: () => number): HintTeller {
  let toldMs: number | null = null;
  const tell = () => {
    toldMs = hintMs();
    return { reconnectMs: toldMs };
  };
  return { tell, changed: () => (hintMs() === toldMs ? {} : tell()) };
}
