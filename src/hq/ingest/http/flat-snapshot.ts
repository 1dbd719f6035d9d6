/**
 * The flat snapshot of `POST /api/telemetry/snapshot`, and what becomes of it: one sample of 17 OpenTelemetry series.
 *
 * Percent become ratios and rates base units, both by moving the decimal point; MB and GB are the binary ones
 * (1,048,576 and 1,073,741,824 bytes), which is what psutil's users write; Mbps are 10^6 bits a second.
 */
import { z } from 'zod';
import { agentIdSchema, type InternedSchema, type Sample, type Series } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import { decimalShift } from './decimal-shift.ts';
import { envelopeFields, LATEST_VERSION } from './envelope.ts';
import { timestampSchema } from './timestamp.ts';

const percent = (of: string) => z.number().min(0).max(100).nullish().describe(`${of}, percent, 0 to 100`);
/** So that no conversion to base units goes beyond what a double holds. */
const MAX_AMOUNT = 1e290;
const amount = (of: string) => z.number().min(0).max(MAX_AMOUNT).nullish().describe(of);
const count = (of: string) => z.int().min(0).nullish().describe(of);

export const FLAT_METRICS = {
  cpu_percent: percent('CPU time not idle'),
  memory_percent: percent('memory in use'),
  memory_used_mb: amount('memory in use, MiB'),
  memory_total_mb: amount('memory, MiB'),
  disk_percent: percent('disk space in use'),
  disk_used_gb: amount('disk space in use, GiB'),
  disk_total_gb: amount('disk space, GiB'),
  network_rx_bytes: amount('bytes received since boot'),
  network_tx_bytes: amount('bytes sent since boot'),
  network_rx_rate_mbps: amount('rate of receiving, 10^6 bit/s'),
  network_tx_rate_mbps: amount('rate of sending, 10^6 bit/s'),
  uptime_seconds: amount('time since boot, s'),
  process_count: count('processes'),
  active_connections: count('network connections'),
  load_avg_1m: amount('load average over 1 minute'),
  load_avg_5m: amount('load average over 5 minutes'),
  load_avg_15m: amount('load average over 15 minutes'),
};
type FlatMetric = keyof typeof FLAT_METRICS;

function unknownSnapshot(version: unknown): string {
  const given = typeof version === 'string' ? `"${version.slice(0, 40)}"` : 'this';
  return `${given} is no version of a snapshot that HQ takes: ${LATEST_VERSION}; without the field it is that`;
}

export const flatSnapshotSchema = z
  .object({
    node_id: agentIdSchema.describe('id of the agent'),
    timestamp: timestampSchema,
    schemaVersion: z
      .literal(LATEST_VERSION, { error: ({ input }) => unknownSnapshot(input) })
      .optional()
      .describe('there is one version'),
    ...envelopeFields,
    ...FLAT_METRICS,
  })
  .refine((snapshot) => FLAT_FIELDS.some((field) => typeof snapshot[field] === 'number'), {
    message: 'holds no metric',
    path: ['cpu_percent'],
  })
  .meta({
    id: 'FlatSnapshot',
    description:
      'Metrics of one machine at one instant. Metrics may be absent or null; unknown fields are ignored.',
  });
export type FlatSnapshot = z.output<typeof flatSnapshotSchema>;

type Mapping = { readonly series: Series; readonly convert: (value: number) => number };
const keep = (value: number) => value;
const ratio = (value: number) => decimalShift(value, -2);
const mega = (value: number) => decimalShift(value, 6);
const mebi = (value: number) => value * 1024 ** 2;
const gibi = (value: number) => value * 1024 ** 3;
const to = (
  name: string,
  unit: string,
  convert: Mapping['convert'],
  attributes: Series['attributes'] = {},
): Mapping => ({
  series: { name, attributes, unit },
  convert,
});

/** Field by field: the series, its unit and the conversion. */
export const FLAT_MAPPING: Readonly<Record<FlatMetric, Mapping>> = {
  cpu_percent: to('system.cpu.utilization', '1', ratio),
  memory_percent: to('system.memory.utilization', '1', ratio),
  memory_used_mb: to('system.memory.usage', 'By', mebi, { state: 'used' }),
  memory_total_mb: to('system.memory.limit', 'By', mebi),
  disk_percent: to('system.filesystem.utilization', '1', ratio),
  disk_used_gb: to('system.filesystem.usage', 'By', gibi, { state: 'used' }),
  disk_total_gb: to('system.filesystem.limit', 'By', gibi),
  network_rx_bytes: to('system.network.io', 'By', keep, { direction: 'receive' }),
  network_tx_bytes: to('system.network.io', 'By', keep, { direction: 'transmit' }),
  network_rx_rate_mbps: to('system.network.io.rate', 'bit/s', mega, { direction: 'receive' }),
  network_tx_rate_mbps: to('system.network.io.rate', 'bit/s', mega, { direction: 'transmit' }),
  uptime_seconds: to('system.uptime', 's', keep),
  process_count: to('system.processes.count', '{process}', keep),
  active_connections: to('system.network.connections', '{connection}', keep),
  load_avg_1m: to('system.cpu.load_average.1m', '{thread}', keep),
  load_avg_5m: to('system.cpu.load_average.5m', '{thread}', keep),
  load_avg_15m: to('system.cpu.load_average.15m', '{thread}', keep),
};
const FLAT_FIELDS = Object.keys(FLAT_MAPPING) as FlatMetric[];

/** Schema of every flat snapshot that arrives during one boot of HQ's machine. */
export function flatSchema(boot: string): InternedSchema {
  return internSchema({
    source: 'snapshot',
    boot,
    series: FLAT_FIELDS.map((field) => FLAT_MAPPING[field].series),
  });
}

/** The snapshot as a sample; `mono` is HQ's monotonic time of arrival. */
export function flatSample(snapshot: FlatSnapshot, schema: InternedSchema, mono: number): Sample {
  return {
    schema,
    ts: snapshot.timestamp,
    mono,
    values: FLAT_FIELDS.map((field) => {
      const value = snapshot[field];
      return typeof value === 'number' ? FLAT_MAPPING[field].convert(value) : null;
    }),
    anomalies: [],
    diagnostics: [],
  };
}
