/** What a circuit breaker is, without time or streams: states, and what an outcome makes of them. */

export type BreakerState =
  /** Calls pass. `failures` in a row so far. */
  | { readonly kind: 'closed'; readonly failures: number }
  /**
   * Calls are refused. Times are ms of the breaker's scheduler. `earlyProbes`: recovery hints that were followed since
   * it was closed.
   */
  | {
      readonly kind: 'open';
      readonly openedAt: number;
      readonly until: number;
      readonly earlyProbes: number;
    }
  /** Few calls pass, to try. `probes` are under way, `successes` have come back. */
  | {
      readonly kind: 'half-open';
      readonly probes: number;
      readonly successes: number;
      readonly earlyProbes: number;
    };

export type Outcome = 'success' | 'failure' | 'abandoned';

/** Whether that many failures in a row open a closed breaker. When to trip, apart from what being open means. */
export type Trip = (failures: number) => boolean;

export function consecutiveFailures(failuresToOpen: number): Trip {
  return (failures) => failures >= failuresToOpen;
}

export type BreakerRules = {
  readonly trip: Trip;
  readonly openMs: number;
  readonly halfOpenProbes: number;
  /** How long it stays open in spite of the second recovery hint that is followed; doubles with each. */
  readonly hintBackoffMs: number;
};

export const CLOSED: BreakerState = { kind: 'closed', failures: 0 };

/** The state at `now`: an open breaker whose time has come is half-open. */
export function settle(state: BreakerState, now: number): BreakerState {
  return state.kind === 'open' && now >= state.until
    ? { kind: 'half-open', probes: 0, successes: 0, earlyProbes: state.earlyProbes }
    : state;
}

/**
 * The state after a sign from elsewhere that the other side is there again: an open breaker is to try sooner. At once
 * the first time; as long as calls keep failing, each hint that was followed makes the next one count for less.
 */
export function takeHint(state: BreakerState, rules: BreakerRules): BreakerState {
  if (state.kind !== 'open') return state;
  const { openedAt, earlyProbes } = state;
  const until = openedAt + (earlyProbes === 0 ? 0 : rules.hintBackoffMs * 2 ** (earlyProbes - 1));
  return until < state.until ? { kind: 'open', openedAt, until, earlyProbes: earlyProbes + 1 } : state;
}

/** The state after letting one more call through, or null when it must be refused. */
export function admit(state: BreakerState, rules: BreakerRules): BreakerState | null {
  switch (state.kind) {
    case 'closed':
      return state;
    case 'open':
      return null;
    case 'half-open':
      return state.probes + state.successes < rules.halfOpenProbes
        ? { ...state, probes: state.probes + 1 }
        : null;
  }
}

/** The state after the outcome of a call that was let through in this very state. */
export function conclude(
  state: BreakerState,
  outcome: Outcome,
  now: number,
  rules: BreakerRules,
): BreakerState {
  const open = (earlyProbes: number): BreakerState => ({
    kind: 'open',
    openedAt: now,
    until: now + rules.openMs,
    earlyProbes,
  });
  switch (state.kind) {
    case 'closed': {
      if (outcome === 'abandoned') return state;
      if (outcome === 'success') return state.failures === 0 ? state : CLOSED;
      const failures = state.failures + 1;
      return rules.trip(failures) ? open(0) : { kind: 'closed', failures };
    }
    case 'open':
      return state;
    case 'half-open': {
      if (outcome === 'failure') return open(state.earlyProbes);
      const probes = state.probes - 1;
      if (outcome === 'abandoned') return { ...state, probes };
      const successes = state.successes + 1;
      return successes >= rules.halfOpenProbes ? CLOSED : { ...state, probes, successes };
    }
  }
}
