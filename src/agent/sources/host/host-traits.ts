/** What is normal for the metrics of `host`. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Series } from '../../../protocol/sample.ts';
import type { SeriesTraits } from '../source.ts';

const CUMULATIVE = new Set([
  'system.paging.operations',
  'system.paging.faults',
  'system.disk.io',
  'system.disk.operations',
  'system.disk.io_time',
  'system.network.io',
  'system.network.errors',
  'system.processes.created',
  'system.uptime',
  'container.memory.throttled',
  'container.memory.oom_kills',
  'container.cpu.periods',
  'container.cpu.throttled.periods',
  'container.cpu.throttled.time',
]);

/** They say what the average over a minute has said, later: one trouble is one anomaly. */
const SMOOTHED = new Set(['system.cpu.load_average.5m', 'system.cpu.load_average.15m']);

/**
 * Sizes that their share of the whole (`….utilization`) is judged by, and caches, which grow and go as the kernel likes
 * on a healthy machine.
 */
const NOT_JUDGED = new Set([
  'system.memory.usage',
  'system.memory.zfs_arc.usage',
  'system.paging.usage',
  'system.filesystem.usage',
]);

/**
 * Changes below these are not worth a word, however calm the series was before: an anomaly is three times as much at
 * least.
 */
const FLOOR_BY_NAME: Readonly<Record<string, number>> = {
  // Any program that starts takes a CPU for a second or two.
  'system.cpu.utilization': 0.15,
  'system.filesystem.utilization': 0.005,
  // One program that is busy makes others wait.
  'system.pressure': 0.1,
  'container.pressure': 0.1,
};
const FLOOR_BY_UNIT: Readonly<Record<string, number>> = {
  '1': 0.02,
  Cel: 2,
  '{process}': 5,
  '{connection}': 10,
};
/** Of one CPU. */
const LOAD_FLOOR = 0.25;
const CONTAINER_CPU_FLOOR = 0.15;
/** Of the memory there is. */
const MEMORY_FLOOR = 0.02;

/** Of the machine, and of what this process may use of it. */
const machineCpus = Math.max(1, cpus().length);
const ownCpus = availableParallelism();
const memoryBytes = totalmem();
const ownMemoryBytes = Math.min(memoryBytes, process.constrainedMemory() || memoryBytes);

export function hostTraits({ name, unit, attributes }: Series): SeriesTraits {
  if (CUMULATIVE.has(name)) return { cumulative: true, min: 0 };
  // Connections that ended a minute ago or less: they come and go in crowds.
  if (NOT_JUDGED.has(name) || attributes.state === 'time_wait') return { anomalies: false, min: 0 };
  if (SMOOTHED.has(name)) return { anomalies: false };
  const minStddev = floorOf(name, unit);
  return name.endsWith('.utilization') ? { min: 0, max: 1, minStddev } : { minStddev };
}

function floorOf(name: string, unit: string): number {
  switch (unit) {
    case '{thread}':
      return LOAD_FLOOR * machineCpus;
    case '{cpu}':
      return CONTAINER_CPU_FLOOR * ownCpus;
    case 'By':
      return MEMORY_FLOOR * (name.startsWith('container.') ? ownMemoryBytes : memoryBytes);
    default:
      return FLOOR_BY_NAME[name] ?? FLOOR_BY_UNIT[unit] ?? 0;
  }
}
