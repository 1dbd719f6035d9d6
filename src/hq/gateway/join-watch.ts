/**
 * Watches connections of Socket.IO until they have joined a namespace, by progress: a join may take its time on a slow
 * link.
 */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { interval } from 'rxjs';
import type { Server } from 'socket.io';
import type { Clock } from '../../platform/clock.ts';
import { clientAddress } from '../client-address.ts';
import { createHalfOpen, type HalfOpenOptions } from '../half-open.ts';
import type { HalfOpenEmit } from '../half-open-events.ts';
import { type EngineTransport, receivedBytes } from '../received-bytes.ts';

export type JoinWatchOptions = Pick<HalfOpenOptions, 'silenceMs' | 'leastBytesPerSecond' | 'max'> & {
  readonly trustedProxies: number;
  /** The one beneath, whose end ends the watch. */
  readonly server: HttpServer;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly emit: HalfOpenEmit;
};

type JoiningSocket = {
  readonly request: IncomingMessage;
  readonly transport: EngineTransport;
  readonly remoteAddress: string;
  readonly once: (event: 'close', listener: () => void) => void;
  readonly close: (discard: boolean) => void;
};

/** How often they are looked at: what one sends meanwhile is held. */
const SWEEP_MS = 250;
/** A join says one token; a WebSocket would hold a message of a megabyte for each connection. */
const MOST_BYTES = 64 * 1024;

export function watchJoins(io: Server, options: JoinWatchOptions): void {
  const { server, emit, clock } = options;
  const halfOpen = createHalfOpen({
    ...options,
    mostBytes: MOST_BYTES,
    onCount: (count) => emit({ type: 'half_open', kind: 'join', count }),
  });
  const joining = new Map<unknown, () => void>();
  const end = (conn: unknown) => {
    joining.get(conn)?.();
    joining.delete(conn);
  };
  io.engine.on('connection', (socket: JoiningSocket) => {
    const done = halfOpen.begin({
      address: clientAddress(socket.request.headers, socket.remoteAddress, options.trustedProxies),
      received: () => receivedBytes(socket.transport),
      cut: (reason) => {
        joining.delete(socket);
        emit({ type: 'half_open_cut', kind: 'join', reason, address: socket.remoteAddress });
        socket.close(true);
      },
    });
    joining.set(socket, done);
    socket.once('close', () => end(socket));
  });
  io.on('new_namespace', (namespace) => {
    namespace.on('connection', (socket) => end(socket.conn));
  });
  const sweeping = interval(SWEEP_MS, clock.scheduler).subscribe(halfOpen.sweep);
  server.once('close', () => sweeping.unsubscribe());
}
