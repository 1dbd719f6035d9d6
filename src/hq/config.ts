/** Settings of HQ: every leaf with its unit, default and bounds. */
import { z } from 'zod';
import { LOG_LEVELS } from '../platform/logger.ts';
import { CHAOS_MODES } from '../protocol/api.ts';
import { MAX_FRAME_BYTES, MAX_FRAME_SAMPLES } from '../protocol/frame.ts';
import { MAX_TS } from '../protocol/sample.ts';
import { isLoopback } from './access.ts';
import { MAX_SCHEMAS } from './ingest/core/known-series.ts';
import { MAX_AHEAD_MS } from './store/clock-ahead.ts';
import { MAX_EPISODES } from './store/episode-retention.ts';
import { MAX_KEYS } from './store/key-counts.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

const text = (description: string, fallback: string) =>
  z.string().max(4096).default(fallback).describe(description);
const whole = (description: string, fallback: number, minimum: number, maximum: number) =>
  z.int().min(minimum).max(maximum).default(fallback).describe(description);

const limitsSchema = z
  .strictObject({
    maxFrameBytes: whole('largest encoded frame that HQ takes, bytes', MAX_FRAME_BYTES, KIB, 16 * MIB),
    maxFrameSamples: whole('most samples in one frame', MAX_FRAME_SAMPLES, 1, MAX_FRAME_SAMPLES),
    maxSeries: whole(
      'most distinct series of one agent, counted for each of its sources',
      10_000,
      1,
      1_000_000,
    ),
    maxSchemas: whole(
      'most schemas of one agent: sets of series that it measures at once, again after each reboot; HQ keeps them for as long as samples need them',
      MAX_SCHEMAS,
      16,
      1_000_000,
    ),
    maxIdempotencyKeys: whole(
      'most HTTP deliveries of one agent that HQ remembers at once, each for dedupTtlMs; one more is answered 429',
      MAX_KEYS,
      100,
      100_000_000,
    ),
    maxBytesPerAgent: whole(
      'what the samples of one agent may take of the storage, bytes; beyond it its oldest are removed, with an alarm. 0: a quarter of retention.maxBytes, and only while the storage is full',
      0,
      0,
      2 ** 50,
    ),
    maxAnomalies: whole(
      'most anomaly episodes of one agent that HQ keeps; beyond it the oldest are removed',
      MAX_EPISODES,
      100,
      10_000_000,
    ),
    maxAgents: whole('most agents that HQ gets to know', 20_000, 1, 1_000_000),
    creditFrames: whole('backlog frames that one agent may have in flight', 8, 1, 1024),
    drainSlots: whole(
      'agents that may drain a backlog at once at full speed, of slow ones more; the others have their turn later',
      64,
      1,
      1024,
    ),
    framesPerSecond: whole('frames that one agent may send a second, averaged over 10 s', 2_000, 1, 100_000),
    liveFramesPerSecond: whole(
      'live frames that one agent may send a second, averaged over 2 s',
      500,
      1,
      100_000,
    ),
    bytesPerSecond: whole(
      'bytes of frames that one agent may send a second, averaged over 4 s',
      64 * MIB,
      KIB,
      16 * GIB,
    ),
    bodyBytes: whole(
      'largest body of an HTTP request, bytes, as sent and when inflated',
      4 * MIB,
      KIB,
      8 * MIB,
    ),
    bodyBytesAtOnce: whole(
      'bytes of HTTP bodies that HQ holds at once, until they are answered; beyond it the largest request of the address that holds most is closed',
      64 * MIB,
      8 * MIB,
      GIB,
    ),
    recordsPerRequest: whole('most records in one POST /telemetry', 10_000, 1, 1_000_000),
    requestsPerMinute: whole('HTTP requests that one address may make a minute', 6_000, 1, 10_000_000),
    ingestInFlight: whole('HTTP deliveries that may be under way at once', 256, 1, 10_000),
    maxConnections: whole('most connections of all kinds at once', 20_000, 16, 1_000_000),
    maxConnectionsPerAddress: whole(
      'most connections of one address (a /64 of IPv6) at once, 16 or more; 0: half of what HQ takes in all; behind proxies (trustProxy) those of agents and dashboards',
      0,
      0,
      1_000_000,
    ),
    maxPendingRequests: whole(
      'most HTTP requests at once that have not arrived whole; beyond it the slowest are closed',
      2_000,
      16,
      1_000_000,
    ),
    maxPendingHellos: whole(
      'most connections at once that have not joined, and as many agents that have not said hello; beyond it the slowest are closed',
      5_000,
      16,
      1_000_000,
    ),
    leastBytesPerSecond: whole(
      'bytes a second, on average, below which a request, join or hello that has not arrived whole is closed',
      5,
      1,
      100_000,
    ),
    reconnectsPerSecond: whole(
      'reconnects of all agents together a second, at most, give or take chance; from it HQ tells agents how long to spread theirs',
      100,
      1,
      100_000,
    ),
    maxDashboards: whole('most dashboards at once', 200, 1, 10_000),
    maxEvents: whole(
      'events (states, links, alarms) that HQ keeps of one agent, at most; beyond it the oldest are removed',
      2_000,
      50,
      1_000_000,
    ),
    readTimeoutMs: whole(
      'how long a request may wait and read in the storage before HQ gives it up with 504, ms',
      30_000,
      100,
      600_000,
    ),
    bucketsPerQuery: whole('most buckets in one answer, over all of its series', 100_000, 100, 1_000_000),
    readBytesAtOnce: whole(
      'memory that answers of reads may take at once, estimated, bytes; beyond it they wait for their turn, and one client has half of it',
      256 * MIB,
      16 * MIB,
      64 * GIB,
    ),
    maxStreams: whole('most clients of /api/v1/ws/telemetry at once', 1_000, 1, 100_000),
    maxClockAheadMs: whole(
      "how far the time of a sample may be ahead of HQ's clock, ms; beyond it HTTP answers 422, and samples of agents are kept, marked `ahead`, and not taken for the latest",
      MAX_AHEAD_MS,
      1_000,
      MAX_TS,
    ),
  })
  .prefault({});

const rollupDays = (width: string, days: number) =>
  z
    .number()
    .min(0.05)
    .max(36_500)
    .default(days)
    .describe(`age at which rollups by ${width} are removed, days; those by 1 day are kept`);

const retentionSchema = z
  .strictObject({
    rawDays: z
      .number()
      .min(0.001)
      .max(36_500)
      .default(30)
      .describe('age at which raw samples, records of gaps and anomaly episodes are removed, days'),
    eventDays: z
      .number()
      .min(0.001)
      .max(36_500)
      .default(400)
      .describe('age at which events of agents (states, links, alarms) are removed, days'),
    rollupTenSecondsDays: rollupDays('10 s', 7),
    rollupMinutesDays: rollupDays('1 min', 30),
    rollupHoursDays: rollupDays('1 h', 400),
    maxBytes: whole(
      "size of HQ's storage at which the oldest raw samples are removed, and records of gaps before them, bytes",
      20 * GIB,
      16 * MIB,
      2 ** 50,
    ),
  })
  .prefault({});

const socketSchema = z
  .strictObject({
    pingIntervalMs: whole('how often HQ asks a connection whether it lives, ms', 10_000, 100, 600_000),
    pingTimeoutMs: whole('silence after a ping at which the connection is closed, ms', 8_000, 100, 600_000),
    connectTimeoutMs: whole(
      'how long nothing may come of a connection that has not joined a namespace, ms',
      5_000,
      100,
      60_000,
    ),
  })
  .prefault({});

const dashboardSchema = z
  .strictObject({
    dir: text('folder of the built dashboard; empty: the one that comes with Holdfast', ''),
    updateMs: whole('shortest time between two updates of one dashboard, ms', 250, 250, 60_000),
    stallMs: whole('how long a dashboard may take nothing before it is cut off, ms', 10_000, 250, 600_000),
  })
  .prefault({});

const backupSchema = z
  .strictObject({
    dir: text('folder in which backups are made that are asked for over HTTP; empty: none are', ''),
  })
  .prefault({});

export const hqConfigSchema = z.strictObject({
  host: text('address to listen on; beyond loopback both tokens are needed', '127.0.0.1'),
  port: whole('port to listen on; 0 picks a free one', 8000, 0, 65_535),
  dataDir: text("folder of HQ's storage; made when missing", './data/hq'),
  chaos: z
    .enum(CHAOS_MODES)
    .default('off')
    .describe('what HQ does to its own link; anything but off also enables chaos'),
  chaosEnabled: z.boolean().default(false).describe('whether the chaos mode may be changed while HQ runs'),
  agentToken: text('token that agents must show; empty: none', '').meta({ secret: true }),
  operatorToken: text('token that the dashboard and users of the API must show; empty: none', '').meta({
    secret: true,
  }),
  agentTokenFile: text('file that holds agentToken, read at the start', ''),
  operatorTokenFile: text('file that holds operatorToken, read at the start', ''),
  allowAnonymous: z.boolean().default(false).describe('listen beyond loopback without tokens'),
  allowedHosts: z
    .array(z.string().min(1).max(253))
    .max(100)
    .default([])
    .describe('names under which HQ answers readers that need no token, besides IP addresses and localhost'),
  corsOrigins: z
    .array(z.string().min(1).max(300))
    .max(100)
    .default([])
    .describe('origins of other web pages that may use the API with the operator token'),
  trustProxy: z
    .boolean()
    .default(false)
    .describe('take the address of a client from X-Forwarded-For; only behind a proxy that sets it'),
  trustedProxies: whole(
    'with trustProxy: how many proxies stand before HQ, each of which adds to X-Forwarded-For',
    1,
    1,
    10,
  ),
  logLevel: z.enum(LOG_LEVELS).default('info').describe('least important log line that is written'),
  dedupTtlMs: whole(
    'how long an HTTP delivery is remembered, so that its repetition is stored once, ms',
    86_400_000,
    1000,
    30 * 86_400_000,
  ),
  stopTimeoutMs: whole('longest time that an ordered stop takes, ms', 30_000, 1000, 600_000),
  limits: limitsSchema,
  retention: retentionSchema,
  socket: socketSchema,
  dashboard: dashboardSchema,
  backup: backupSchema,
});

export type HqConfig = z.infer<typeof hqConfigSchema>;

/** How many proxies are believed about the address of a client. */
export const trustedProxiesOf = ({ trustProxy, trustedProxies }: HqConfig): number =>
  trustProxy ? trustedProxies : 0;

const LEAST_TOKEN = 8;

/** Beyond loopback anybody may guess; and what is no visible ASCII does not get through an HTTP header. */
function tokenProblems({ host, agentToken, operatorToken }: HqConfig): string[] {
  if (isLoopback(host)) return [];
  return Object.entries({ agentToken, operatorToken }).flatMap(([name, token]) => {
    if (token === '') return [];
    if (!/^[!-~]+$/.test(token))
      return [`${name} must consist of letters, digits and signs of ASCII, without spaces`];
    return token.length < LEAST_TOKEN
      ? [`${name} must have at least ${LEAST_TOKEN} characters where other machines reach HQ, better 32`]
      : [];
  });
}

/** Relations between settings that a single leaf cannot state; each string says what is wrong and what to do. */
export function checkHqConfig(config: HqConfig): string[] {
  const problems: string[] = [];
  const isOpen = !isLoopback(config.host) && !config.allowAnonymous;
  for (const role of ['agent', 'operator'] as const) {
    if (!isOpen || config[`${role}Token`] !== '' || config[`${role}TokenFile`] !== '') continue;
    problems.push(
      `host ${config.host} can be reached from other machines: set ${role}Token (HOLDFAST_${role.toUpperCase()}_TOKEN or --${role}-token-file), or allowAnonymous (--allow-anonymous) if everyone there may read and write`,
    );
  }
  problems.push(...tokenProblems(config));
  if (config.agentToken !== '' && config.agentToken === config.operatorToken) {
    problems.push('agentToken and operatorToken must differ: every agent could act as an operator');
  }
  if (config.corsOrigins.length > 0 && config.operatorToken === '' && config.operatorTokenFile === '') {
    problems.push('corsOrigins needs operatorToken: other web pages could act without one');
  }
  for (const [index, origin] of config.corsOrigins.entries()) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      problems.push(
        `corsOrigins.${index} is no origin: expected scheme, host and port alone, such as https://pages.example.net`,
      );
  }
  for (const [index, host] of config.allowedHosts.entries()) {
    if (!/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(host))
      problems.push(
        `allowedHosts.${index} is no name of a host: expected one such as hq.example.net, without scheme and port`,
      );
  }
  const { maxConnectionsPerAddress } = config.limits;
  if (maxConnectionsPerAddress > 0 && maxConnectionsPerAddress < 16) {
    problems.push(
      `limits.maxConnectionsPerAddress (${maxConnectionsPerAddress}) must be 16 or more, or 0 for half of what HQ takes in all`,
    );
  }
  if (config.retention.maxBytes < 64 * config.limits.maxFrameBytes) {
    problems.push(
      `retention.maxBytes (${config.retention.maxBytes}) must hold at least 64 frames of limits.maxFrameBytes (${config.limits.maxFrameBytes})`,
    );
  }
  const { maxBytesPerAgent, maxFrameBytes } = config.limits;
  if (maxBytesPerAgent > 0 && maxBytesPerAgent < 16 * maxFrameBytes) {
    problems.push(
      `limits.maxBytesPerAgent (${maxBytesPerAgent}) must hold at least 16 frames of limits.maxFrameBytes (${maxFrameBytes}), or be 0`,
    );
  }
  if (config.socket.pingTimeoutMs >= 2 * config.socket.pingIntervalMs) {
    problems.push(
      `socket.pingTimeoutMs (${config.socket.pingTimeoutMs}) must be less than twice socket.pingIntervalMs (${config.socket.pingIntervalMs})`,
    );
  }
  if (config.dashboard.stallMs < config.dashboard.updateMs) {
    problems.push(
      `dashboard.stallMs (${config.dashboard.stallMs}) must not be less than dashboard.updateMs (${config.dashboard.updateMs})`,
    );
  }
  return problems;
}
