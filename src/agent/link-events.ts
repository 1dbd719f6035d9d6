/** What an agent reports about its link: figures, and what the data budget lets go. */
import { defineEvent } from '../platform/telemetry.ts';
import type { MaxLane } from './uplink/link.ts';
import type { BudgetPhase } from './uplink/metering/data-budget.ts';

const BUDGET_VALUES: Readonly<Record<BudgetPhase['kind'], number>> = {
  open: 0,
  live_only: 1,
  reserve: 2,
  spent: 3,
};

export const linkEvents = {
  /** `way`: its place in the order of ways, from 1. */
  way_changed: defineEvent<{ url: string; way: number; before: string; maxLane: MaxLane }>({
    level: 'warn',
    message: 'HQ is reached over another way',
    metrics: [
      {
        name: 'holdfast_agent_way_changes_total',
        kind: 'counter',
        help: 'Connections that took another way to HQ than the one before.',
      },
    ],
  }),
  /** `way` as above. */
  way_failed: defineEvent<{ url: string; way: number; detail: string }>({
    level: 'warn',
    message: 'a better way to HQ does not work; a lower one is taken',
    metrics: [
      {
        name: 'holdfast_agent_way_failures_total',
        kind: 'counter',
        help: 'Better ways to HQ that did not work when a lower one was taken, once until they work again.',
      },
    ],
  }),
  upgrade_blocked: defineEvent<{ detail: string }>({
    level: 'warn',
    message: 'no WebSocket gets through to HQ: it is reached by long polling, which costs more bytes',
    metrics: [
      {
        name: 'holdfast_agent_upgrades_blocked_total',
        kind: 'counter',
        help: 'Connections that went by long polling because something blocked WebSockets.',
      },
    ],
  }),
  /** `until`: epoch ms. */
  link_budget_changed: defineEvent<{ phase: BudgetPhase['kind']; why: string | null; until: number | null }>({
    level: ({ phase }) => (phase === 'reserve' || phase === 'spent' ? 'warn' : 'info'),
    message:
      'what the data budget and the windows of the link let go has changed; what waits stays in the journal',
    metrics: [
      {
        name: 'holdfast_agent_budget_phase',
        kind: 'gauge',
        help: 'What may go over the link: 0 all, 1 no backlog, 2 only anomalies and a hello each hour, 3 only that hello.',
        value: ({ phase }) => BUDGET_VALUES[phase],
      },
    ],
  }),
  traffic_count_lost: defineEvent<{ detail: string }>({
    level: 'error',
    message:
      'the count of bytes of the link cannot be read; it begins at 0, and the budgets of this day and month with it',
    metrics: [],
  }),
  traffic_count_not_kept: defineEvent<{ reason: string }>({
    level: 'error',
    message:
      'the count of bytes of the link cannot be written; a restart would count again what it has carried since',
    metrics: [],
  }),
  link_report_refused: defineEvent<{ detail: string }>({
    level: 'warn',
    message:
      'HQ refuses what this agent reports of its link; heartbeats of this connection go without it, and samples as before',
    metrics: [],
  }),
  /** What is not known is NaN; `left` is infinite without a budget, `caughtUpMs` when never. */
  link_stats: defineEvent<{
    rate: number;
    minRttMs: number;
    queueMs: number;
    inFlightBytes: number;
    live: number;
    backlog: number;
    day: number;
    month: number;
    left: number;
    caughtUpMs: number;
  }>({
    level: null,
    message: '',
    metrics: [
      {
        name: 'holdfast_agent_link_rate_bytes_per_second',
        kind: 'gauge',
        help: 'Estimated delivery rate of the link; NaN before the first estimate.',
        value: ({ rate }) => rate,
      },
      {
        name: 'holdfast_agent_link_min_round_trip_seconds',
        kind: 'gauge',
        help: 'Least round trip of the link of late; NaN before the first.',
        value: ({ minRttMs }) => minRttMs / 1000,
      },
      {
        name: 'holdfast_agent_link_queue_seconds',
        kind: 'gauge',
        help: 'Queueing delay of the link beyond its least round trip.',
        value: ({ queueMs }) => queueMs / 1000,
      },
      {
        name: 'holdfast_agent_in_flight_bytes',
        kind: 'gauge',
        help: 'Bytes of frames without an answer of HQ, headers included.',
        value: ({ inFlightBytes }) => inFlightBytes,
      },
      {
        name: 'holdfast_agent_in_flight_live_frames',
        kind: 'gauge',
        help: 'Live frames without an answer of HQ.',
        value: ({ live }) => live,
      },
      {
        name: 'holdfast_agent_in_flight_backlog_frames',
        kind: 'gauge',
        help: 'Backlog frames without an answer of HQ.',
        value: ({ backlog }) => backlog,
      },
      {
        name: 'holdfast_agent_traffic_day_bytes',
        kind: 'gauge',
        help: 'Bytes of the socket, both ways, in this day of the data budget.',
        value: ({ day }) => day,
      },
      {
        name: 'holdfast_agent_traffic_month_bytes',
        kind: 'gauge',
        help: 'Bytes of the socket, both ways, in this month of the data budget.',
        value: ({ month }) => month,
      },
      {
        name: 'holdfast_agent_budget_left_bytes',
        kind: 'gauge',
        help: 'Bytes that the data budget has left, of the day or the month, whichever is less; infinite without one.',
        value: ({ left }) => left,
      },
      {
        name: 'holdfast_agent_catch_up_seconds',
        kind: 'gauge',
        help: 'Estimated time until the backlog is delivered; 0 when it is, infinite when never at this rate, NaN when unknown.',
        value: ({ caughtUpMs }) => caughtUpMs / 1000,
      },
    ],
  }),
};
