/** Metrics of the fleet as it is now: unlike counters they are true from the first scrape after a restart of HQ on. */
import { Gauge, type Registry } from '@prometheus-io/client';
import { AGENT_STATES } from '../../protocol/events.ts';
import { ALARM_KINDS } from '../../protocol/fleet.ts';
import type { Fleet } from '../aggregate/fleet.ts';

export function registerFleetMetrics(registry: Registry, fleet: Pick<Fleet, 'alarms' | 'summaries'>): void {
  new Gauge({
    name: 'holdfast_hq_agents',
    help: 'Agents by state, as last reported: `degraded` is one whose disk or journal is in trouble.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const counts = new Map<string, number>();
      for (const { state } of fleet.summaries()) counts.set(state, (counts.get(state) ?? 0) + 1);
      for (const state of [...AGENT_STATES, 'unknown']) this.set({ state }, counts.get(state) ?? 0);
    },
  });
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
