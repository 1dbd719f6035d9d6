/**
 * What dashboards are sent: the whole fleet at the start, then what changed, at most once every `updateMs`.
 *
 * Each dashboard has at most one message on its way. What changes meanwhile is merged, latest wins, and goes out when
 * the transport can take it: a slow dashboard sees fewer, newer updates and costs one merged delta. One that takes
 * nothing for `stallMs` is cut off; its browser comes back by itself once it can.
 */
import { filter, first, interval, type Observable, retry, Subject, type Subscription, scan } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { FleetDelta, FleetSnapshot } from '../../protocol/api.ts';
import { conflate } from '../../streams/conflate.ts';
import type { Fleet } from '../aggregate/fleet.ts';
import { addDelta, mergedDelta } from './pending-delta.ts';

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

export function createDashboardFeed({
  fleet,
  clock,
  updateMs,
  stallMs,
}: DashboardFeedOptions): DashboardFeed {
  const served = new Map<DashboardPeer, Subscription>();
  const tick$ = new Subject<number>();
  const ticking = interval(updateMs, clock.scheduler).subscribe(() => tick$.next(clock.precise()));
  const leave = (peer: DashboardPeer) => {
    served.get(peer)?.unsubscribe();
    served.delete(peer);
  };
  const cut = (peer: DashboardPeer) => {
    leave(peer);
    peer.cut();
  };
  const serve = (peer: DashboardPeer): Subscription => {
    const serving = stalled(tick$, peer, stallMs).subscribe(() => cut(peer));
    const free = () => tick$.pipe(filter(peer.isFree));
    // The store cannot say just now: the next tick tries again.
    const snapshot$ = fleet.snapshot().pipe(retry({ delay: () => tick$ }));
    serving.add(
      snapshot$.subscribe((snapshot) => {
        // From now on: what came before is in the snapshot.
        serving.add(
          fleet.delta$
            .pipe(conflate(free, addDelta))
            .subscribe((pending) => peer.sendDelta(mergedDelta(pending))),
        );
        peer.sendSnapshot(snapshot);
      }),
    );
    return serving;
  };
  return {
    join: (peer) => {
      served.set(peer, serve(peer));
    },
    leave,
    size: () => served.size,
    close: () => {
      ticking.unsubscribe();
      for (const serving of served.values()) serving.unsubscribe();
    },
  };
}

/** Emits once the peer has taken nothing for `stallMs`. */
function stalled(tick$: Observable<number>, { isFree }: DashboardPeer, stallMs: number): Observable<unknown> {
  return tick$.pipe(
    scan(
      ({ since }: { readonly since: number | null; readonly now: number }, now: number) => ({
        since: isFree() ? null : (since ?? now),
        now,
      }),
      { since: null, now: 0 },
    ),
    first(({ since, now }) => since !== null && now - since >= stallMs),
  );
}
