import type { AgentState } from '../protocol/events.ts';
import type { UplinkState } from './uplink/state.ts';

/** Backlog younger than this is the usual delay between commit and ack, no catching up. */
export const CATCHING_UP_MS = 5_000;

export type AgentCircumstances = {
  readonly stopping: boolean;
  /** Whether sampling has begun and the first connection has come to something. */
  readonly started: boolean;
  /** Whether the journal fails or its quota is at work. */
  readonly degraded: boolean;
  readonly uplink: UplinkState['phase'];
  /** Whether HQ refuses everyone's frames, or the breaker keeps ours back: a connection that carries nothing. */
  readonly refused: boolean;
  /** Whether frames older than the live ones are still to be sent. */
  readonly backlog: boolean;
  /** Age of the oldest sample that HQ has not confirmed, ms. */
  readonly lagMs: number;
};

/** The state shown to people; the first that applies, worst first. */
export function deriveAgentState(now: AgentCircumstances): AgentState {
  if (now.stopping) return 'stopping';
  if (now.degraded) return 'degraded';
  if (!now.started) return 'starting';
  if (now.uplink !== 'online' || now.refused) return 'offline';
  return now.backlog && now.lagMs > CATCHING_UP_MS ? 'catching-up' : 'live';
}

/**
 * Catching up ends once nothing has been behind for so long: the last of a backlog, or live frames that wait, come and
 * go.
 */
export const SETTLE_MS = 2_000;

/**
 * Keeps the end of catching up back until it has settled; to be asked again at least as often as it is to be noticed.
 * `at`: monotonic, ms.
 */
export function createSteadyState(): (state: AgentState, at: number) => AgentState {
  let catchingUp = false;
  let liveSince: number | null = null;
  return (state, at) => {
    if (state !== 'live' || !catchingUp) {
      catchingUp = state === 'catching-up';
      liveSince = null;
      return state;
    }
    liveSince ??= at;
    if (at - liveSince < SETTLE_MS) return 'catching-up';
    catchingUp = false;
    return 'live';
  };
}
