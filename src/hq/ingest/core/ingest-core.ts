/** What every way into HQ shares: one group commit, and the agents that HQ knows. */
import { map, type Observable } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { AgentRegistry, FrameLog } from '../../store/store.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import type { IngestEmit } from './ingest-events.ts';
import { type KnownAgents, loadKnownAgents } from './known-agents.ts';

export type IngestCore = {
  readonly commits: GroupCommit;
  readonly agents: KnownAgents;
};

export type IngestCoreOptions = {
  readonly store: Pick<FrameLog, 'append'> & Pick<AgentRegistry, 'agents' | 'agent'>;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly emit: IngestEmit;
  /** Deliveries over HTTP that may be under way at once. */
  readonly maxDeliveries: number;
  /** Bytes that may wait for their commit. Default 64 MiB. */
  readonly maxQueueBytes?: number | undefined;
};

/** Emits once the agents are loaded. */
export function createIngestCore(options: IngestCoreOptions): Observable<IngestCore> {
  const { store, clock, emit, maxDeliveries, maxQueueBytes } = options;
  const bounds = maxQueueBytes === undefined ? { maxDeliveries } : { maxDeliveries, maxQueueBytes };
  return loadKnownAgents(store).pipe(
    map((agents) => ({
      commits: createGroupCommit({ append: store.append, clock, emit, ...bounds }),
      agents,
    })),
  );
}
