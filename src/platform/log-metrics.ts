/** Metrics of log lines that were never written. */
import { Counter, type Registry } from '@prometheus-io/client';
import type { Logger } from './logger.ts';

export function registerLogMetrics(registry: Registry, logger: Pick<Logger, 'missing'>): void {
  const counted = { dropped: 0, leftOut: 0 };
  new Counter({
    name: 'holdfast_log_lines_missing_total',
    help: 'Log lines that were not written: dropped since nothing took them in time, or left out as too many of one cause.',
    labelNames: ['reason'],
    registers: [registry],
    collect() {
      const now = logger.missing();
      this.inc({ reason: 'dropped' }, now.dropped - counted.dropped);
      this.inc({ reason: 'left_out' }, now.leftOut - counted.leftOut);
      Object.assign(counted, now);
    },
  });
}
