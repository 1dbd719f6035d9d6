/**
 * Socket.IO events of the namespaces `/agents` and `/dashboard`, their payloads and acks; docs/protocol.md explains the
 * exchange. Every payload that crosses the wire is parsed with these schemas on arrival; types are inferred from them.
 */
import { z } from 'zod';
import { coverageSchema } from './coverage.ts';
import { labelsSchema } from './labels.ts';
import { agentIdSchema, epochSchema, MAX_SEQ, schemaRefSchema, schemaSchema } from './sample.ts';

export const PROTOCOL_VERSION = 1;
/**
 * Version 2 adds compact messages and coverage in pages; it is offered in `protocols`, so that an HQ of version 1
 * accepts the hello.
 */
export const COMPACT_PROTOCOL = 2;
export const PROTOCOLS: readonly number[] = [PROTOCOL_VERSION, COMPACT_PROTOCOL];
/** Version of the notes in frames: 2 adds method and threshold to anomalies. HQ says in hello what it reads. */
export const NOTES_VERSION = 2;
/** Version of the sample schema documents. */
export const SCHEMA_VERSION = 1;

const count = z.number().int().min(0).max(MAX_SEQ);
const notNegative = z.number().min(0);
const millis = z.number().min(-8.64e15).max(8.64e15);

/** No HQ asks agents to wait for longer between attempts to connect, ms. */
export const MAX_RECONNECT_MS = 86_400_000;

/** What HQ can refuse with. `retryAfterMs`: do not come back sooner. */
export const WIRE_ERROR_CODES = [
  'unsupported_version',
  'unauthorized',
  'duplicate_agent',
  'forked_epoch',
  'bad_request',
  'hello_required',
  'unknown_schema',
  'bad_frame',
  'too_large',
  'too_many_series',
  'rate_limited',
  'unavailable',
  'internal',
  'other_hq',
] as const;
export const wireErrorSchema = z.object({
  code: z.enum(WIRE_ERROR_CODES),
  /** For people: what is wrong and what to do. */
  message: z.string().max(1000),
  retryAfterMs: z.number().min(0).max(86_400_000).optional(),
  /** With `unsupported_version`: what HQ speaks. */
  supported: z.object({ protocol: z.array(z.number().int()), schema: z.array(z.number().int()) }).optional(),
  /** With `unknown_schema`: the refs to send. */
  refs: z.array(schemaRefSchema).max(4096).optional(),
});
export type WireError = z.infer<typeof wireErrorSchema>;
export type WireErrorCode = WireError['code'];
const refusal = z.object({ ok: z.literal(false), error: wireErrorSchema });

/** Credentials travel in Socket.IO's handshake `auth`. */
export const agentAuthSchema = z.object({ token: z.string().max(4096).optional() });

export const AGENT_STATES = ['starting', 'live', 'catching-up', 'offline', 'degraded', 'stopping'] as const;
export type AgentState = (typeof AGENT_STATES)[number];
export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;
export type BreakerStateName = (typeof BREAKER_STATES)[number];

/** Of an HQ; the same on every way to it, and after the restore of a backup. */
export const hqIdentitySchema = z.string().min(1).max(64);

export const helloSchema = z.object({
  protocol: z.number().int(),
  /** All versions that the agent speaks; absent: only `protocol`. HQ's answer names the one agreed on. */
  protocols: z.array(z.number().int()).max(16).optional(),
  schema: z.number().int(),
  agent: agentIdSchema,
  epoch: epochSchema,
  /** Random id of the agent's process; tells a reconnect from a clone. */
  instance: z.string().min(1).max(64),
  /** Version of the agent's software. */
  version: z.string().max(64),
  /** Highest seq given out: how many samples the epoch has. */
  sampled: count,
  /** Every seq up to here has left the journal for good: HQ can only have it or never will. */
  released: count,
  /** Agent's wall time, ms, for the offset estimate. */
  ts: millis,
  /** The HQ that has acknowledged something of the epoch; absent: none, or none that told its identity. */
  hq: hqIdentitySchema.optional(),
  /**
   * Which life of the journal this is, see judge-run.ts: `number` is one more than that of the last run that HQ
   * accepted, which was `after`; the first run since then began with `begun` seqs given out. `rebuilt`: damage may have
   * cost it what it knew of this.
   */
  run: z
    .object({
      begun: count,
      number: z.number().int().min(1).max(MAX_SEQ),
      after: z.string().max(64).nullable(),
      rebuilt: z.boolean().optional(),
    })
    .optional(),
  /** What people choose the agent by; absent: none. */
  labels: labelsSchema.optional(),
});
export type Hello = z.infer<typeof helloSchema>;

export const limitsSchema = z.object({
  maxFrameBytes: z.number().int().positive(),
  maxFrameSamples: z.number().int().positive(),
  maxSeries: z.number().int().positive(),
  /** Version of the notes in frames that HQ reads up to; absent: 1. */
  notes: z.number().int().positive().optional(),
});
export type Limits = z.infer<typeof limitsSchema>;

/** Upper bound that HQ asks for of the wait between attempts to connect, ms. */
const reconnectSchema = z.number().int().min(0).max(MAX_RECONNECT_MS);

export const helloReplySchema = z.union([
  z.object({
    ok: z.literal(true),
    protocol: z.number().int(),
    /** What HQ holds durably of the epoch. */
    ack: coverageSchema,
    /**
     * Samples that HQ has just accounted as `lost_at_hq` because of what hello says was released; `ack` covers them, so
     * that it does not tell.
     */
    lost: z.number().int().min(0).optional(),
    limits: limitsSchema,
    /** Backlog frames that may be in flight. */
    credit: z.number().int().min(0),
    /** Backlog bytes that may be in flight; absent: no bound of bytes. */
    creditBytes: count.optional(),
    /** HQ's wall time, ms. */
    hqTs: millis,
    /** How long HQ took for this answer: what the link did not, ms. */
    heldMs: count.optional(),
    /** Which HQ this is: the same on every way to it. */
    hq: hqIdentitySchema.optional(),
    reconnectMs: reconnectSchema.optional(),
    /** `ack` is the first page: the event `coverage` has the rest. Absent: `ack` is notNegative. */
    more: z.boolean().optional(),
  }),
  refusal,
]);
export type HelloReply = z.infer<typeof helloReplySchema>;

/** The ranges that end beyond `after`. */
export const coverageRequestSchema = z.object({ after: count });
export type CoverageRequest = z.infer<typeof coverageRequestSchema>;
export const coverageReplySchema = z.union([
  z.object({
    ok: z.literal(true),
    /** A page: what HQ holds durably, of the ranges only the first beyond `after`. */
    ack: coverageSchema,
    /** Whether there are ranges beyond these. */
    more: z.boolean(),
  }),
  refusal,
]);
export type CoverageReply = z.infer<typeof coverageReplySchema>;

export const schemaMessageSchema = z.object({ ref: schemaRefSchema, schema: schemaSchema });
export type SchemaMessage = z.infer<typeof schemaMessageSchema>;
export const okReplySchema = z.union([z.object({ ok: z.literal(true) }), refusal]);
export type OkReply = z.infer<typeof okReplySchema>;

/** `live`: newest samples, outside of the credit. `backlog`: oldest first, within the credit. */
export const LANES = ['live', 'backlog'] as const;
export type Lane = (typeof LANES)[number];
export const frameMetaSchema = z.object({ lane: z.enum(LANES) });
export type FrameMeta = z.infer<typeof frameMetaSchema>;

/** Answer to `frame`, sent after HQ's flush. */
export const frameReplySchema = z.union([
  z.object({
    ok: z.literal(true),
    ack: coverageSchema,
    credit: z.number().int().min(0),
    creditBytes: count.optional(),
  }),
  refusal,
]);
export type FrameReply = z.infer<typeof frameReplySchema>;

/**
 * Of an agent's journal. `full`: less than the quota can be used. `failing`: the last commit failed, and not because
 * the disk is full; nothing is sampled until one succeeds. `absent`: the journal is in memory, and ends with the
 * process.
 */
export const DISK_STATES = ['good', 'full', 'failing', 'absent'] as const;
export type DiskState = (typeof DISK_STATES)[number];

/** What the agent knows of its link. */
export const linkReportSchema = z.object({
  rate: notNegative
    .nullable()
    .describe('estimated delivery rate, bytes a second; null before the first estimate'),
  minRttMs: notNegative.nullable().describe('least round trip of late'),
  queueMs: notNegative.nullable().describe('queueing delay beyond it'),
  bytesToday: count.optional().describe('bytes of the socket, both ways, in this day of the data budget'),
  bytesMonth: count.optional().describe('the same in this month'),
  budgetLeft: count
    .optional()
    .describe(
      'bytes that the data budget has left, of the day or the month, whichever is less. Absent: no budget',
    ),
  caughtUpMs: notNegative
    .nullable()
    .optional()
    .describe('estimated time until the backlog is delivered; 0: it is; null: unknown'),
  caughtUpLowMs: notNegative
    .optional()
    .describe('the same at the rate of the fast minutes of the last ten, or passes of the last six'),
  caughtUpHighMs: notNegative.optional().describe('the same at the rate of the slow ones'),
  never: z.boolean().optional().describe('at the present rates the backlog is never delivered'),
  live: count.describe('live frames in flight'),
  backlog: count.describe('backlog frames in flight'),
  paused: z
    .string()
    .max(200)
    .optional()
    .describe(
      'why frames wait: what HQ refused them with, `breaker_open`, `budget_day` or `budget_month` (the data budget is used up), `live_first` (what is left of it is for live samples: backlog waits), `window` (backlog waits for its hours), `way` (backlog waits for a way that may carry it). Absent: they do not',
    ),
  pausedUntil: millis.optional().describe("when that ends, by the agent's clock. Absent: not known"),
});
export type LinkReport = z.infer<typeof linkReportSchema>;

const MAX_REASONS = 64;
/** Looked at before the entries are, of which a client may send any number. */
function hasFewKeys(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  let keys = 0;
  for (const _key in value) if (++keys > MAX_REASONS) return false;
  return true;
}

export const heartbeatSchema = z.object({
  ts: millis,
  state: z.enum(AGENT_STATES),
  breaker: z.enum(BREAKER_STATES),
  sampled: count,
  released: count,
  /** Samples and bytes in the journal that HQ has not acked. */
  pending: count,
  pendingBytes: count,
  /** Those of the pending ones of which only buckets are left; absent: none. */
  thinned: count.optional(),
  /** Samples lost at the agent, by gap reason. */
  dropped: z
    .custom<object>(hasFewKeys, 'more reasons than there are')
    .pipe(z.record(z.string().max(32), count)),
  /** How the disk of the journal is; absent: it does not say. */
  disk: z.enum(DISK_STATES).optional(),
  /** Age of the oldest unacked sample, ms; 0 when none. */
  lagMs: z.number().min(0),
  /** Smoothed round trip of acks, ms; null before the first. */
  rttMs: z.number().min(0).nullable(),
  /** How the link is; absent: as it was, or the agent does not say. */
  link: linkReportSchema.optional(),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;
export const heartbeatReplySchema = z.union([
  z.object({
    ok: z.literal(true),
    hqTs: millis,
    ack: coverageSchema,
    /** Whether HQ's storage takes commits, as far as it knows. Absent: it does not say. */
    storing: z.boolean().optional(),
    /** Absent: as HQ last said on this connection. */
    reconnectMs: reconnectSchema.optional(),
  }),
  refusal,
]);
export type HeartbeatReply = z.infer<typeof heartbeatReplySchema>;

export const goodbyeSchema = z.object({ reason: z.string().max(200) });
export type Goodbye = z.infer<typeof goodbyeSchema>;

export const creditSchema = z.object({
  frames: z.number().int().min(0).max(1024),
  /** Backlog bytes that may be in flight; absent: no word about bytes. */
  creditBytes: count.optional(),
});
export type Credit = z.infer<typeof creditSchema>;

/** Somebody else claims to be this agent, and was refused. */
export const conflictSchema = z.object({
  /** For people. */
  message: z.string().max(1000),
});
export type Conflict = z.infer<typeof conflictSchema>;

/** `/agents`, HQ to agent. */
export type HqToAgentEvents = {
  credit: (credit: Credit) => void;
  conflict: (conflict: Conflict) => void;
  /** Asks a connection whether it still lives, before its lease is given to another. */
  probe: (reply: (answer: { instance: string }) => void) => void;
};
