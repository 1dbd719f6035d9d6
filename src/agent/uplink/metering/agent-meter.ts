/** The meter of an agent: its settings read, what it finds reported. */
import type { Clock } from '../../../platform/clock.ts';
import type { Emit } from '../../../platform/telemetry.ts';
import type { AgentConfig } from '../../config.ts';
import type { agentEvents } from '../../events.ts';
import { createCalendar } from './calendar.ts';
import { createDataMeter, type DataMeter } from './data-meter.ts';
import type { TrafficFile, TrafficRead } from './traffic-file.ts';
import { parseWindow } from './windows.ts';

export type TrafficStore = {
  readonly file: TrafficFile;
  /** What the file held at the start. */
  readonly read: TrafficRead;
  /** Time since the machine started, sleep included, ms. */
  readonly uptime: () => number;
};

export type AgentMeterOptions = {
  readonly settings: Pick<
    AgentConfig['uplink'],
    'maxBytesPerDay' | 'maxBytesPerMonth' | 'budgetZone' | 'windows'
  >;
  readonly traffic: TrafficStore;
  readonly clock: Clock;
  readonly emit: Emit<typeof agentEvents>;
};

export function createAgentMeter({ settings, traffic, clock, emit }: AgentMeterOptions): DataMeter {
  const { maxBytesPerDay, maxBytesPerMonth, budgetZone, windows } = settings;
  const { read } = traffic;
  if (read.kind === 'damaged') emit({ type: 'traffic_count_lost', detail: read.detail });
  const meter = createDataMeter({
    settings: {
      maxBytesPerDay,
      maxBytesPerMonth,
      windows: windows.map(parseWindow),
      calendar: createCalendar(budgetZone),
    },
    clock,
    uptime: traffic.uptime,
    file: traffic.file,
    record: read.kind === 'read' ? read.record : null,
    onPhase: (phase, status) => {
      emit({ type: 'link_budget_changed', phase: phase.kind, why: status.why, until: status.until });
    },
    onWriteFailure: (reason) => emit({ type: 'traffic_count_not_kept', reason }),
  });
  return meter;
}
