/** What is worth writing down of what happens to the link and the alarms of an agent. */
import type { AgentEvent } from '../../protocol/agent-event.ts';
import type { AgentAlarm, AgentSummary } from '../../protocol/api.ts';
import type { LinkEvent } from '../ingest/core/link-event.ts';
import { type AgentEntry, recentAlarm } from './agent-entry.ts';

/** An event that is dated when it is noted. */
export type Happened = Omit<AgentEvent, 'of' | 'ts'>;

/** The clock of an agent, or of HQ, was set, when they differ by so much more than before, ms. */
export const CLOCK_JUMP_MS = 5_000;

export type Seen = {
  readonly epoch: string | null;
  readonly clockOffsetMs: number | null;
  readonly paused: string | null;
  readonly alarms: readonly (AgentAlarm | null)[];
};

/** What of an agent is compared. `mono`: monotonic, ms. */
export function seenOf(entry: AgentEntry, mono: number): Seen {
  return {
    epoch: entry.epoch,
    clockOffsetMs: entry.clockOffsetMs,
    paused: entry.link?.paused ?? null,
    alarms: [recentAlarm(entry, mono), entry.diskAlarm, entry.clockAlarm],
  };
}

/** What has happened between `before` and `after`, with the event that led from one to the other. */
export function happenedIn(before: Seen, after: Seen, event: LinkEvent): Happened[] {
  return [
    ...linkEvents(before, event),
    ...clockEvents(before, after),
    ...pauseEvents(before, after, event),
    ...alarmEvents(before.alarms, after.alarms),
  ];
}

function linkEvents(before: Seen, event: LinkEvent): Happened[] {
  if (event.kind === 'disconnected') return [{ kind: 'disconnected', reason: event.reason }];
  if (event.kind !== 'connected') return [];
  const { epoch, version } = event;
  const connected: Happened = { kind: 'connected', epoch, version };
  if (before.epoch === epoch) return [connected];
  return [connected, { kind: 'epoch', epoch, ...(before.epoch !== null && { before: before.epoch }) }];
}

function clockEvents(before: Seen, after: Seen): Happened[] {
  if (before.clockOffsetMs === null || after.clockOffsetMs === null) return [];
  const byMs = Math.round(after.clockOffsetMs - before.clockOffsetMs);
  return Math.abs(byMs) < CLOCK_JUMP_MS ? [] : [{ kind: 'clock_jump', byMs }];
}

/** A new connection says nothing of pauses before the first word over it. */
function pauseEvents(before: Seen, after: Seen, event: LinkEvent): Happened[] {
  if (event.kind !== 'heartbeat' || before.paused === after.paused) return [];
  if (after.paused === null) return [{ kind: 'resumed' }];
  const until = event.heartbeat.link?.pausedUntil ?? null;
  return [{ kind: 'paused', reason: after.paused, ...(until !== null && { until }) }];
}

/** By place: an alarm takes the place of one of the same sort. */
export function alarmEvents(
  before: readonly (AgentAlarm | null)[],
  after: readonly (AgentAlarm | null)[],
): Happened[] {
  return after.flatMap((alarm, index) => {
    const was = before[index] ?? null;
    if (was?.kind === alarm?.kind) return [];
    return [
      ...(was === null ? [] : [overOf(was)]),
      ...(alarm === null
        ? []
        : [{ kind: 'alarm_raised', alarm: alarm.kind, detail: alarm.detail } satisfies Happened]),
    ];
  });
}

export const overOf = ({ kind }: Pick<AgentAlarm, 'kind'>): Happened => ({ kind: 'alarm_over', alarm: kind });

/** Null: HQ has only begun to look at it. */
export function stateEvent(before: AgentSummary | null, now: AgentSummary): Happened | null {
  if (before?.state === now.state || (before === null && now.heardTs === null)) return null;
  return {
    kind: 'state',
    state: now.state,
    ...(before !== null && { before: before.state }),
    ...(now.refusal !== null && { reason: now.refusal.reason }),
  };
}
