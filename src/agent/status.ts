/** What an agent knows of itself at one moment; the health page and `status.json` show it. */
import type { JournalStats } from '../journal/journal.ts';
import type { AgentState } from '../protocol/events.ts';
import type { PipelineStatus } from './pipeline/pipeline-types.ts';
import type { UplinkStatus } from './uplink/uplink.ts';

/** Something that went wrong lately. Times are epoch ms. */
export type Trouble = { readonly ts: number; readonly what: string; readonly detail: string };

export type AgentStatus = {
  readonly agent: string;
  readonly version: string;
  readonly hq: string;
  readonly dataDir: string;
  /** Epoch ms. */
  readonly now: number;
  readonly startedTs: number;
  readonly state: AgentState;
  /** Null until the journal is open. */
  readonly journal: JournalStats | null;
  readonly uplink: UplinkStatus | null;
  readonly pipeline: PipelineStatus | null;
  /** Age of the oldest sample that HQ has not confirmed, ms. */
  readonly lagMs: number;
  /** Newest first, a few. */
  readonly troubles: readonly Trouble[];
};

/** Journal open, and sampling. */
export function isReady(status: AgentStatus): boolean {
  const sampling =
    status.pipeline?.sources.some(({ state }) => state.kind === 'running' || state.kind === 'ended') ?? false;
  return status.journal !== null && sampling && status.state !== 'stopping';
}
