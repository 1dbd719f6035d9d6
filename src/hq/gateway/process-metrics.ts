/** Metrics of the process itself, under the names that Prometheus clients agree on. */
import { Counter, Gauge, type Registry } from '@prometheus-io/client';
import type { Clock } from '../../platform/clock.ts';

export function registerProcessMetrics(registry: Registry, clock: Pick<Clock, 'now'>): void {
  const registers = [registry];
  const startedSeconds = Math.round(clock.now() / 1000 - process.uptime());
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process started, seconds since the Unix epoch.',
    registers,
  }).set(startedSeconds);
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the process.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'nodejs_heap_used_bytes',
    help: 'JavaScript heap in use.',
    registers,
    collect() {
      this.set(process.memoryUsage().heapUsed);
    },
  });
  let countedSeconds = 0;
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time of the process.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      const seconds = (user + system) / 1e6;
      this.inc(Math.max(0, seconds - countedSeconds));
      countedSeconds = seconds;
    },
  });
}
