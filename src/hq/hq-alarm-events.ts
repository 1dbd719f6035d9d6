/** What HQ tells of its own alarms. */
import { defineEvent } from '../platform/telemetry.ts';
import type { HqAlarmKind } from '../protocol/api.ts';

const metricOf = (value: 0 | 1) => ({
  name: 'holdfast_hq_own_alarms',
  kind: 'gauge' as const,
  help: 'Alarms of HQ itself, by kind: 1 while it stands. Absent: it never did.',
  labelNames: ['kind'],
  labels: ({ kind }: { kind: HqAlarmKind }) => ({ kind }),
  value: () => value,
});

export const hqAlarmEvents = {
  hq_alarm: defineEvent<{ kind: HqAlarmKind; detail: string }>({
    level: 'warn',
    message: 'ALARM OF HQ',
    metrics: [metricOf(1)],
  }),
  hq_alarm_over: defineEvent<{ kind: HqAlarmKind }>({
    level: 'info',
    message: 'alarm of HQ is over',
    metrics: [metricOf(0)],
  }),
};
