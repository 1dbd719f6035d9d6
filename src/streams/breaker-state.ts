/** What a circuit breaker is, without time or streams: states, and what an outcome makes of them. */

export type BreakerState =
  /** Calls pass. `failures` in a row so far. */
  | { readonly kind: 'closed'; readonly failures: number }
  /** Calls are refused. Times are ms of the breaker's scheduler. `hurried`: signs of life that were heeded since it was closed. */
  | {
      readonly kind: 'open';
      readonly openedAt: number;
      readonly until: number;
      readonly hurried: number;
    }
  /** Few calls pass, to try. `probes` are under way, `successes` have come back. */
  | {
      readonly kind: 'half-open';
      readonly probes: number;
      readonly successes: number;
      readonly hurried: number;
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
  /** How long it stays open in spite of the second sign of life that is heeded; doubles with each. */
  readonly doubtMs: number;
};

export const CLOSED: BreakerState = { kind: 'closed', failures: 0 };

/** The state at `now`: an open breaker whose time has come is half-open. */
export function settle(state: BreakerState, now: number): BreakerState {
  return state.kind === 'open' && now >= state.until
    ? { kind: 'half-open', probes: 0, successes: 0, hurried: state.hurried }
    : state;
}

/**
 * The state after a sign from elsewhere that the other side is there again: an open breaker is to try sooner. At once the first
 * time; as long as calls keep failing, each sign that was heeded makes the next one count for less.
 */
export function heed(state: BreakerState, rules: BreakerRules): BreakerState {
  if (state.kind !== 'open') return state;
  const { openedAt, hurried } = state;
  const until = openedAt + (hurried === 0 ? 0 : rules.doubtMs * 2 ** (hurried - 1));
  return until < state.until ? { kind: 'open', openedAt, until, hurried: hurried + 1 } : state;
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
  const open = (hurried: number): BreakerState => ({
    kind: 'open',
    openedAt: now,
    until: now + rules.openMs,
    hurried,
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
      if (outcome === 'failure') return open(state.hurried);
      const probes = state.probes - 1;
      if (outcome === 'abandoned') return { ...state, probes };
      const successes = state.successes + 1;
      return successes >= rules.halfOpenProbes ? CLOSED : { ...state, probes, successes };
    }
  }
}
