/** What operators should see to that concerns HQ itself, and no agent. */
import type { Clock } from '../platform/clock.ts';
import type { Emit } from '../platform/telemetry.ts';
import { HQ_ALARM_KINDS, type HqAlarm, type HqAlarmKind } from '../protocol/api.ts';
import type { hqAlarmEvents } from './hq-alarm-events.ts';

export type HqAlarms = {
  /** It has happened: the alarm stands until it has not for EPISODE_ENDS_MS. */
  readonly note: (kind: HqAlarmKind, detail: string) => void;
  /** It is so from now on; null: it is over. */
  readonly set: (kind: HqAlarmKind, detail: string | null) => void;
  /** Those that stand, in the order of their kinds. */
  readonly list: () => readonly HqAlarm[];
  /** To be called every few seconds: ends what is over. */
  readonly sweep: () => void;
};

export const EPISODE_ENDS_MS = 300_000;

type Standing = HqAlarm & {
  /** When it last happened; null: it ends by a word. */
  readonly heardAt: number | null;
};

export function createHqAlarms(
  clock: Pick<Clock, 'now' | 'precise'>,
  emit: Emit<typeof hqAlarmEvents>,
): HqAlarms {
  const standing = new Map<HqAlarmKind, Standing>();
  const raise = (kind: HqAlarmKind, detail: string, heardAt: number | null) => {
    const before = standing.get(kind);
    standing.set(kind, { kind, since: before?.since ?? clock.now(), detail, heardAt });
    if (before === undefined) emit({ type: 'hq_alarm', kind, detail });
  };
  const end = (kind: HqAlarmKind) => {
    if (standing.delete(kind)) emit({ type: 'hq_alarm_over', kind });
  };
  const sweep = () => {
    const now = clock.precise();
    for (const { kind, heardAt } of [...standing.values()])
      if (heardAt !== null && now - heardAt >= EPISODE_ENDS_MS) end(kind);
  };
  return {
    note: (kind, detail) => raise(kind, detail, clock.precise()),
    set: (kind, detail) => {
      if (detail === null) end(kind);
      else raise(kind, detail, null);
    },
    list: () => {
      sweep();
      return HQ_ALARM_KINDS.flatMap((kind) => {
        const alarm = standing.get(kind);
        return alarm === undefined ? [] : [{ kind, since: alarm.since, detail: alarm.detail }];
      });
    },
    sweep,
  };
}
