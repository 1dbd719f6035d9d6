/** What an agent knows of itself at one moment; the health page and `status.json` show it. */
import type { JournalStats } from '../journal/port.ts';
import type { AgentState } from '../protocol/events.ts';
import type { PipelineStatus } from './pipeline/pipeline-types.ts';
import type { DrainForecast } from './uplink/drain-forecast.ts';
import type { Way } from './uplink/link.ts';
import type { BudgetStatus } from './uplink/metering/gate.ts';
import type { UplinkStatus } from './uplink/uplink-status.ts';
import type { FailingWay } from './uplink/ways/failing-ways.ts';

/** Something that went wrong lately. Times are epoch ms. */
export type Trouble = { readonly ts: number; readonly what: string; readonly detail: string };

export type AgentStatus = {
  readonly agent: string;
  readonly version: string;
  /** Address of the way that is taken. */
  readonly hq: string;
  /**
   * How many ways to HQ there are, which one the latest connection took, and which better ones do not work; null where
   * there is only one.
   */
  readonly way: {
    readonly of: number;
    readonly taken: Way | null;
    readonly failing: readonly FailingWay[];
  } | null;
  readonly dataDir: string;
  /** Epoch ms. */
  readonly now: number;
  readonly startedTs: number;
  readonly state: AgentState;
  /** Null until the journal is open. */
  readonly journal: JournalStats | null;
  readonly uplink: UplinkStatus | null;
  /** What the link has carried and may carry. */
  readonly budget: BudgetStatus | null;
  /** When the backlog will be delivered. */
  readonly forecast: DrainForecast;
  readonly pipeline: PipelineStatus | null;
  /** Age of the oldest sample that HQ has not confirmed, ms. */
  readonly lagMs: number;
  /** Newest first, a few. */
  readonly troubles: readonly Trouble[];
};

/**
 * Why it is not ready; null when it is: journal open, and sampling. A sample counts as sampled once its commit is
 * durable, so an agent whose commits fail is not ready, though its sources run; one on a full disk or without any is,
 * as it still takes samples.
 */
export function unreadiness({ state, journal, pipeline }: AgentStatus): string | null {
  const running =
    pipeline?.sources.some((source) => source.state.kind === 'running' || source.state.kind === 'ended') ??
    false;
  if (journal === null || pipeline === null || !running || state === 'stopping') return state;
  const { failure } = pipeline.commit;
  if (failure !== null) return `the journal takes no samples: ${failure}`;
  return journal.disk === 'failing' ? 'the last commit of the journal failed' : null;
}
