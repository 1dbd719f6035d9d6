/** What every way into HQ shares: one group commit, and the agents and series that HQ knows. */
import { map, type Observable } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { AgentRegistry, FrameLog } from '../../store/store.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import type { IngestEmit } from './ingest-events.ts';
import { type KnownAgents, loadKnownAgents } from './known-agents.ts';
import { createKnownSeries, type KnownSeries } from './known-series.ts';

export type IngestCore = {
  readonly commits: GroupCommit;
  readonly agents: KnownAgents;
  readonly series: KnownSeries;
};

export type IngestCoreOptions = {
  readonly store: Pick<FrameLog, 'append'> &
    Pick<AgentRegistry, 'agents' | 'agent' | 'purgeOf' | 'purged$' | 'seriesKeys' | 'schemas'>;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly emit: IngestEmit;
  readonly limits: {
    /** Agents that HQ gets to know. */
    readonly maxAgents: number;
    /** Distinct series of one agent. */
    readonly maxSeries: number;
    /** Schemas of one agent. */
    readonly maxSchemas: number;
  };
  /** Deliveries over HTTP that may be under way at once. */
  readonly maxDeliveries: number;
  /** Bytes that may wait for their commit. Default 64 MiB. */
  readonly maxQueueBytes?: number | undefined;
};

/** Emits once the agents are loaded. */
export function createIngestCore(options: IngestCoreOptions): Observable<IngestCore> {
  const { store, clock, emit, limits, maxDeliveries, maxQueueBytes } = options;
  const { maxAgents, maxSeries, maxSchemas } = limits;
  const bounds = maxQueueBytes === undefined ? { maxDeliveries } : { maxDeliveries, maxQueueBytes };
  const known$ = loadKnownAgents({
    store,
    maxAgents,
    onSize: (agents) => emit({ type: 'known_agents', agents, maxAgents }),
    onRefused: () => emit({ type: 'no_place', maxAgents }),
  });
  return known$.pipe(
    map((agents) => {
      const series = createKnownSeries({ store, clock, maxSeries, maxSchemas });
      // It ends with the store.
      store.purged$.subscribe(series.forget);
      return { commits: createGroupCommit({ append: store.append, clock, emit, ...bounds }), agents, series };
    }),
  );
}
