/**
 * The alarm of an agent whose journal has no good disk: it stands from the heartbeat that says so to the one that does
 * not.
 */

import type { AgentAlarm } from '../../protocol/api.ts';
import type { DiskState, Heartbeat } from '../../protocol/events.ts';

const TROUBLE: Readonly<Record<Exclude<DiskState, 'good'>, string>> = {
  full: 'it has no room for the journal to grow, and the overflow policy is at work',
  failing: 'it takes no writes: samples wait in memory, a bounded number of them',
  absent: 'the data directory cannot be written: samples are kept in memory only, and end with the process',
};

/** `before`: the alarm that stands. `now`: HQ's wall time, ms. */
export function diskAlarmOf(
  before: AgentAlarm | null,
  { disk = 'good' }: Pick<Heartbeat, 'disk'>,
  now: number,
): AgentAlarm | null {
  return disk === 'good' ? null : { kind: 'agent_disk', since: before?.since ?? now, detail: TROUBLE[disk] };
}
