/** The `/dashboard` namespace: who may look on, and the feed over Socket.IO. */
import type { DefaultEventsMap, Namespace, Server, Socket } from 'socket.io';
import type { Emit } from '../../platform/telemetry.ts';
import type { HqToDashboardEvents } from '../../protocol/api.ts';
import { type Access, handshakeRequest } from '../access.ts';
import { clientAddress } from '../client-address.ts';
import { createDashboardFeed, type DashboardFeedOptions, type DashboardPeer } from './dashboard-feed.ts';
import type { GatewayEvents } from './gateway-events.ts';

type NoEvents = Record<string, never>;
type DashboardNamespace = Namespace<NoEvents, HqToDashboardEvents, DefaultEventsMap, unknown>;
type DashboardSocket = Socket<NoEvents, HqToDashboardEvents, DefaultEventsMap, unknown>;

export type DashboardOptions = DashboardFeedOptions & {
  readonly io: Server;
  readonly access: Access;
  readonly emit: Emit<GatewayEvents>;
  readonly maxDashboards: number;
  /** See client-address.ts. */
  readonly trustedProxies: number;
};

/** Serves dashboards until the returned function is called. */
export function attachDashboards(options: DashboardOptions): () => void {
  const { access, emit } = options;
  const namespace: DashboardNamespace = options.io.of('/dashboard');
  const feed = createDashboardFeed(options);
  const addressOf = ({ handshake }: DashboardSocket) =>
    clientAddress(handshake.headers, handshake.address, options.trustedProxies);
  const count = () => emit({ type: 'dashboards', connected: feed.size() });

  namespace.use((socket, next) => {
    const address = addressOf(socket);
    access.admit('operator', handshakeRequest(socket.handshake)).subscribe({
      next: (admission) => {
        if (!admission.ok) {
          const { reason, message } = admission;
          emit({ type: 'access_refused', role: 'operator', reason, address, where: '/dashboard' });
          next(refusal(reason === 'token' ? 'unauthorized' : 'forbidden', message));
        } else if (feed.size() >= options.maxDashboards) {
          emit({ type: 'dashboard_cut', reason: 'too_many', address });
          next(refusal('unavailable', `${options.maxDashboards} dashboards are connected already`));
        } else next();
      },
      error: () => next(refusal('unavailable', 'HQ cannot look up who this is just now')),
    });
  });
  namespace.on('connection', (socket) => {
    const peer = peerOf(socket, () => {
      emit({ type: 'dashboard_cut', reason: 'stalled', address: addressOf(socket) });
      count();
    });
    socket.on('disconnect', () => {
      feed.leave(peer);
      count();
    });
    feed.join(peer);
    count();
  });
  return () => {
    feed.close();
    namespace.disconnectSockets(true);
  };
}

function peerOf(socket: DashboardSocket, onCut: () => void): DashboardPeer {
  return {
    sendSnapshot: (snapshot) => socket.emit('snapshot', snapshot),
    sendDelta: (delta) => socket.volatile.emit('delta', delta),
    isFree: () => socket.conn.transport.writable,
    cut: () => {
      // An orderly close waits for the peer, and keeps the buffers of one that never answers.
      socket.conn.close(true);
      socket.request.socket.destroy();
      onCut();
    },
  };
}

function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { data: { code, message } });
}
