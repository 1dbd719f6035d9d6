/** What is normal for the metrics of `host`. */
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
]);

const MEBIBYTE = 2 ** 20;

/** Changes below these are not worth a word, however calm the series was before. */
const DEVIATION_FLOOR: Readonly<Record<string, number>> = {
  '1': 0.02,
  By: 16 * MEBIBYTE,
  Cel: 0.5,
  '{thread}': 0.1,
  '{process}': 2,
  '{connection}': 2,
  '{cpu}': 0.05,
};

export function hostTraits({ name, unit }: Series): SeriesTraits {
  if (CUMULATIVE.has(name)) return { cumulative: true, min: 0 };
  const minStddev = DEVIATION_FLOOR[unit] ?? 0;
  return name.endsWith('.utilization') ? { min: 0, max: 1, minStddev } : { minStddev };
}
