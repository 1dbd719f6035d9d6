/** Deltas that a dashboard has not been sent yet, merged into one: latest wins, ingest points are kept up to ten minutes. */
import type { AgentSummary, FleetDelta } from '../../protocol/api.ts';

const MAX_INGEST_POINTS = 600;

export type PendingDelta = {
  readonly add: (delta: FleetDelta) => void;
  /** The merged delta, which is then no longer pending; null when nothing came. */
  readonly take: () => FleetDelta | null;
};

export function createPendingDelta(): PendingDelta {
  const agents = new Map<string, AgentSummary>();
  let ingest: FleetDelta['ingest'] = [];
  let latest: FleetDelta | null = null;
  return {
    add: (delta) => {
      for (const agent of delta.agents) agents.set(agent.id, agent);
      ingest = [...ingest, ...delta.ingest].slice(-MAX_INGEST_POINTS);
      latest = delta;
    },
    take: () => {
      if (latest === null) return null;
      const merged: FleetDelta = { ...latest, agents: [...agents.values()], ingest };
      agents.clear();
      ingest = [];
      latest = null;
      return merged;
    },
  };
}
