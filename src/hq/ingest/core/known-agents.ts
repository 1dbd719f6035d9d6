/** The agents that HQ knows, whichever way they came: their number is bounded (`limits.maxAgents`). */
import type { AgentRegistry } from '../../store/store.ts';

export type KnownAgents = {
  readonly has: (agent: string) => boolean;
  readonly add: (agent: string) => void;
  readonly size: () => number;
};

export function createKnownAgents(store: Pick<AgentRegistry, 'agents' | 'knowsAgent'>): KnownAgents {
  const known = new Set(store.agents().map(({ agent }) => agent));
  return {
    // A commit that was given up after its deadline may have got through all the same.
    has: (agent) => known.has(agent) || store.knowsAgent(agent),
    add: (agent) => void known.add(agent),
    size: () => known.size,
  };
}
