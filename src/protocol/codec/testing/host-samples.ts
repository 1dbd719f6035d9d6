/** What a host reports: the 17 metrics of the flat snapshot, 1 Hz, drifting and fluctuating as a small server's do. */
import type { InternedSchema, Sample } from '../../sample.ts';
import { internSchema } from '../../schema-ref.ts';
import { chance } from './chance.ts';

const HOST_METRICS = [
  'cpu_percent',
  'memory_percent',
  'memory_used_mb',
  'memory_total_mb',
  'disk_percent',
  'disk_used_gb',
  'disk_total_gb',
  'network_rx_bytes',
  'network_tx_bytes',
  'network_rx_rate_mbps',
  'network_tx_rate_mbps',
  'uptime_seconds',
  'process_count',
  'active_connections',
  'load_avg_1m',
  'load_avg_5m',
  'load_avg_15m',
] as const;

export const hostSchema: InternedSchema = internSchema({
  source: 'host',
  boot: '2f4e1c9a-5b7d-4c1e-9a63-0d8f6b2e7c15',
  series: HOST_METRICS.map((name) => ({ name, attributes: {}, unit: '' })),
});

const FIRST_TS = 1_790_000_000_000;
const UPTIME_MS = 6 * 86_400_000 + 12_345;
const MEMORY_MB = 7982.1;
const DISK_GB = 98.3;

function decimal(value: number, places: number): number {
  return Math.round(value * 10 ** places) / 10 ** places;
}

/** `count` samples, one a second with a few ms of jitter; the same for the same seed. */
export function hostSamples(count: number, seed = 1): Sample[] {
  const stream = hostStream(seed);
  return Array.from({ length: count }, () => stream());
}

/** Returns the next of such samples at each call. */
export function hostStream(seed = 1): () => Sample {
  const next = chance(seed);
  const noise = () => Array.from({ length: 12 }, next).reduce((sum, one) => sum + one, -6);
  const state = { cpu: 12, mem: 3456, disk: 45.1, rx: 1.2e9, tx: 3.4e8, rxRate: 1.2, txRate: 0.4 };
  const load = { one: 0.6, five: 0.55, fifteen: 0.5 };
  let processes = 212;
  let connections = 38;
  let index = -1;
  return () => {
    index += 1;
    state.cpu = Math.max(1, state.cpu + (12 - state.cpu) * 0.1 + noise() * 1.5);
    state.mem = Math.max(100, state.mem + noise() * 2);
    if (next() < 0.1) state.disk += 0.01;
    state.rxRate = Math.max(0.05, state.rxRate + (1.2 - state.rxRate) * 0.1 + noise() * 0.1);
    state.txRate = Math.max(0.02, state.txRate + (0.4 - state.txRate) * 0.1 + noise() * 0.04);
    state.rx += Math.round(state.rxRate * 125_000);
    state.tx += Math.round(state.txRate * 125_000);
    if (next() < 0.2) processes += Math.round(noise());
    if (next() < 0.3) connections = Math.max(1, connections + Math.round(noise()));
    load.one += (state.cpu / 20 - load.one) / 12;
    load.five += (state.cpu / 20 - load.five) / 60;
    load.fifteen += (state.cpu / 20 - load.fifteen) / 180;
    const elapsed = index * 1000 + Math.floor(next() * 3);
    return {
      schema: hostSchema,
      ts: FIRST_TS + elapsed,
      mono: UPTIME_MS + elapsed,
      values: [
        decimal(state.cpu, 1),
        decimal((state.mem / MEMORY_MB) * 100, 1),
        decimal(state.mem, 1),
        MEMORY_MB,
        decimal((state.disk / DISK_GB) * 100, 1),
        decimal(state.disk, 2),
        DISK_GB,
        state.rx,
        state.tx,
        decimal(state.rxRate, 3),
        decimal(state.txRate, 3),
        Math.floor((UPTIME_MS + elapsed) / 1000),
        processes,
        connections,
        decimal(load.one, 2),
        decimal(load.five, 2),
        decimal(load.fifteen, 2),
      ],
      anomalies: [],
      diagnostics: [],
    };
  };
}
