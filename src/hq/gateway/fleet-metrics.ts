/** Metrics of the fleet as it is now: unlike counters they are true from the first scrape after a restart of HQ on. */
import { Gauge, type Registry } from '@prometheus-io/client';
import { catchError, firstValueFrom, of } from 'rxjs';
import { type AgentSummary, ALARM_KINDS, SHOWN_STATES } from '../../protocol/api.ts';
import type { Fleet } from '../aggregate/fleet.ts';

/** Reasons that agents give beyond these count as `other`. */
const PAUSE_REASONS = [
  'budget_day',
  'budget_month',
  'live_first',
  'window',
  'way',
  'breaker_open',
  'unavailable',
  'rate_limited',
  'other',
];

export function registerFleetMetrics(registry: Registry, fleet: Pick<Fleet, 'alarms' | 'summaries'>): void {
  const summaries = summariesBy(fleet);
  new Gauge({
    name: 'holdfast_hq_agents',
    help: 'Agents by state, as the dashboard shows it: `degraded` is one whose disk or journal is in trouble.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      const counts = new Map<string, number>();
      for (const { state } of await summaries()) counts.set(state, (counts.get(state) ?? 0) + 1);
      for (const state of SHOWN_STATES) this.set({ state }, counts.get(state) ?? 0);
    },
  });
  new Gauge({
    name: 'holdfast_hq_connected_agents',
    help: 'Agents whose link stands and carries.',
    registers: [registry],
    async collect() {
      this.set((await summaries()).filter(({ connected }) => connected).length);
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
  registerLinkMetrics(registry, summaries);
}

/** While the store cannot answer, as they were when it last could: a scrape is most needed then. */
function summariesBy(fleet: Pick<Fleet, 'summaries'>) {
  let last: readonly AgentSummary[] = [];
  return async (): Promise<readonly AgentSummary[]> => {
    last = await firstValueFrom(fleet.summaries().pipe(catchError(() => of(last))));
    return last;
  };
}

/** Sums over agents, and not one series each: a fleet has thousands. */
function registerLinkMetrics(registry: Registry, summaries: () => Promise<readonly AgentSummary[]>): void {
  const registers = [registry];
  new Gauge({
    name: 'holdfast_hq_paused_agents',
    help: 'Agents whose frames wait, by the reason that they gave last.',
    labelNames: ['reason'],
    registers,
    async collect() {
      const counts = new Map<string, number>(PAUSE_REASONS.map((reason) => [reason, 0]));
      for (const { link } of await summaries()) {
        if (link?.paused === undefined) continue;
        const reason = counts.has(link.paused) ? link.paused : 'other';
        counts.set(reason, (counts.get(reason) ?? 0) + 1);
      }
      for (const [reason, count] of counts) this.set({ reason }, count);
    },
  });
  new Gauge({
    name: 'holdfast_hq_backlog_agents',
    help: 'Connected agents with a backlog, by their forecast: `in_time` has one, `never` gains nothing, `unknown` has seen too little.',
    labelNames: ['forecast'],
    registers,
    async collect() {
      const counts = { in_time: 0, never: 0, unknown: 0 };
      for (const { link, connected } of await summaries()) {
        if (!connected || link === null) continue;
        if (link.never === true) counts.never += 1;
        else if (link.caughtUpMs == null) counts.unknown += 1;
        else if (link.caughtUpMs > 0) counts.in_time += 1;
      }
      for (const [forecast, count] of Object.entries(counts)) this.set({ forecast }, count);
    },
  });
  new Gauge({
    name: 'holdfast_hq_longest_catch_up_seconds',
    help: 'The longest time until the backlog of a connected agent is delivered, of those that have a forecast.',
    registers,
    async collect() {
      const agents = await summaries();
      const times = agents.map(({ link, connected }) => (connected ? (link?.caughtUpMs ?? 0) : 0));
      this.set(times.reduce((most, ms) => Math.max(most, ms), 0) / 1000);
    },
  });
  new Gauge({
    name: 'holdfast_hq_link_rate_bytes_per_second',
    help: 'Sum of the delivery rates that connected agents estimate for their links.',
    registers,
    async collect() {
      const agents = await summaries();
      const rates = agents.map(({ link, connected }) => (connected ? (link?.rate ?? 0) : 0));
      this.set(rates.reduce((sum, rate) => sum + rate, 0));
    },
  });
}
