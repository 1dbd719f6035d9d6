/** Documents of HQ's public API and of the `/dashboard` namespace. Times are epoch ms. */
import { z } from 'zod';
import { DETECTION_METHODS } from './anomaly.ts';
import { coverageSchema } from './coverage.ts';
import { AGENT_STATES, BREAKER_STATES, linkReportSchema } from './events.ts';
import { exactNumberSchema, jsonNumberSchema } from './json-number.ts';
import { labelsSchema, setLabelsSchema } from './labels.ts';
import { DIAGNOSTIC_CODES, SEVERITIES } from './sample.ts';

export const CHAOS_MODES = ['off', 'random', 'down', 'slow', 'lossy'] as const;
export type ChaosMode = (typeof CHAOS_MODES)[number];
export const chaosSchema = z.object({
  mode: z.enum(CHAOS_MODES).describe('what HQ does to its own link'),
  enabled: z.boolean().describe('whether this HQ allows chaos at all'),
  effect: z
    .enum(['none', 'down', 'slow', 'lossy'])
    .describe('what is in force now; moves by itself in mode random'),
  since: z.number().describe('when the effect began, epoch ms'),
});
export type Chaos = z.infer<typeof chaosSchema>;

/** When chaos was at work, on HQ's clock; `to` is null while it is. */
export const chaosSpanSchema = z.object({
  effect: z.enum(['down', 'slow', 'lossy']),
  from: z.number(),
  to: z.number().nullable(),
});
export type ChaosSpan = z.infer<typeof chaosSpanSchema>;

/** What HQ took in within a second that ended at `t`, epoch ms. */
export const ingestPointSchema = z.object({ t: z.number(), samples: z.number(), bytes: z.number() });
export type IngestPoint = z.infer<typeof ingestPointSchema>;

export const ALARM_KINDS = [
  'duplicate_agent',
  'forked_epoch',
  'lost_at_hq',
  'damaged_at_hq',
  'agent_disk',
  'clock_ahead',
  'over_quota',
] as const;
export const agentAlarmSchema = z.object({
  kind: z
    .enum(ALARM_KINDS)
    .describe(
      "duplicate_agent: a second agent claims the id, and is refused; forked_epoch: a journal came that is a copy, was rolled back or was damaged, as detail says, and begins a new epoch; lost_at_hq: what HQ once held is accounted as lost; damaged_at_hq: damage of HQ's data has cost samples of it, which HQ asks for again or accounts as lost, as detail says; agent_disk: the disk of its journal is full, failing or cannot be written, as it last said; clock_ahead: its samples are dated ahead of HQ's clock; over_quota: its samples take more of HQ's storage than they may, and the oldest are removed",
    ),
  since: z.number().describe('epoch ms'),
  detail: z.string(),
});
export type AgentAlarm = z.infer<typeof agentAlarmSchema>;

export const HQ_ALARM_KINDS = [
  'storage_failing',
  'storage_damaged',
  'registry_full',
  'connections_full',
  'connections_of_address',
] as const;
export type HqAlarmKind = (typeof HQ_ALARM_KINDS)[number];
export type HqAlarm = { readonly kind: HqAlarmKind; readonly since: number; readonly detail: string };

/** An alarm that stands, of an agent or of HQ itself. */
export const alarmSchema = z.object({
  agent: z.string().nullable().describe('null: it concerns HQ itself'),
  kind: z
    .enum([...HQ_ALARM_KINDS, ...ALARM_KINDS])
    .describe(
      'of HQ: storage_failing: its storage takes no commits; storage_damaged: damage was met in its storage, or its data file was gone at the start; registry_full: it knows as many agents as it takes; connections_full, connections_of_address: it has refused connections within the last five minutes, in all or of one address. Of an agent: as in its summary',
    ),
  since: agentAlarmSchema.shape.since,
  detail: z.string(),
});

export const REFUSAL_REASONS = [
  'token',
  'host',
  'origin',
  'duplicate_agent',
  'forked_epoch',
  'other_hq',
  'unsupported_version',
  'bad_request',
  'rate_limited',
  'registry_full',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];
const refusalReasonSchema = z
  .enum(REFUSAL_REASONS)
  .describe(
    'token: none was shown, or a wrong one; host: HQ is reached by a name that is not in allowedHosts; origin: a web page of another site tries; registry_full: HQ knows as many agents as it takes; the others: what HQ answered to its hello',
  );

/** A place from which agents are not let in, or one agent whose hello is refused, as long as they try: an episode. */
export const refusalSchema = z.object({
  address: z.string().describe('where they come from: an IP address'),
  agent: z
    .string()
    .nullable()
    .describe('who it says it is; null: it does not say, or one address says too many names'),
  reason: refusalReasonSchema,
  detail: z.string().nullable().describe('what HQ answered to its hello'),
  advice: z.string().describe('what to do about it'),
  over: z.enum(['link', 'http']).describe('link: an agent connects; http: a program delivers by HTTP'),
  since: z.number().describe('first refusal of the episode, epoch ms'),
  last: z.number().describe('latest refusal, epoch ms'),
  attempts: z.number(),
});
export type Refusal = z.infer<typeof refusalSchema>;

/** What HQ makes of an agent. Those that hold no link are `reporting`, `late` or `silent`. */
export const SHOWN_STATES = [...AGENT_STATES, 'refused', 'reporting', 'late', 'silent', 'unknown'] as const;

export const agentSummarySchema = z.object({
  id: z.string(),
  epoch: z.string().nullable().describe('epoch of the latest hello that HQ accepted; null: there was none'),
  over: z
    .enum(['link', 'http'])
    .nullable()
    .describe('how it delivers: as an agent over its link, or by HTTP; null: not known'),
  connected: z
    .boolean()
    .describe('whether a link stands and carries: never true of an agent that is offline'),
  state: z
    .enum(SHOWN_STATES)
    .describe(
      'what HQ makes of it, by what arrives and then by what it says. offline: no link, or one that carries nothing. refused: no link, as HQ refuses its hello (refusal). Who delivers by HTTP is reporting, late or silent by its own rhythm. unknown: HQ has not heard from it since it started',
    ),
  stateSince: z
    .number()
    .nullable()
    .describe("when that began, HQ's clock; null: it has been so since HQ started"),
  refusal: z
    .object({
      reason: refusalReasonSchema,
      since: z.number().describe('epoch ms'),
      detail: z.string().describe('what HQ answered'),
      advice: z.string().describe('what to do about it'),
    })
    .nullable()
    .describe('why it is refused; null: it is not'),
  breaker: z
    .enum([...BREAKER_STATES, 'unknown'])
    .describe('as last said, and as frames that came since have moved it'),
  version: z.string().nullable(),
  connectedSince: z.number().nullable().describe('since when the link carries'),
  heardTs: z
    .number()
    .nullable()
    .describe(
      "when HQ last heard anything of it, HQ's clock: what it says of itself is that old. Null: nothing since HQ started",
    ),
  deliversEveryMs: z
    .number()
    .nullable()
    .describe(
      'usual time between the deliveries of one that sends by HTTP; null: not known, or it holds a link',
    ),
  lastSampleTs: z.number().nullable().describe("wall time of the newest stored sample, the agent's clock"),
  lastArrivalTs: z.number().nullable().describe("when HQ last stored a frame, HQ's clock"),
  lagMs: z
    .number()
    .nullable()
    .describe(
      'from sampling to durable at HQ of the newest live frame, offset corrected; null while offline',
    ),
  clockOffsetMs: z.number().nullable().describe("agent's wall clock minus HQ's"),
  rttMs: z.number().nullable().describe('smoothed round trip of acks, as last said; null while offline'),
  link: linkReportSchema
    .nullable()
    .describe('what the agent last said of its link; null: nothing since it connected'),
  samplesPerSecond: z.number().describe('stored, over the last 10 s'),
  sampled: z.number(),
  stored: z.number().describe('whole samples'),
  pending: z.number(),
  pendingBytes: z.number(),
  pendingThinned: z
    .number()
    .describe('of the pending ones, how many the agent has thinned for want of room, as it last said'),
  thinned: z
    .number()
    .describe('HQ has only statistics of them: the journal was full. Neither stored nor dropped'),
  dropped: z.number(),
  completeness: z
    .number()
    .describe(
      '(stored + thinned) / sampled, 0 … 1: what HQ has, whole or thinned; 1 when nothing was sampled',
    ),
  openAnomalies: z.number(),
  anomaliesTotal: z.number(),
  seriesCount: z.number().describe('one that several sources measure counts for each'),
  labels: z
    .record(z.string(), z.string())
    .describe('what people choose it by: those that it tells, and those that HQ sets over them'),
  alarm: agentAlarmSchema.nullable().describe('what an operator should see to; null when nothing is'),
});
export type AgentSummary = z.infer<typeof agentSummarySchema>;

/** The labels of an agent, and where they are from. */
export const agentLabelsSchema = z.object({
  id: z.string(),
  labels: agentSummarySchema.shape.labels,
  told: labelsSchema.describe('by the agent at its latest hello (its setting `labels`)'),
  set: setLabelsSchema.describe('by HQ: these win; null hides one that the agent tells'),
});
export type AgentLabels = z.infer<typeof agentLabelsSchema>;

export const fleetTotalsSchema = z.object({
  agents: z.number(),
  connected: z.number(),
  stored: z.number(),
  pending: z.number(),
  thinned: z.number(),
  dropped: z.number(),
  samplesPerSecond: z.number(),
  bytesPerSecond: z.number(),
});
export type FleetTotals = z.infer<typeof fleetTotalsSchema>;

/** What is known of an agent at the moment in which it is retired. */
export const retiredAgentSchema = z.object({
  id: z.string(),
  retiredTs: z.number().describe("epoch ms, HQ's clock"),
  ...agentSummarySchema.pick({ sampled: true, stored: true, pending: true, thinned: true, dropped: true })
    .shape,
});

/** What an agent had come to when an operator ordered its removal for good. */
export const purgedAgentSchema = z.object({
  id: z.string(),
  purgedTs: z.number().describe("epoch ms of the order, HQ's clock"),
  ...agentSummarySchema.pick({ sampled: true, stored: true, pending: true, thinned: true, dropped: true })
    .shape,
});

/** Whole state, sent to a dashboard when it connects. */
export const fleetSnapshotSchema = z.object({
  ts: z.number(),
  hqVersion: z.string(),
  agents: z.array(agentSummarySchema),
  totals: fleetTotalsSchema,
  chaos: chaosSchema,
  /** Of the time that `ingest` covers, oldest first; the last one is in force when it has no end. */
  chaosSpans: z.array(chaosSpanSchema),
  /** Ingest rate, one point a second, oldest first, up to 10 minutes, also of before a restart of HQ. */
  ingest: z.array(ingestPointSchema),
});
export type FleetSnapshot = z.infer<typeof fleetSnapshotSchema>;

/** What changed since the last message, at most 4 a second. */
export const fleetDeltaSchema = z.object({
  ts: z.number(),
  agents: z.array(agentSummarySchema).describe('changed ones, whole'),
  removed: z.array(z.string()).optional().describe('ids of agents that were retired. Absent: none'),
  totals: fleetTotalsSchema,
  chaos: chaosSchema,
  ingest: z.array(ingestPointSchema).describe('new points'),
});
export type FleetDelta = z.infer<typeof fleetDeltaSchema>;

/** `/dashboard`, HQ to browser. Browser to HQ: nothing; writing goes through the HTTP API. */
export type HqToDashboardEvents = {
  snapshot: (snapshot: FleetSnapshot) => void;
  delta: (delta: FleetDelta) => void;
};

export const anomalyDocumentSchema = z.object({
  series: z.string(),
  source: z
    .string()
    .optional()
    .describe('of the agent, that measures the series. Absent: stored before HQ kept it'),
  unit: z.string(),
  state: z.enum(['open', 'closed']),
  startTs: z.number(),
  endTs: z.number().nullable(),
  peakTs: z.number(),
  peakValue: exactNumberSchema,
  peakZ: exactNumberSchema,
  mean: jsonNumberSchema.describe(
    'of the values that the peak was judged by; null: it was not finite, and HQ of before 0.2 kept no more',
  ),
  stddev: jsonNumberSchema.describe('as `mean`'),
  method: z
    .enum(DETECTION_METHODS)
    .optional()
    .describe('what judged it. Absent: the agent is of 0.1, and it is `zscore`'),
  threshold: jsonNumberSchema.optional().describe('|z| beyond which it opened'),
});
export type AnomalyDocument = z.infer<typeof anomalyDocumentSchema>;

export const diagnosticDocumentSchema = z.object({
  code: z.enum(DIAGNOSTIC_CODES),
  severity: z.enum(SEVERITIES),
  series: z.string().nullable(),
  detail: z.string(),
});

export const sampleDocumentSchema = z.object({
  epoch: z.string(),
  seq: z.number(),
  ts: z.number(),
  mono: z.number(),
  boot: z.string(),
  source: z.string(),
  arrivalTs: z.number().describe("HQ's clock when it stored the sample's frame"),
  ahead: z
    .literal(true)
    .optional()
    .describe(
      "ts was ahead of HQ's clock by more than limits.maxClockAheadMs when it came: the sample is not taken for the latest. Absent: it was not",
    ),
  values: z.record(z.string(), jsonNumberSchema).describe('by series; absent where nothing was measured'),
  anomalies: z.array(anomalyDocumentSchema),
  diagnostics: z.array(diagnosticDocumentSchema),
});
export type SampleDocument = z.infer<typeof sampleDocumentSchema>;

export const seriesDocumentSchema = z.object({
  series: z.string(),
  name: z.string(),
  attributes: z.record(z.string(), z.string()),
  unit: z.string(),
  source: z.string(),
  firstTs: z.number().nullable(),
  lastTs: z.number().nullable(),
});
export type SeriesDocument = z.infer<typeof seriesDocumentSchema>;

/** A GPU as one source of one agent measures it. */
export const gpuSchema = z.object({
  gpu: z.string().describe('what names it in a path: its uuid, or its index where it has none'),
  uuid: z.string().nullable(),
  index: z.string().nullable().describe('of the GPU in its machine'),
  model: z.string().nullable(),
  host: z.string().nullable().describe('the machine, as the exporter calls it'),
  agent: z.string(),
  source: z.string(),
  series: z.number().describe('how many series it has'),
  firstTs: z.number().nullable(),
  lastTs: z.number().nullable(),
});

/** What was measured of a GPU at one instant. */
export const gpuSampleSchema = z.object({
  ts: z.number(),
  arrivalTs: z.number().describe("HQ's clock when it stored the sample"),
  source: z.string(),
  values: z
    .record(z.string(), jsonNumberSchema)
    .describe('by metric, such as `hw.gpu.utilization`; absent where nothing was measured'),
});
export type GpuSample = z.infer<typeof gpuSampleSchema>;

export const gapDocumentSchema = z.object({
  firstSeq: z.number(),
  lastSeq: z.number(),
  reason: z.string(),
  fromTs: z.number(),
  toTs: z.number(),
});

/** `sampled = stored + pending + Σ thinned + Σ dropped`, exactly. */
export const ledgerEntrySchema = z.object({
  epoch: z.string(),
  sampled: z.number(),
  stored: z.number(),
  pending: z.number(),
  thinned: z.record(z.string(), z.number()),
  dropped: z.record(z.string(), z.number()),
  contiguous: z.number(),
  ranges: coverageSchema.shape.ranges,
  gaps: z.array(gapDocumentSchema),
});
export type LedgerEntry = z.infer<typeof ledgerEntrySchema>;
