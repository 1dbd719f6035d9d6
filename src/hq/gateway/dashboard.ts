/**
 * The `/dashboard` namespace: a snapshot at the start, then what changed, at most once every `updateMs`.
 *
 * Each dashboard has at most one message on its way. What changes meanwhile is merged, latest wins, and goes out when the
 * transport can take it: a slow dashboard sees fewer, newer updates and costs one merged delta. One that takes
 * nothing for `stallMs` is cut off; its browser comes back by itself once it can.
 */
import { interval } from 'rxjs';
import type { DefaultEventsMap, Namespace, Server, Socket } from 'socket.io';
import type { Clock } from '../../platform/clock.ts';
import type { Emit } from '../../platform/telemetry.ts';
import type { HqToDashboardEvents } from '../../protocol/fleet.ts';
import { type Access, handshakeRequest } from '../access.ts';
import type { Fleet } from '../aggregate/fleet.ts';
import type { GatewayEvents } from './gateway-events.ts';
import { createPendingDelta, type PendingDelta } from './pending-delta.ts';

type NoEvents = Record<string, never>;
type DashboardNamespace = Namespace<NoEvents, HqToDashboardEvents, DefaultEventsMap, unknown>;
type DashboardSocket = Socket<NoEvents, HqToDashboardEvents, DefaultEventsMap, unknown>;

export type DashboardOptions = {
  readonly io: Server;
  readonly fleet: Pick<Fleet, 'snapshot' | 'delta$'>;
  readonly access: Access;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly emit: Emit<GatewayEvents>;
  /** Shortest time between two updates of one dashboard, ms. */
  readonly updateMs: number;
  /** How long a dashboard may take nothing, ms. */
  readonly stallMs: number;
  readonly maxDashboards: number;
};

type Viewer = { readonly socket: DashboardSocket; readonly pending: PendingDelta; busySince: number | null };

/** Serves dashboards until the returned function is called. */
export function attachDashboards(options: DashboardOptions): () => void {
  const { access, clock, emit, fleet } = options;
  const namespace: DashboardNamespace = options.io.of('/dashboard');
  const viewers = new Map<string, Viewer>();
  const count = () => emit({ type: 'dashboards', connected: viewers.size });

  namespace.use((socket, next) => {
    const admission = access.admit('operator', handshakeRequest(socket.handshake));
    const address = socket.handshake.address;
    if (!admission.ok) {
      emit({
        type: 'access_refused',
        role: 'operator',
        reason: admission.reason,
        address,
        where: '/dashboard',
      });
      next(refusal(admission.reason === 'token' ? 'unauthorized' : 'forbidden', admission.message));
    } else if (viewers.size >= options.maxDashboards) {
      emit({ type: 'dashboard_cut', reason: 'too_many', address });
      next(refusal('unavailable', `${options.maxDashboards} dashboards are connected already`));
    } else next();
  });
  namespace.on('connection', (socket) => {
    viewers.set(socket.id, { socket, pending: createPendingDelta(), busySince: null });
    socket.on('disconnect', () => {
      viewers.delete(socket.id);
      count();
    });
    socket.emit('snapshot', fleet.snapshot());
    count();
  });

  const serve = (viewer: Viewer, now: number) => {
    if (isFree(viewer.socket)) {
      viewer.busySince = null;
      const delta = viewer.pending.take();
      if (delta !== null) viewer.socket.volatile.emit('delta', delta);
      return;
    }
    viewer.busySince ??= now;
    if (now - viewer.busySince < options.stallMs) return;
    emit({ type: 'dashboard_cut', reason: 'stalled', address: viewer.socket.handshake.address });
    viewers.delete(viewer.socket.id);
    // An orderly close waits for the peer, and keeps the buffers of one that never answers.
    viewer.socket.conn.close(true);
    viewer.socket.request.socket.destroy();
    count();
  };

  const subscription = fleet.delta$.subscribe((delta) => {
    for (const { pending } of viewers.values()) pending.add(delta);
  });
  subscription.add(
    interval(options.updateMs, clock.scheduler).subscribe(() => {
      const now = clock.precise();
      for (const viewer of [...viewers.values()]) serve(viewer, now);
    }),
  );
  return () => {
    subscription.unsubscribe();
    namespace.disconnectSockets(true);
  };
}

/** Whether everything sent so far has left the process. */
function isFree(socket: DashboardSocket): boolean {
  return socket.conn.transport.writable;
}

function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { data: { code, message } });
}
