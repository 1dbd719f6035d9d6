/** Metrics of the fleet as it is now: unlike counters they are true from the first scrape after a restart of HQ on. */
import { Gauge, type Registry } from '@prometheus-io/client';
import { ALARM_KINDS } from '../../protocol/fleet.ts';
import type { Fleet } from '../aggregate/fleet.ts';

export function registerFleetMetrics(registry: Registry, fleet: Pick<Fleet, 'alarms'>): void {
  new Gauge({
    name: 'holdfast_hq_alarms',
    help: 'Agents with an alarm now, by its kind; of two alarms of one agent the last counts.',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      const alarms = fleet.alarms();
      for (const kind of ALARM_KINDS) this.set({ kind }, alarms.get(kind) ?? 0);
    },
  });
}
