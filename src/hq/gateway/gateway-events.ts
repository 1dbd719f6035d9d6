/** What the gateway tells of itself. */
import { defineEvent } from '../../platform/telemetry.ts';
import type { SetLabels } from '../../protocol/labels.ts';
import { halfOpenEvents } from '../half-open-events.ts';
import type { AgentCounts } from '../store/store.ts';

/** Of agents and dashboards together; what most have never more of. */
const FEW_CONNECTIONS = 900;

export const gatewayEvents = {
  ...halfOpenEvents,
  http_request: defineEvent<{ method: string; route: string; status: number; durationMs: number }>({
    level: 'debug',
    message: 'request answered',
    metrics: [
      {
        name: 'holdfast_http_request_duration_seconds',
        kind: 'histogram',
        help: 'Time from a request of the HTTP API to its answer, by route and status.',
        value: ({ durationMs }) => durationMs / 1000,
        labelNames: ['method', 'route', 'status'],
        labels: ({ method, route, status }) => ({ method, route, status: String(status) }),
        buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
      },
    ],
  }),
  http_delivery: defineEvent<{
    endpoint: string;
    accepted: number;
    duplicate: boolean;
    expired: number;
    messageIds?: readonly string[];
    traceparent?: string;
    traceId?: string;
    sampled?: boolean;
  }>({
    // Who records a trace looks for its lines.
    level: ({ sampled }) => (sampled === true ? 'info' : 'debug'),
    message: 'samples delivered over HTTP',
    metrics: [
      {
        name: 'holdfast_http_samples_total',
        kind: 'counter',
        help: 'Samples stored that came over HTTP.',
        value: ({ accepted }) => accepted,
        labelNames: ['endpoint'],
        labels: ({ endpoint }) => ({ endpoint }),
      },
      {
        name: 'holdfast_http_duplicate_deliveries_total',
        kind: 'counter',
        help: 'Deliveries over HTTP that had been stored before.',
        value: ({ duplicate }) => (duplicate ? 1 : 0),
        labelNames: ['endpoint'],
        labels: ({ endpoint }) => ({ endpoint }),
      },
      {
        name: 'holdfast_http_expired_records_total',
        kind: 'counter',
        help: 'Records that came over HTTP after their expiresAt, and are not stored.',
        value: ({ expired }) => expired,
        labelNames: ['endpoint'],
        labels: ({ endpoint }) => ({ endpoint }),
      },
    ],
  }),
  access_refused: defineEvent<{
    role: string;
    reason: 'token' | 'host' | 'origin';
    address: string;
    where: string;
  }>({
    level: 'debug',
    message: 'access refused',
    metrics: [
      {
        name: 'holdfast_access_refusals_total',
        kind: 'counter',
        help: 'Requests and connections refused for their token, host or origin.',
        labelNames: ['role', 'reason'],
        labels: ({ role, reason }) => ({ role, reason }),
      },
    ],
  }),
  connection_refused: defineEvent<{ reason: 'all' | 'address'; address: string }>({
    level: 'warn',
    message: 'connection refused: there are too many, in all or of this address',
    metrics: [
      {
        name: 'holdfast_hq_refused_connections_total',
        kind: 'counter',
        help: 'Connections refused because there are too many, in all or of one address.',
        labelNames: ['reason'],
        labels: ({ reason }) => ({ reason }),
      },
    ],
  }),
  no_request: defineEvent<{ status: string }>({
    level: 'debug',
    message: 'what came never became a request',
    metrics: [
      {
        name: 'holdfast_http_malformed_requests_total',
        kind: 'counter',
        help: 'What never became a request, by the status of the answer; closed: more came after the answer.',
        labelNames: ['status'],
        labels: ({ status }) => ({ status }),
      },
    ],
  }),
  message_too_long: defineEvent<object>({
    level: 'debug',
    message: 'a text message that is no schema was too long; its connection ends',
    metrics: [
      {
        name: 'holdfast_hq_long_messages_total',
        kind: 'counter',
        help: 'Connections ended for a text message that is no schema and too long.',
      },
    ],
  }),
  connection_limits: defineEvent<{ maxConnections: number; maxConnectionsPerAddress: number }>({
    level: 'info',
    message: 'connections that HQ takes, in all and of one address',
    metrics: [
      {
        name: 'holdfast_hq_max_connections',
        kind: 'gauge',
        help: 'Connections that HQ takes in all.',
        value: ({ maxConnections }) => maxConnections,
      },
      {
        name: 'holdfast_hq_max_connections_per_address',
        kind: 'gauge',
        help: 'Connections that HQ takes of one address.',
        value: ({ maxConnectionsPerAddress }) => maxConnectionsPerAddress,
      },
    ],
  }),
  few_files: defineEvent<{ openFiles: number; maxConnections: number }>({
    level: ({ maxConnections }) => (maxConnections < FEW_CONNECTIONS ? 'warn' : 'info'),
    message:
      'this process may open fewer files than limits.maxConnections asks for: raise ulimit -n, or LimitNOFILE= of systemd',
    metrics: [],
  }),
  reads: defineEvent<{ active: number; waiting: number; bytes: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_hq_reads',
        kind: 'gauge',
        help: 'Requests that read the storage now.',
        value: ({ active }) => active,
      },
      {
        name: 'holdfast_hq_reads_waiting',
        kind: 'gauge',
        help: 'Requests that wait for their turn to read the storage.',
        value: ({ waiting }) => waiting,
      },
      {
        name: 'holdfast_hq_read_bytes',
        kind: 'gauge',
        help: 'Memory that the answers of reads take, estimated.',
        value: ({ bytes }) => bytes,
      },
    ],
  }),
  read_given_up: defineEvent<{ reason: 'deadline' | 'client' | 'stalled' }>({
    level: 'debug',
    message: 'a read was given up, or its answer',
    metrics: [
      {
        name: 'holdfast_hq_reads_given_up_total',
        kind: 'counter',
        help: 'Reads given up at their deadline, because the client went, or because it took nothing of the answer.',
        labelNames: ['reason'],
        labels: ({ reason }) => ({ reason }),
      },
    ],
  }),
  backup_begun: defineEvent<{ name: string; address: string }>({
    level: 'info',
    message: 'an operator has a backup made',
    metrics: [],
  }),
  backup_ended: defineEvent<{ name: string; tookMs: number; error: string | null }>({
    level: 'info',
    message: 'a backup is over; without an error it is made',
    metrics: [],
  }),
  agent_retired: defineEvent<AgentCounts & { agent: string; address: string }>({
    level: 'warn',
    message: 'an operator has retired an agent; its samples stay until retention removes them',
    metrics: [],
  }),
  agent_purged: defineEvent<AgentCounts & { agent: string; address: string }>({
    level: 'warn',
    message: 'an operator has removed an agent for good; everything that was stored of it goes',
    metrics: [],
  }),
  labels_set: defineEvent<{ agent: string; address: string; set: SetLabels; before: SetLabels }>({
    level: 'warn',
    message: 'an operator has set labels of an agent',
    metrics: [],
  }),
  chaos_set: defineEvent<{ mode: string }>({ level: 'warn', message: 'chaos mode set', metrics: [] }),
  chaos_effect: defineEvent<{ mode: string; effect: string; severity: number }>({
    level: 'info',
    message: 'what chaos does to the links of agents has changed',
    metrics: [
      {
        name: 'holdfast_chaos_effect',
        kind: 'gauge',
        help: 'What chaos does to the link now: 0 nothing, 1 slow, 2 lossy, 3 down.',
        value: ({ severity }) => severity,
      },
    ],
  }),
  dashboards: defineEvent<{ connected: number }>({
    level: 'debug',
    message: 'dashboards connected',
    metrics: [
      {
        name: 'holdfast_dashboards',
        kind: 'gauge',
        help: 'Dashboards that are connected.',
        value: ({ connected }) => connected,
      },
    ],
  }),
  streams: defineEvent<{ connected: number }>({
    level: 'debug',
    message: 'clients of the telemetry stream',
    metrics: [
      {
        name: 'holdfast_hq_telemetry_streams',
        kind: 'gauge',
        help: 'Clients that are connected to the telemetry stream.',
        value: ({ connected }) => connected,
      },
    ],
  }),
  stream_sent: defineEvent<{ samples: number; skipped: number }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_hq_telemetry_stream_samples_total',
        kind: 'counter',
        help: 'Samples that were sent to clients of the telemetry stream.',
        value: ({ samples }) => samples,
      },
      {
        name: 'holdfast_hq_telemetry_stream_skipped_samples_total',
        kind: 'counter',
        help: 'Samples that clients of the telemetry stream were not sent because they were slow.',
        value: ({ skipped }) => skipped,
      },
    ],
  }),
  stream_missed: defineEvent<object>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_hq_telemetry_stream_missed_frames_total',
        kind: 'counter',
        help: 'Frames that no client of the telemetry stream was shown, as too many bytes of them waited.',
      },
    ],
  }),
  stream_cut: defineEvent<{ reason: string; address: string }>({
    level: 'warn',
    message: 'client of the telemetry stream cut off, or not let in',
    metrics: [
      {
        name: 'holdfast_hq_telemetry_streams_cut_total',
        kind: 'counter',
        help: 'Clients of the telemetry stream cut off because they took or answered nothing, or not let in because there were too many.',
        labelNames: ['reason'],
        labels: ({ reason }) => ({ reason }),
      },
    ],
  }),
  dashboard_cut: defineEvent<{ reason: 'stalled' | 'too_many'; address: string }>({
    level: 'warn',
    message: 'dashboard cut off',
    metrics: [
      {
        name: 'holdfast_dashboards_cut_total',
        kind: 'counter',
        help: 'Dashboards cut off because they took nothing, or because there were too many.',
        labelNames: ['reason'],
        labels: ({ reason }) => ({ reason }),
      },
    ],
  }),
};
export type GatewayEvents = typeof gatewayEvents;

export const CHAOS_SEVERITY = { none: 0, slow: 1, lossy: 2, down: 3 } as const;
