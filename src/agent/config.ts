/**
 * Settings of an agent: one schema that carries default, unit, minimum and meaning of each, and the relations between
 * them.
 */
import { z } from 'zod';
import { OVERFLOW_POLICIES } from '../journal/port.ts';
import { LOG_LEVELS } from '../platform/logger.ts';
import { kindOf, shown } from '../platform/plain-error.ts';
import { MAX_FRAME_BYTES } from '../protocol/frame.ts';
import { agentIdSchema } from '../protocol/sample.ts';
import { agentLabelsSchema } from './labels.ts';
import { DETECTION_CHOICES } from './pipeline/detect.ts';
import { limitsProblems } from './pipeline/diagnose/parse-limits.ts';
import { givenSourceSchema, sourceProblems } from './sources/spec.ts';
import { addressProblem } from './uplink/hq-address.ts';
import { MAX_LANES } from './uplink/link.ts';
import { budgetProblems, LEAST_BUDGET_BYTES } from './uplink/metering/budget-problems.ts';
import { TRANSPORTS } from './uplink/transports/transport.ts';
import { parseRoute, type Route, wayProblems } from './uplink/ways/configured-ways.ts';

export const PRESET_NAMES = ['lan', 'lte', 'satellite', 'at-sea', 'remote-edge', 'multi-cloud'] as const;
export type PresetName = (typeof PRESET_NAMES)[number];

/** What a setting is about, for the generated documentation. */
type Meaning = {
  readonly description: string;
  readonly unit?: 'ms' | 'By' | 'By/s' | '1';
  /** What a value other than 0 has to be at least; `checkAgentConfig` says so. */
  readonly leastUnlessZero?: number;
};
const MEBIBYTE = 1024 * 1024;
const DAY_MS = 86_400_000;

function whole(meaning: Meaning, bounds: { default: number; minimum: number; maximum: number }) {
  return z.int().min(bounds.minimum).max(bounds.maximum).default(bounds.default).meta(meaning);
}
function real(meaning: Meaning, bounds: { default: number; minimum: number; maximum: number }) {
  return z.number().min(bounds.minimum).max(bounds.maximum).default(bounds.default).meta(meaning);
}

const journalConfigSchema = z.strictObject({
  commitMs: whole(
    {
      description: 'Samples gather this long for one durable commit; 0 commits each sample by itself.',
      unit: 'ms',
    },
    { default: 200, minimum: 0, maximum: 60_000 },
  ),
  maxBytes: whole(
    {
      description:
        'Most bytes that the records of the journal may take before the overflow policy works; what the file keeps free for reuse comes on top.',
      unit: 'By',
    },
    { default: 1024 * MEBIBYTE, minimum: 2_000_000, maximum: 2 ** 48 },
  ),
  overflow: z.enum(OVERFLOW_POLICIES).default('thin').meta({
    description:
      'What a full journal does: thin keeps min, max, mean and count of ever longer stretches of the oldest samples, and anomalies whole; drop-oldest gives up the oldest samples, drop-newest refuses new ones, block stops sampling.',
  }),
});

const MAX_WAYS = 8;

/** A union says of itself only that nothing fits. */
function hqError({ input }: z.core.$ZodRawIssue): string {
  if (Array.isArray(input) && input.every((item) => typeof item === 'string'))
    return `expected one to ${MAX_WAYS} addresses, got ${input.length === 0 ? 'none' : input.length}`;
  const odd = Array.isArray(input) ? input.find((item) => typeof item !== 'string') : input;
  const given = Array.isArray(input) ? `a list with ${kindOf(odd)} in it` : kindOf(odd);
  return `expected an address such as https://hq.example:8000, or a list of addresses, got ${given}`;
}
function routeError({ input }: z.core.$ZodRawIssue): string {
  const expected = `expected {url: ADDRESS, maxLane: ${MAX_LANES.join('|')}}, or ADDRESS,maxLane=live`;
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return `${expected}, got ${kindOf(input)}`;
  const { url, maxLane, ...others } = input as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) return `${expected}; it has no ${shown(other)}`;
  if (typeof url !== 'string') return `${expected}; url is ${url === undefined ? 'missing' : kindOf(url)}`;
  return `${expected}; maxLane is ${typeof maxLane === 'string' ? shown(maxLane) : kindOf(maxLane)}`;
}

/** One address or several; a list of one is that one. */
const hqSchema = z
  .union([z.string(), z.array(z.string()).min(1, { error: hqError }).max(MAX_WAYS, { error: hqError })], {
    error: hqError,
  })
  .superRefine((value, context) => {
    for (const text of typeof value === 'string' ? [value] : value) {
      const problem = addressProblem(text);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    }
  })
  .transform((value) => {
    const [first, ...others] = typeof value === 'string' ? [value] : value;
    return first !== undefined && others.length === 0 ? first : value;
  });

/** As one text, or with its parts. */
const routeSchema = z
  .union(
    [
      z.string(),
      z.strictObject(
        { url: z.string(), maxLane: z.enum(MAX_LANES).default('backlog') },
        { error: routeError },
      ),
    ],
    { error: routeError },
  )
  .transform((value, context): Route => {
    const read = parseRoute(typeof value === 'string' ? value : `${value.url},maxLane=${value.maxLane}`);
    if ('route' in read) return read.route;
    context.addIssue({ code: 'custom', message: read.problem });
    return z.NEVER;
  });

const uplinkConfigSchema = z.strictObject({
  backoffInitialMs: whole(
    { description: 'Upper bound of the first wait before a reconnection; doubles each time.', unit: 'ms' },
    { default: 1_000, minimum: 10, maximum: DAY_MS },
  ),
  backoffMaxMs: whole(
    {
      description:
        'Within this time of HQ being there again an agent is back, connecting included; each wait is chance below nine tenths of it.',
      unit: 'ms',
    },
    { default: 60_000, minimum: 10, maximum: DAY_MS },
  ),
  connectTimeoutMs: whole(
    { description: 'How long connecting, and the hello after it, may take each.', unit: 'ms' },
    { default: 10_000, minimum: 100, maximum: 3_600_000 },
  ),
  ackTimeoutMs: whole(
    {
      description: 'How long HQ may take to confirm a frame before the connection counts as dead.',
      unit: 'ms',
    },
    { default: 10_000, minimum: 100, maximum: 3_600_000 },
  ),
  breakerFailures: whole(
    { description: 'Consecutive failed frames that open the circuit breaker.', unit: '1' },
    { default: 5, minimum: 1, maximum: 1_000 },
  ),
  breakerOpenMs: whole(
    {
      description:
        'How long an open circuit breaker sends no frames, unless HQ goes and comes back, or says that it can store again.',
      unit: 'ms',
    },
    { default: 60_000, minimum: 100, maximum: DAY_MS },
  ),
  breakerProbes: whole(
    { description: 'Frames that may go out, and must succeed, while the breaker is half open.', unit: '1' },
    { default: 2, minimum: 1, maximum: 100 },
  ),
  liveLingerMs: whole(
    {
      description: 'When live frames are made faster than HQ confirms them, they are merged for this long.',
      unit: 'ms',
    },
    { default: 100, minimum: 0, maximum: 60_000 },
  ),
  queueTargetMs: whole(
    {
      description:
        'Queueing delay that the backlog may cause on the link: what is in flight is bounded by its rate and this beyond its round trip. Live frames wait that much longer.',
      unit: 'ms',
    },
    { default: 250, minimum: 10, maximum: 60_000 },
  ),
  maxInFlight: whole(
    {
      description: 'Most backlog frames without confirmation, which bounds memory; HQ may allow fewer.',
      unit: '1',
    },
    { default: 8, minimum: 1, maximum: 256 },
  ),
  heartbeatMs: whole(
    { description: 'Time between heartbeats.', unit: 'ms' },
    { default: 5_000, minimum: 100, maximum: 3_600_000 },
  ),
  maxBytesPerSecond: whole(
    { description: 'Budget of the backlog; live frames are outside of it; 0 sets no limit.', unit: 'By/s' },
    { default: 0, minimum: 0, maximum: 2 ** 40 },
  ),
  maxBytesPerDay: whole(
    {
      description:
        'Most bytes that the link may carry a day, both ways, heartbeats and handshakes included; live samples and anomalies go first, a tenth is kept for anomalies and a hello each hour; 0 sets no limit.',
      unit: 'By',
      leastUnlessZero: LEAST_BUDGET_BYTES,
    },
    { default: 0, minimum: 0, maximum: 2 ** 50 },
  ),
  maxBytesPerMonth: whole(
    {
      description: 'The same for a calendar month; both hold; 0 sets no limit.',
      unit: 'By',
      leastUnlessZero: LEAST_BUDGET_BYTES,
    },
    { default: 0, minimum: 0, maximum: 2 ** 50 },
  ),
  budgetZone: z.string().min(1).max(64).default('UTC').meta({
    description:
      'Time zone of those days and months, and of uplink.windows: a name of the IANA database such as Europe/Vienna.',
  }),
  routes: z.array(routeSchema).max(MAX_WAYS).default([]).meta({
    description:
      'Further ways to the same HQ, after those of hq: {url, maxLane} or ADDRESS,maxLane=live. maxLane keeps lanes off an expensive way: live carries only fresh samples, anomalies also older ones with anomalies, backlog everything. A route to an address of hq sets its maxLane.',
  }),
  returnAfterMs: whole(
    {
      description:
        'How long a better way must answer before the connection goes back to it; doubles, up to eight times, each time that it is lost again within that time.',
      unit: 'ms',
    },
    { default: 120_000, minimum: 400, maximum: DAY_MS },
  ),
  transport: z.enum(TRANSPORTS).default('websocket').meta({
    description:
      'How the bytes of the link travel. polling: by HTTP requests only, which costs more bytes and round trips; auto: by WebSocket, and by polling where something on the way blocks WebSockets, which is looked at again each hour.',
  }),
  windows: z.array(z.string().min(1).max(200)).max(64).default([]).meta({
    description:
      'Hours at which backlog may go, one text each, such as 22:00-06:00 or mon-fri 22:00-06:00; without any, at all hours. Live samples and anomalies go at all hours.',
  }),
});

const detectConfigSchema = z.strictObject({
  method: z.enum(DETECTION_CHOICES).default('auto').meta({
    description:
      'How anomalies are found. zscore: each value against the window before it. adaptive: a short mean against what is usual for it, with a threshold that is learned. auto: zscore, and for source host zscore of means of 10 s.',
  }),
  threshold: real(
    { description: 'A value whose z-score lies further than this from 0 opens an anomaly.', unit: '1' },
    { default: 3, minimum: 0.1, maximum: 1_000 },
  ),
  meanThreshold: real(
    {
      description: 'The same where means are judged: method auto, source host.',
      unit: '1',
    },
    { default: 4, minimum: 0.1, maximum: 1_000 },
  ),
  clearThreshold: real(
    { description: 'The anomaly closes when the z-score is no further than this from 0 again.', unit: '1' },
    { default: 2, minimum: 0, maximum: 1_000 },
  ),
  window: whole(
    { description: 'Samples of a series that its mean and standard deviation are taken over.', unit: '1' },
    { default: 300, minimum: 2, maximum: 1_000_000 },
  ),
  warmUp: whole(
    { description: 'Samples of a series before the first anomaly can be found in it.', unit: '1' },
    { default: 30, minimum: 2, maximum: 1_000_000 },
  ),
  rate: real(
    {
      description:
        'Method adaptive: share of the values of a series that may lie beyond the threshold that is learned for it.',
      unit: '1',
    },
    { default: 0.001, minimum: 1e-7, maximum: 0.01 },
  ),
  limits: z.array(z.string().min(1).max(1000)).max(1000).default([]).meta({
    description:
      'What is normal for series, one text each: sim.sensor*:min=0,max=100,railLow=0,railHigh=100,stuckAfterMs=60000; the first that matches counts.',
  }),
});

export const agentConfigSchema = z.strictObject({
  hq: hqSchema.prefault('http://127.0.0.1:8000').meta({
    description:
      'Address of HQ, http: or https:; a path is kept. A user and a password in it are refused: use tokenFile. Several are ways to the same HQ, best first; in the environment a space or a comma separates them.',
    separator: '[\\s,;]+',
  }),
  id: agentIdSchema.optional().meta({
    description:
      'Name of this agent; without it the host name, else a random name that is kept in the data directory.',
  }),
  labels: agentLabelsSchema.prefault([]).meta({
    description:
      'What people choose this agent by at HQ, one text each, such as site=nord; in a file also a map, such as {site: nord}. 32 at most.',
  }),
  dataDir: z
    .string()
    .min(1)
    .default('./holdfast-data/agent')
    .meta({ description: 'Directory of the journal, made when absent. Must be a local file system.' }),
  sharedDataDir: z.boolean().default(false).meta({
    description:
      'Whether several agents share dataDir: each takes the first folder agent-1, agent-2 … in it that no other uses, with the journal and the id in it. For containers that are scaled.',
  }),
  token: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .meta({
      description:
        'Secret that HQ asks of agents. HOLDFAST_AGENT_TOKEN, which is its name at HQ, is taken too where no token is given otherwise.',
      secret: true,
      fallback: { variable: 'HOLDFAST_AGENT_TOKEN', unless: ['tokenFile'] },
    }),
  tokenFile: z
    .string()
    .min(1)
    .optional()
    .meta({
      description:
        'File that holds the token, read at each connection; white space around it does not count. Instead of token, which others may read in the list of processes. HOLDFAST_AGENT_TOKEN_FILE, which is its name at HQ, is taken too.',
      fallback: { variable: 'HOLDFAST_AGENT_TOKEN_FILE', unless: ['token'] },
    }),
  source: z.array(givenSourceSchema).min(1).default(['host:every=1s']).meta({
    description:
      'What to sample, one text per source, such as host:every=1s or sim:hz=10; in a file also a map, such as {kind: host, every: 1s}.',
  }),
  preset: z
    .enum(PRESET_NAMES)
    .default('lan')
    .meta({ description: 'Defaults for a kind of network; every setting still overrides them.' }),
  healthHost: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .meta({ description: 'Address that the health page listens on.' }),
  healthPort: whole(
    { description: 'Port of the health page; 0 takes any free one.', unit: '1' },
    { default: 0, minimum: 0, maximum: 65_535 },
  ),
  logLevel: z
    .enum(LOG_LEVELS)
    .default('info')
    .meta({ description: 'Least level of the lines that are logged.' }),
  journal: journalConfigSchema.prefault({}),
  uplink: uplinkConfigSchema.prefault({}),
  detect: detectConfigSchema.prefault({}),
});

/** Every setting of an agent, defaults filled in. */
export type AgentConfig = z.infer<typeof agentConfigSchema>;

/** Frames that must fit the journal, or the overflow policy would eat what was just written. */
const MIN_QUOTA_FRAMES = 4;

/** Sentences about settings that contradict each other; empty when all is well. */
export function checkAgentConfig(config: AgentConfig): string[] {
  const { journal, uplink, detect } = config;
  const problems = sourceProblems(config.source);
  if (journal.maxBytes <= MIN_QUOTA_FRAMES * MAX_FRAME_BYTES)
    problems.push(
      `journal.maxBytes (${journal.maxBytes}) must exceed ${MIN_QUOTA_FRAMES} frames of ${MAX_FRAME_BYTES} bytes.`,
    );
  if (uplink.ackTimeoutMs >= uplink.breakerOpenMs)
    problems.push(
      `uplink.ackTimeoutMs (${uplink.ackTimeoutMs}) must be shorter than uplink.breakerOpenMs (${uplink.breakerOpenMs}), or the breaker closes before its last failure is known.`,
    );
  if (uplink.backoffInitialMs > uplink.backoffMaxMs)
    problems.push(
      `uplink.backoffInitialMs (${uplink.backoffInitialMs}) must not exceed uplink.backoffMaxMs (${uplink.backoffMaxMs}).`,
    );
  if (uplink.liveLingerMs >= uplink.ackTimeoutMs)
    problems.push(
      `uplink.liveLingerMs (${uplink.liveLingerMs}) must be shorter than uplink.ackTimeoutMs (${uplink.ackTimeoutMs}).`,
    );
  if (uplink.maxBytesPerSecond > 0 && uplink.maxBytesPerSecond * 60 < MAX_FRAME_BYTES)
    problems.push(
      `uplink.maxBytesPerSecond (${uplink.maxBytesPerSecond}) is so low that one frame of ${MAX_FRAME_BYTES} bytes takes over a minute.`,
    );
  problems.push(...wayProblems(config), ...budgetProblems(uplink));
  if (config.token !== undefined && config.tokenFile !== undefined)
    problems.push('token and tokenFile are both set; only one of them can hold the token.');
  if (config.sharedDataDir && config.id !== undefined)
    problems.push(
      'id and sharedDataDir are both set; agents that share a directory each have an id of their own.',
    );
  if (detect.clearThreshold > detect.threshold)
    problems.push(
      `detect.clearThreshold (${detect.clearThreshold}) must not exceed detect.threshold (${detect.threshold}), or an anomaly would open and close at once.`,
    );
  if (detect.clearThreshold > detect.meanThreshold)
    problems.push(
      `detect.clearThreshold (${detect.clearThreshold}) must not exceed detect.meanThreshold (${detect.meanThreshold}), or an anomaly of a mean would open and close at once.`,
    );
  if (detect.warmUp > detect.window)
    problems.push(
      `detect.warmUp (${detect.warmUp}) must not exceed detect.window (${detect.window}), or no anomaly is ever found.`,
    );
  problems.push(...limitsProblems(detect.limits));
  return problems;
}
