/** What may be handed to the link, by the data budget and the windows. */
import type { StoredFrame } from '../../journal/port.ts';
import type { SendLane } from './metering/data-budget.ts';
import type { UplinkGate } from './metering/gate.ts';

export type Allowed = Readonly<Record<SendLane, boolean>>;

export function allowedBy({ allows }: Pick<UplinkGate, 'allows'>): Allowed {
  return {
    live: allows('live'),
    notable: allows('notable'),
    late: allows('late'),
    backlog: allows('backlog'),
  };
}

/** Whether a fresh frame may go ahead of the backlog. */
export function isLiveAllowed(allowed: Allowed, { notable }: Pick<StoredFrame, 'notable'>): boolean {
  return allowed.live || (notable && allowed.notable);
}

/**
 * Frames that a lane may have in flight. Out of the reserve of a data budget they go one by one: what a frame has cost
 * is known before the next one goes, which may be too much then.
 */
export function mostInFlight(allowed: Allowed): number {
  return allowed.live || !allowed.notable ? Number.POSITIVE_INFINITY : 1;
}
