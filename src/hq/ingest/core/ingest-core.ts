/** What every way into HQ shares: one group commit, and the agents that HQ knows. */
import type { Clock } from '../../../platform/clock.ts';
import type { AgentRegistry, FrameLog } from '../../store/store.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import type { IngestEmit } from './ingest-events.ts';
import { createKnownAgents, type KnownAgents } from './known-agents.ts';

export type IngestCore = {
  readonly commits: GroupCommit;
  readonly agents: KnownAgents;
};

export type IngestCoreOptions = {
  readonly store: Pick<FrameLog, 'append'> & Pick<AgentRegistry, 'agents' | 'knowsAgent'>;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly emit: IngestEmit;
  /** Deliveries over HTTP that may be under way at once. */
  readonly maxDeliveries: number;
  /** Bytes that may wait for their commit. Default 64 MiB. */
  readonly maxQueueBytes?: number | undefined;
};

export function createIngestCore(options: IngestCoreOptions): IngestCore {
  const { store, clock, emit, maxDeliveries, maxQueueBytes } = options;
  const bounds = maxQueueBytes === undefined ? { maxDeliveries } : { maxDeliveries, maxQueueBytes };
  return {
    commits: createGroupCommit({ append: store.append, clock, emit, ...bounds }),
    agents: createKnownAgents(store),
  };
}
