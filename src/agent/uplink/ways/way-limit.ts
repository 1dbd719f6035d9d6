/** Keeps lanes off a way that must not carry them, and tells which way is taken. */
import { merge, Subject, tap } from 'rxjs';
import type { Link, MaxLane, Way } from '../link.ts';
import type { SendLane } from '../metering/data-budget.ts';
import type { UplinkGate } from '../metering/gate.ts';

export type WayLimit = {
  readonly link: Link;
  readonly gate: UplinkGate;
  /** The way of the latest connection; null before the first. */
  readonly current: () => Way | null;
};

const LANES: Readonly<Record<MaxLane, ReadonlySet<SendLane>>> = {
  live: new Set<SendLane>(['live']),
  anomalies: new Set<SendLane>(['live', 'notable', 'late']),
  backlog: new Set<SendLane>(['live', 'notable', 'late', 'backlog']),
};

/** `onChange`: told when a connection takes another way than the one before it, the first apart. */
export function createWayLimit(
  link: Link,
  gate: UplinkGate,
  onChange: (way: Way, before: Way) => void,
): WayLimit {
  const changes = new Subject<void>();
  let current: Way | null = null;
  return {
    link: {
      ...link,
      connect: (options) =>
        link.connect(options).pipe(
          tap((event) => {
            if (event.type !== 'open') return;
            const before = current;
            current = event.session.way;
            if (before === null || before.index === current.index) return;
            onChange(current, before);
            changes.next();
          }),
        ),
    },
    gate: {
      allows: (lane) => gate.allows(lane) && (current === null || LANES[current.maxLane].has(lane)),
      room: gate.room,
      changes$: merge(gate.changes$, changes),
      status: () => {
        const status = gate.status();
        if (status.why !== null || current === null || current.maxLane === 'backlog') return status;
        return { ...status, phase: 'live_only', why: 'way', until: null };
      },
    },
    current: () => current,
  };
}
