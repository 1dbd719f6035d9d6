/** What the pipeline reports about itself. */
import { defineEvent } from '../../platform/telemetry.ts';
import type { DetectionMethod } from '../../protocol/anomaly.ts';

const bySource = {
  labels: ({ source }: { source: string }) => ({ source }),
  labelNames: ['source'],
};

export const pipelineEvents = {
  source_started: defineEvent<{ source: string }>({
    level: 'info',
    message: 'source started',
    metrics: [],
  }),
  source_failed: defineEvent<{ source: string; reason: string; attempt: number; delayMs: number }>({
    level: 'error',
    message: 'source failed; it is started again after the delay',
    metrics: [
      {
        name: 'holdfast_agent_source_failures_total',
        kind: 'counter',
        help: 'Failures of sources; each is followed by a restart.',
        ...bySource,
      },
    ],
  }),
  source_restarted: defineEvent<{ source: string; attempt: number }>({
    level: 'info',
    message: 'source works again after a failure',
    metrics: [],
  }),
  source_completed: defineEvent<{ source: string; samples: number }>({
    level: 'info',
    message: 'source has no more samples',
    metrics: [],
  }),
  anomaly_opened: defineEvent<{
    source: string;
    series: string;
    z: number;
    value: number;
    method?: DetectionMethod;
    threshold?: number;
  }>({
    level: 'debug',
    message: 'anomaly: the series left its usual range',
    metrics: [
      {
        name: 'holdfast_agent_anomalies_total',
        kind: 'counter',
        help: 'Episodes of a series beyond its threshold.',
        ...bySource,
      },
    ],
  }),
  detection_not_kept: defineEvent<{ reason: string }>({
    level: 'warn',
    message: 'what detection has learned cannot be kept; after a restart it begins again',
    metrics: [],
  }),
  detection_not_kept_whole: defineEvent<{ series: number }>({
    level: 'warn',
    message: 'what detection has learned of so many series finds no room; after a restart they begin again',
    metrics: [],
  }),
  diagnosed: defineEvent<{ source: string; code: string; severity: string; series: string; detail: string }>({
    level: 'debug',
    message: 'diagnostic',
    metrics: [
      {
        name: 'holdfast_agent_diagnostics_total',
        kind: 'counter',
        help: 'Diagnostics by code, one per episode.',
        labels: ({ source, code }) => ({ source, code }),
        labelNames: ['source', 'code'],
      },
    ],
  }),
  samples_committed: defineEvent<{ count: number; seconds: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_samples_committed_total',
        kind: 'counter',
        help: 'Samples that are durable in the journal.',
        value: ({ count }) => count,
      },
      {
        name: 'holdfast_agent_commit_duration_seconds',
        kind: 'histogram',
        help: 'Time from handing samples to the journal until they are durable.',
        value: ({ seconds }) => seconds,
        buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      },
    ],
  }),
  samples_refused: defineEvent<{ count: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_samples_refused_total',
        kind: 'counter',
        help: 'Samples that got a seq but were dropped by a full journal; the ledger names them.',
        value: ({ count }) => count,
      },
    ],
  }),
  /** Each failed attempt counts; the log line is `commit_failing`, once per episode. */
  commit_failed: defineEvent<{ reason: string; attempt: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_commit_failures_total',
        kind: 'counter',
        help: 'Attempts to commit to the journal that failed.',
      },
    ],
  }),
  commit_failing: defineEvent<{ reason: string; waiting: number }>({
    level: 'error',
    message: 'the journal takes no samples; they are kept in memory and tried again',
    metrics: [],
  }),
  commit_recovered: defineEvent<{ attempts: number; discarded: number }>({
    level: 'info',
    message: 'the journal takes samples again',
    metrics: [],
  }),
  /** The log line of an episode's first loss. */
  discarding: defineEvent<{ limit: number }>({
    level: 'error',
    message: 'too many samples wait for the journal: the oldest are discarded before they were sampled',
    metrics: [],
  }),
  samples_discarded: defineEvent<{ count: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_samples_discarded_total',
        kind: 'counter',
        help: 'Measurements discarded in memory because the journal took none; they never got a seq.',
        value: ({ count }) => count,
      },
    ],
  }),
  uncommitted_changed: defineEvent<{ count: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_samples_uncommitted',
        kind: 'gauge',
        help: 'Samples in memory that wait for their commit.',
        value: ({ count }) => count,
      },
    ],
  }),
};
