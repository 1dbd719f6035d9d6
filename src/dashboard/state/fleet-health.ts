/** What is summed over the agents here, as HQ's totals do not hold it. */
import type { AgentSummary } from '../../protocol/api.ts';
import type { AgentEntry } from './fleet-state.ts';

type FleetHealth = {
  readonly states: ReadonlyMap<AgentSummary['state'], number>;
  /** Agents that deliver over a link. */
  readonly linked: number;
  /** Those that deliver by HTTP and hold none. */
  readonly overHttp: number;
  readonly openAnomalies: number;
  readonly stored: number;
  /** (stored + thinned) / sampled over all agents; 1 when nothing was sampled. */
  readonly completeness: number;
};

export function healthOf(entries: Iterable<Pick<AgentEntry, 'summary'>>): FleetHealth {
  const states = new Map<AgentSummary['state'], number>();
  let linked = 0;
  let overHttp = 0;
  let openAnomalies = 0;
  let stored = 0;
  let thinned = 0;
  let sampled = 0;
  for (const { summary } of entries) {
    states.set(summary.state, (states.get(summary.state) ?? 0) + 1);
    if (summary.over === 'link') linked += 1;
    if (summary.over === 'http') overHttp += 1;
    openAnomalies += summary.openAnomalies;
    stored += summary.stored;
    thinned += summary.thinned;
    sampled += summary.sampled;
  }
  const completeness = sampled === 0 ? 1 : Math.min(1, (stored + thinned) / sampled);
  return { states, linked, overHttp, openAnomalies, stored, completeness };
}
