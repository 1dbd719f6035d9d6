/**
 * What dashboards are sent: the whole fleet at the start, then what changed, at most once every `updateMs`.
 *
 * Each dashboard has at most one message on its way. What changes meanwhile is merged, latest wins, and goes out when the
 * transport can take it: a slow dashboard sees fewer, newer updates and costs one merged delta. One that takes
 * nothing for `stallMs` is cut off; its browser comes back by itself once it can.
 */
import { interval } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { FleetDelta, FleetSnapshot } from '../../protocol/api.ts';
import type { Fleet } from '../aggregate/fleet.ts';
import { createPendingDelta, type PendingDelta } from './pending-delta.ts';

/** One connected dashboard. */
export type DashboardPeer = {
  readonly sendSnapshot: (snapshot: FleetSnapshot) => void;
  readonly sendDelta: (delta: FleetDelta) => void;
  /** Whether everything sent so far has left the process. */
  readonly isFree: () => boolean;
  /** It has taken nothing for too long, and is no longer served. */
  readonly cut: () => void;
};

export type DashboardFeedOptions = {
  readonly fleet: Pick<Fleet, 'snapshot' | 'delta$'>;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  /** Shortest time between two updates of one dashboard, ms. */
  readonly updateMs: number;
  /** How long a dashboard may take nothing, ms. */
  readonly stallMs: number;
};

export type DashboardFeed = {
  readonly join: (peer: DashboardPeer) => void;
  readonly leave: (peer: DashboardPeer) => void;
  readonly size: () => number;
  readonly close: () => void;
};

type Service = { readonly pending: PendingDelta; busySince: number | null };

export function createDashboardFeed({
  fleet,
  clock,
  updateMs,
  stallMs,
}: DashboardFeedOptions): DashboardFeed {
  const served = new Map<DashboardPeer, Service>();

  const serve = (peer: DashboardPeer, service: Service, now: number) => {
    if (peer.isFree()) {
      service.busySince = null;
      const delta = service.pending.take();
      if (delta !== null) peer.sendDelta(delta);
      return;
    }
    service.busySince ??= now;
    if (now - service.busySince < stallMs) return;
    served.delete(peer);
    peer.cut();
  };

  const subscription = fleet.delta$.subscribe((delta) => {
    for (const { pending } of served.values()) pending.add(delta);
  });
  subscription.add(
    interval(updateMs, clock.scheduler).subscribe(() => {
      const now = clock.precise();
      for (const [peer, service] of [...served]) serve(peer, service, now);
    }),
  );
  return {
    join: (peer) => {
      served.set(peer, { pending: createPendingDelta(), busySince: null });
      peer.sendSnapshot(fleet.snapshot());
    },
    leave: (peer) => {
      served.delete(peer);
    },
    size: () => served.size,
    close: () => subscription.unsubscribe(),
  };
}
