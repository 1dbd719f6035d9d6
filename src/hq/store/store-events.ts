/** What HQ's store tells of itself. */
import { defineEvent, type Emit } from '../../platform/telemetry.ts';

const TAKEN_BACK_METRICS = [
  {
    name: 'holdfast_hq_taken_back_samples_total',
    kind: 'counter',
    help: "Samples that damage of HQ's data has cost, which their agents are asked for again.",
    value: ({ again }: { readonly again: number }) => again,
  },
  {
    name: 'holdfast_hq_damage_lost_samples_total',
    kind: 'counter',
    help: "Samples that damage of HQ's data has cost, and that nobody has any more.",
    value: ({ lost }: { readonly lost: number }) => lost,
  },
] as const;

export const storeEvents = {
  store_events_kept: defineEvent<{ events: number; leftOut: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_hq_agent_events_total',
        kind: 'counter',
        help: 'Events of agents, and of HQ itself, that were written down.',
        value: ({ events }) => events,
      },
      {
        name: 'holdfast_hq_agent_events_left_out_total',
        kind: 'counter',
        help: 'Events of agents that were not written down: there were too many.',
        value: ({ leftOut }) => leftOut,
      },
    ],
  }),
  store_events_removed: defineEvent<{ events: number }>({
    level: 'debug',
    message: 'events of agents removed: too old, or too many of an agent',
    metrics: [
      {
        name: 'holdfast_hq_agent_events_removed_total',
        kind: 'counter',
        help: 'Events of agents that retention has removed.',
        value: ({ events }) => events,
      },
    ],
  }),
  store_frame_unreadable: defineEvent<{ agent: string; epoch: string; seq: number; error: string }>({
    level: 'warn',
    message: 'a stored frame does not decode; its samples are left out of answers',
    metrics: [
      {
        name: 'holdfast_hq_unreadable_frames_total',
        kind: 'counter',
        help: 'Stored frames met that do not decode, once for each time they were met.',
      },
    ],
  }),
  store_samples_taken_back: defineEvent<{ agent: string; epoch: string; again: number; lost: number }>({
    level: 'warn',
    message:
      'stored samples cannot be read any more; their agent is asked for them, or they are accounted as lost',
    metrics: TAKEN_BACK_METRICS,
  }),
  store_recount_begun: defineEvent<{ reason: string }>({
    level: 'warn',
    message: 'all that the store holds is counted and listed again, before HQ listens',
    metrics: [],
  }),
  store_recounted: defineEvent<{
    frames: number;
    unreadable: number;
    epochs: number;
    again: number;
    lost: number;
    keys: number;
  }>({
    level: 'warn',
    message:
      'counted again; agents are asked for what they have of the samples that are gone, idempotency keys that went whole are forgotten',
    metrics: TAKEN_BACK_METRICS,
  }),
  store_background_failed: defineEvent<{ task: string; error: string }>({
    level: 'warn',
    message: 'background work of the store failed; it is tried again',
    metrics: [
      {
        name: 'holdfast_hq_background_failures_total',
        kind: 'counter',
        help: 'Passes of background work that failed, by task.',
        labelNames: ['task'],
        labels: ({ task }) => ({ task }),
      },
    ],
  }),
  store_agent_purged: defineEvent<{ agent: string; records: number }>({
    level: 'info',
    message: 'everything that was stored of an agent is removed',
    metrics: [
      {
        name: 'holdfast_hq_purged_agents_total',
        kind: 'counter',
        help: 'Agents that were removed for good, with everything that was stored of them.',
      },
      {
        name: 'holdfast_hq_purged_records_total',
        kind: 'counter',
        help: 'Records that were removed with their agents.',
        value: ({ records }) => records,
      },
    ],
  }),
  store_frames_compacted: defineEvent<{ merged: number; into: number }>({
    level: null,
    message: 'small frames compacted',
    metrics: [
      {
        name: 'holdfast_hq_compacted_frames_total',
        kind: 'counter',
        help: 'Small frames that were compacted into larger ones.',
        value: ({ merged }) => merged,
      },
    ],
  }),
  store_log: defineEvent<{ unfiled: number; unsaved: number }>({
    level: null,
    message: 'what the log holds beyond the index and the saved states',
    metrics: [
      {
        name: 'holdfast_hq_log_unfiled_frames',
        kind: 'gauge',
        help: 'Frames of the arrival log that are not in the index yet; queries read them from the log.',
        value: ({ unfiled }) => unfiled,
      },
      {
        name: 'holdfast_hq_log_unsaved_frames',
        kind: 'gauge',
        help: 'Frames of the arrival log that a start of HQ would have to account for again.',
        value: ({ unsaved }) => unsaved,
      },
    ],
  }),
  store_rollups: defineEvent<{ entries: number; incomplete: number }>({
    level: null,
    message: 'what the rollups lack',
    metrics: [
      {
        name: 'holdfast_hq_rollup_lag_frames',
        kind: 'gauge',
        help: 'Frames of the arrival log that are not in the rollups yet; queries read them from the log.',
        value: ({ entries }) => entries,
      },
      {
        name: 'holdfast_hq_rollup_incomplete_agents',
        kind: 'gauge',
        help: 'Agents whose rollups have yet to be made again of the index; queries read raw samples until then.',
        value: ({ incomplete }) => incomplete,
      },
    ],
  }),
  store_rollups_committed: defineEvent<{ agents: number }>({
    level: null,
    message: 'rollups of some agents went on',
    metrics: [
      {
        name: 'holdfast_hq_rollup_rounds_total',
        kind: 'counter',
        help: 'Rounds of agents, in each of which what had come of one agent was added to its rollups.',
        value: ({ agents }) => agents,
      },
    ],
  }),
  store_rollups_removed: defineEvent<{ parts: number }>({
    level: 'debug',
    message: 'old rollups removed',
    metrics: [
      {
        name: 'holdfast_hq_retention_removed_rollups_total',
        kind: 'counter',
        help: 'Parts of rollups removed by retention.',
        value: ({ parts }) => parts,
      },
    ],
  }),
  store_rollups_missed: defineEvent<{ agent: string; frames: number }>({
    level: 'warn',
    message: 'rollups lag too far behind; what they have missed is read from the index later',
    metrics: [
      {
        name: 'holdfast_hq_rollup_missed_frames_total',
        kind: 'counter',
        help: 'Frames that left the arrival log before they were in the rollups, and are read from the index later.',
        value: ({ frames }) => frames,
      },
    ],
  }),
  store_retention_removed: defineEvent<{ frames: number; samples: number; reason: 'age' | 'size' | 'quota' }>(
    {
      level: 'debug',
      message: 'old samples removed',
      metrics: [
        {
          name: 'holdfast_hq_retention_removed_samples_total',
          kind: 'counter',
          help: 'Stored samples removed by retention, by reason; the ledger goes on counting them as stored.',
          labelNames: ['reason'],
          labels: ({ reason }) => ({ reason }),
          value: ({ samples }) => samples,
        },
      ],
    },
  ),
  store_quota_exceeded: defineEvent<{ agent: string; quotaBytes: number }>({
    level: 'warn',
    message: 'the samples of this agent take more of the store than it may; its oldest are removed',
    metrics: [],
  }),
  store_anomalies_indexed: defineEvent<{ anomalies: number }>({
    level: null,
    message: 'anomalies noted',
    metrics: [
      {
        name: 'holdfast_hq_indexed_anomalies_total',
        kind: 'counter',
        help: 'Reports of anomalies that the index has taken.',
        value: ({ anomalies }) => anomalies,
      },
    ],
  }),
  store_anomalies_removed: defineEvent<{ anomalies: number; reason: 'age' | 'count' | 'size' }>({
    level: 'debug',
    message: 'anomaly episodes removed',
    metrics: [
      {
        name: 'holdfast_hq_retention_removed_anomalies_total',
        kind: 'counter',
        help: 'Anomaly episodes removed: too old (age), too many of one agent (count), or of all (size).',
        labelNames: ['reason'],
        labels: ({ reason }) => ({ reason }),
        value: ({ anomalies }) => anomalies,
      },
    ],
  }),
  store_gaps_removed: defineEvent<{ gaps: number }>({
    level: 'debug',
    message: 'records of old gaps removed',
    metrics: [
      {
        name: 'holdfast_hq_retention_removed_gaps_total',
        kind: 'counter',
        help: 'Records of gaps removed by retention; the ledger goes on counting what was dropped.',
        value: ({ gaps }) => gaps,
      },
    ],
  }),
  store_clock_leapt: defineEvent<{ aheadMs: number }>({
    level: 'warn',
    message: 'the wall clock leapt ahead by more than a day; nothing is removed for its age for a day',
    metrics: [
      {
        name: 'holdfast_hq_clock_leaps_total',
        kind: 'counter',
        help: 'Leaps of the wall clock, ahead by more than a day, that made retention by age hold off.',
      },
    ],
  }),
  store_size: defineEvent<{ bytes: number }>({
    level: null,
    message: 'size of the store',
    metrics: [
      {
        name: 'holdfast_hq_store_bytes',
        kind: 'gauge',
        help: 'Bytes of keys and values in the store.',
        value: ({ bytes }) => bytes,
      },
    ],
  }),
};
export type StoreEmit = Emit<typeof storeEvents>;
