/**
 * Deltas that a dashboard has not been sent yet, merged into one: latest wins, ingest points are kept up to ten
 * minutes.
 */
import type { AgentSummary, FleetDelta } from '../../protocol/api.ts';

const MAX_INGEST_POINTS = 600;

export type PendingDelta = {
  readonly agents: Map<string, AgentSummary>;
  ingest: FleetDelta['ingest'];
  latest: FleetDelta;
};

/** Changes `pending` in place: merging costs what the newer one holds. */
export function addDelta(pending: PendingDelta | null, delta: FleetDelta): PendingDelta {
  const { agents, ingest } = pending ?? { agents: new Map<string, AgentSummary>(), ingest: [] };
  for (const agent of delta.agents) agents.set(agent.id, agent);
  const points = [...ingest, ...delta.ingest].slice(-MAX_INGEST_POINTS);
  return Object.assign(pending ?? { agents }, { ingest: points, latest: delta });
}

export function mergedDelta({ latest, agents, ingest }: PendingDelta): FleetDelta {
  return { ...latest, agents: [...agents.values()], ingest };
}
