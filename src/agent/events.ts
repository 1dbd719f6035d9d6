/**
 * What an agent reports about itself, its pipeline apart: link, delivery, journal, life. Each drives log line and
 * metrics.
 */
import { defineEvent } from '../platform/telemetry.ts';
import type { AgentState, BreakerStateName, Lane } from '../protocol/events.ts';
import { linkEvents } from './link-events.ts';

const laneLabel = {
  labels: ({ lane }: { lane: Lane }) => ({ lane }),
  labelNames: ['lane'],
};
const BREAKER_VALUES: Readonly<Record<BreakerStateName, number>> = { closed: 0, open: 1, 'half-open': 2 };
export const agentEvents = {
  ...linkEvents,
  agent_started: defineEvent<{ agent: string; epoch: string; hq: string; dataDir: string }>({
    level: 'info',
    message: 'agent started',
    metrics: [],
  }),
  health_listening: defineEvent<{ url: string }>({
    level: 'info',
    message: 'the health page is up',
    metrics: [],
  }),
  health_failed: defineEvent<{ reason: string }>({
    level: 'error',
    message: 'the health page cannot be served; everything else goes on',
    metrics: [],
  }),
  /**
   * `uncommitted`: samples that this stop lost, for no commit of them came to an end (one that failed may yet appear in
   * the journal); `discarded`: those that fell out of memory before it.
   */
  agent_stopped: defineEvent<{ pending: number; uncommitted: number; discarded: number; clean: boolean }>({
    level: ({ uncommitted }) => (uncommitted > 0 ? 'warn' : 'info'),
    message: 'agent stopped; what is pending stays in the journal, what is uncommitted is lost',
    metrics: [],
  }),
  stop_unclean: defineEvent<{ step: string; reason: string }>({
    level: 'warn',
    message: 'a step of stopping failed or took too long; what was committed stays in the journal',
    metrics: [],
  }),
  state_changed: defineEvent<{ state: AgentState; before: AgentState }>({
    level: 'info',
    message: 'agent state changed',
    metrics: [],
  }),
  /**
   * Once per episode: as long as the kind stays the same, or nothing answers after a lost connection, nothing more is
   * logged.
   */
  link_down: defineEvent<{ kind: string; detail: string; retryMs: number }>({
    level: 'warn',
    message: 'no link to HQ; samples are kept in the journal and the connection is tried again',
    metrics: [],
  }),
  link_up: defineEvent<{ after: string | null }>({
    level: 'info',
    message: 'HQ takes frames',
    metrics: [],
  }),
  link_lost: defineEvent<{ kind: string }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_link_failures_total',
        kind: 'counter',
        help: 'Connections to HQ that failed or were lost.',
        labels: ({ kind }) => ({ kind }),
        labelNames: ['kind'],
      },
    ],
  }),
  link_state: defineEvent<{ connected: boolean }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_link_connected',
        kind: 'gauge',
        help: '1 while HQ has accepted this agent, else 0.',
        value: ({ connected }) => (connected ? 1 : 0),
      },
    ],
  }),
  unknown_event: defineEvent<{ name: string }>({
    level: 'warn',
    message: 'HQ sent something that this version does not understand; it is ignored from now on',
    metrics: [],
  }),
  duplicate_agent: defineEvent<{ detail: string }>({
    level: 'warn',
    message: 'another agent claims the id of this one, and HQ refuses it; give each its own',
    metrics: [
      {
        name: 'holdfast_agent_conflicts_total',
        kind: 'counter',
        help: 'Episodes in which another agent claimed the id of this one.',
      },
    ],
  }),
  epoch_forked: defineEvent<{ detail: string }>({
    level: 'warn',
    message:
      'HQ refuses the epoch of this journal, which is a copy, was rolled back or was damaged; the agent starts again and begins a new one',
    metrics: [],
  }),
  breaker_changed: defineEvent<{ state: BreakerStateName; before: BreakerStateName }>({
    level: 'warn',
    message: 'the circuit breaker before HQ changed',
    metrics: [
      {
        name: 'holdfast_agent_breaker_state',
        kind: 'gauge',
        help: 'Circuit breaker before HQ: 0 closed, 1 open, 2 half-open.',
        value: ({ state }) => BREAKER_VALUES[state],
      },
    ],
  }),
  delivery_paused: defineEvent<{ reason: string; retryMs: number }>({
    level: 'warn',
    message: 'HQ takes no frames at the moment; they wait and are tried again',
    metrics: [],
  }),
  delivery_resumed: defineEvent<{ after: string }>({
    level: 'info',
    message: 'HQ takes frames again',
    metrics: [],
  }),
  frame_confirmed: defineEvent<{ lane: Lane; bytes: number; rttMs: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_frames_acked_total',
        kind: 'counter',
        help: 'Frames that HQ confirmed as durable.',
        ...laneLabel,
      },
      {
        name: 'holdfast_agent_frame_bytes_total',
        kind: 'counter',
        help: 'Bytes of the frames that HQ confirmed.',
        value: ({ bytes }) => bytes,
        ...laneLabel,
      },
      {
        name: 'holdfast_agent_ack_duration_seconds',
        kind: 'histogram',
        help: 'Time from sending a frame until HQ confirmed it.',
        value: ({ rttMs }) => rttMs / 1000,
        buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
        ...laneLabel,
      },
    ],
  }),
  samples_rejected: defineEvent<{ seq: number; samples: number; detail: string }>({
    level: 'error',
    message: 'samples can never be delivered; they are kept as a local dead letter and a gap stands for them',
    metrics: [
      {
        name: 'holdfast_agent_samples_rejected_total',
        kind: 'counter',
        help: 'Samples given up as local dead letters.',
        value: ({ samples }) => samples,
      },
    ],
  }),
  acks_taken_back: defineEvent<{ again: number; lost: number }>({
    level: 'warn',
    message:
      'HQ holds less than it had confirmed, as after the restore of a backup; what is still here is sent again, the rest is lost at HQ',
    metrics: [
      {
        name: 'holdfast_agent_sent_again_samples_total',
        kind: 'counter',
        help: 'Samples that HQ had confirmed and lost, and that the journal still had.',
        value: ({ again }) => again,
      },
      {
        name: 'holdfast_agent_lost_at_hq_samples_total',
        kind: 'counter',
        help: 'Samples that HQ had confirmed and lost, and that the journal no longer had: what HQ accounts as lost_at_hq.',
        value: ({ lost }) => lost,
      },
    ],
  }),
  journal_failing: defineEvent<{ what: string; reason: string }>({
    level: 'error',
    message: 'the journal does not work',
    metrics: [
      {
        name: 'holdfast_agent_journal_failures_total',
        kind: 'counter',
        help: 'Operations of the journal that failed, commits of samples apart.',
        labels: ({ what }) => ({ what }),
        labelNames: ['what'],
      },
    ],
  }),
  journal_damaged: defineEvent<{ what: string; detail: string; quarantine: string | null }>({
    level: 'error',
    message: 'part of the journal could not be trusted',
    metrics: [
      {
        name: 'holdfast_agent_journal_damages_total',
        kind: 'counter',
        help: 'Records or files of the journal that could not be trusted, or are missing.',
        labels: ({ what }) => ({ what }),
        labelNames: ['what'],
      },
    ],
  }),
  journal_missing: defineEvent<{ detail: string }>({
    level: 'error',
    message: 'THE JOURNAL IS GONE and a new one begins',
    metrics: [
      {
        name: 'holdfast_agent_journal_damages_total',
        kind: 'counter',
        help: 'Records or files of the journal that could not be trusted, or are missing.',
        labels: () => ({ what: 'missing' }),
        labelNames: ['what'],
      },
    ],
  }),
  journal_in_memory: defineEvent<{ detail: string }>({
    level: 'error',
    message:
      'the data directory cannot be written: samples are kept in memory only, and what HQ has not confirmed is lost when the agent ends',
    metrics: [
      {
        name: 'holdfast_agent_journal_in_memory',
        kind: 'gauge',
        help: '1 while samples are kept in memory because the data directory cannot be written, else 0.',
        value: () => 1,
      },
    ],
  }),
  disk_full_changed: defineEvent<{ full: boolean; detail: string }>({
    level: 'warn',
    message: 'whether the disk of the journal is full has changed',
    metrics: [
      {
        name: 'holdfast_agent_disk_full',
        kind: 'gauge',
        help: '1 while the disk has no room for the journal to grow, else 0.',
        value: ({ full }) => (full ? 1 : 0),
      },
    ],
  }),
  /** The log lines are `commit_failing` and `journal_failing`. */
  disk_failing_changed: defineEvent<{ failing: boolean }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_disk_failing',
        kind: 'gauge',
        help: '1 while commits of the journal fail for another reason than a full disk, else 0.',
        value: ({ failing }) => (failing ? 1 : 0),
      },
    ],
  }),
  frames_compacted: defineEvent<{ merged: number; compacted: number }>({
    level: 'debug',
    message: 'small frames merged',
    metrics: [
      {
        name: 'holdfast_agent_frames_compacted_total',
        kind: 'counter',
        help: 'Small frames that were merged into larger ones.',
        value: ({ merged }) => merged,
      },
    ],
  }),
  frames_downsampled: defineEvent<{
    rewritten: number;
    thinned: number;
    samples: number;
    freedBytes: number;
  }>({
    level: 'debug',
    message: 'the journal nears what it may take: its oldest samples were thinned',
    metrics: [
      {
        name: 'holdfast_agent_samples_thinned_total',
        kind: 'counter',
        help: 'Samples that were replaced by min, max, mean and count of a stretch.',
        value: ({ samples }) => samples,
      },
      {
        name: 'holdfast_agent_thinning_freed_bytes_total',
        kind: 'counter',
        help: 'What thinning has made room for in the journal.',
        value: ({ freedBytes }) => freedBytes,
      },
    ],
  }),
  journal_stats: defineEvent<{
    sampled: number;
    released: number;
    pending: number;
    thinned: number;
    pendingBytes: number;
    maxBytes: number;
    dropped: number;
    lagMs: number;
  }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_journal_sampled_samples',
        kind: 'gauge',
        help: 'Samples that the journal has given a seq in this epoch.',
        value: ({ sampled }) => sampled,
      },
      {
        name: 'holdfast_agent_journal_released_samples',
        kind: 'gauge',
        help: 'Every seq up to here has left the journal.',
        value: ({ released }) => released,
      },
      {
        name: 'holdfast_agent_journal_pending_samples',
        kind: 'gauge',
        help: 'Samples in the journal that HQ has not confirmed.',
        value: ({ pending }) => pending,
      },
      {
        name: 'holdfast_agent_journal_thinned_samples',
        kind: 'gauge',
        help: 'Those of the pending samples of which only min, max, mean and count of stretches are left.',
        value: ({ thinned }) => thinned,
      },
      {
        name: 'holdfast_agent_journal_pending_bytes',
        kind: 'gauge',
        help: 'Bytes of the frames that HQ has not confirmed.',
        value: ({ pendingBytes }) => pendingBytes,
      },
      {
        name: 'holdfast_agent_journal_limit_bytes',
        kind: 'gauge',
        help: 'Quota of the journal.',
        value: ({ maxBytes }) => maxBytes,
      },
      {
        name: 'holdfast_agent_journal_dropped_samples',
        kind: 'gauge',
        help: 'Samples of this epoch that were given up; the ledger has the reasons.',
        value: ({ dropped }) => dropped,
      },
      {
        name: 'holdfast_agent_journal_oldest_pending_age_seconds',
        kind: 'gauge',
        help: 'Age of the oldest sample that HQ has not confirmed; 0 when there is none.',
        value: ({ lagMs }) => lagMs / 1000,
      },
    ],
  }),
};
