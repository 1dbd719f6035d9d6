import { restoreAlarm, restorePresence } from './agent-entry.ts';
import type { FleetState, Found } from './fleet-state.ts';

/** An alarm in a store that was away for longer, a backup for instance, says nothing of today. */
const FORGET_ALARM_MS = 7 * 86_400_000;

/** What the store says of the agents that it knows. */
export function restoreFleet(
  { options, roster, alarms, pauses, alarmed, waiting }: FleetState,
  found: Found,
): void {
  const { clock } = options;
  for (const [index, { agent, epoch, owned, paused, rhythm }] of found.agents.entries()) {
    const entry = roster.entryOf(agent, owned ? null : epoch);
    restorePresence(entry, { owned, rhythm }, { mono: clock.precise(), now: clock.now() });
    waiting.add(entry);
    if (paused !== undefined) entry.link = pauses.restored(agent, paused, clock.now());
    entry.lastSampleTs = found.lastSampleTs[index] ?? null;
    roster.touch(entry);
  }
  for (const [agent, record] of found.alarms) {
    if (clock.now() - record.lastTs > FORGET_ALARM_MS) {
      alarms.ended(agent);
      continue;
    }
    const entry = roster.entryOf(agent, null);
    restoreAlarm(entry, record, clock.precise());
    alarmed.add(entry);
    roster.touch(entry);
  }
  roster.dropChanges();
}
