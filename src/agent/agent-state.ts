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
