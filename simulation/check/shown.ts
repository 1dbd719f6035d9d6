/** What a dashboard shows of the agents, compared with what HQ knows. */
import type { AgentSummary } from '../../src/protocol/api.ts';

export type Shown = ReadonlyMap<string, AgentSummary>;

/** What does not change by itself while time passes. */
const LASTING = ['epoch', 'sampled', 'stored', 'pending', 'thinned', 'dropped', 'anomaliesTotal'] as const;

export function differences(shown: Shown, known: Shown): readonly string[] {
  return [...known.values()].flatMap((agent) => {
    const seen = shown.get(agent.id);
    return LASTING.filter((field) => seen?.[field] !== agent[field]).map(
      (field) => `shows ${field} ${String(seen?.[field])} of ${agent.id}, HQ knows ${String(agent[field])}`,
    );
  });
}
