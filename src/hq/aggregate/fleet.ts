/**
 * What HQ knows of its fleet right now; the dashboard namespace and the agents endpoints read it. What asks for numbers
 * of the store emits once and completes; errors: as of the store.
 */
import type { StateObservable } from '@rx-state/core';
import type { Observable } from 'rxjs';
import type { AgentAlarm, AgentSummary, FleetDelta, FleetSnapshot, FleetTotals } from '../../protocol/api.ts';
import type { LabelRecord, SetLabels } from '../../protocol/labels.ts';

export type Fleet = {
  /** The whole state now; costs O(agents). */
  readonly snapshot: () => Observable<FleetSnapshot>;
  /**
   * What changed since the last delta, at most 4 a second, only while something changed or an ingest point is due.
   * Shared: all subscribers get the same deltas from their subscription on. Subscribe when `snapshot()` emits.
   */
  readonly delta$: Observable<FleetDelta>;
  /** Summary of one agent; undefined when HQ has never heard of it. */
  readonly summary: (agent: string) => Observable<AgentSummary | undefined>;
  /** All agents' summaries, ordered by id; costs O(agents). */
  readonly summaries: () => Observable<readonly AgentSummary[]>;
  readonly totals: () => Observable<FleetTotals>;
  /** How many agents have an alarm of a kind now; costs O(agents). */
  readonly alarms: () => ReadonlyMap<AgentAlarm['kind'], number>;
  /** Takes a retired agent out of all this, until something comes of it. */
  readonly retire: (agent: string) => void;
  /** Labels of an agent, and where they are from; of one that HQ has never heard of: none. */
  readonly labels: (agent: string) => LabelRecord;
  /** Sets labels over those that the agent tells, in place of what was set before. Completes once that is durable. */
  readonly setLabels: (agent: string, labels: SetLabels) => Observable<never>;
  /** The totals, at once and whenever they change. */
  readonly totals$: StateObservable<FleetTotals>;
  /** One agent's summary, at once when known and whenever it changes. */
  readonly agent$: (agent: string) => StateObservable<AgentSummary>;
  /** Stops the timers and completes every stream. */
  readonly close: () => void;
};
