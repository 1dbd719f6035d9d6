/**
 * Watches connections of Socket.IO until they have joined a namespace, by progress: a join may take its time on a slow
 * link.
 */
import type { Server as HttpServer } from 'node:http';
import { interval } from 'rxjs';
import type { Server } from 'socket.io';
import type { Clock } from '../../platform/clock.ts';
import { createHalfOpen, type HalfOpenOptions } from '../half-open.ts';
import type { HalfOpenEmit } from '../half-open-events.ts';
import { type EngineTransport, receivedBytes } from '../received-bytes.ts';

export type JoinWatchOptions = Pick<HalfOpenOptions, 'silenceMs' | 'leastBytesPerSecond' | 'max'> & {
  /** The one beneath, whose end ends the watch. */
  readonly server: HttpServer;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly emit: HalfOpenEmit;
};

type JoiningSocket = {
  readonly transport: EngineTransport;
  readonly remoteAddress: string;
  readonly once: (event: 'close', listener: () => void) => void;
  readonly close: (discard: boolean) => void;
};

const SWEEP_MS = 1_000;

export function watchJoins(io: Server, options: JoinWatchOptions): void {
  const { server, emit, clock } = options;
  const halfOpen = createHalfOpen({
    ...options,
    onCount: (count) => emit({ type: 'half_open', kind: 'join', count }),
  });
  const joining = new Map<unknown, () => void>();
  const end = (conn: unknown) => {
    joining.get(conn)?.();
    joining.delete(conn);
  };
  io.engine.on('connection', (socket: JoiningSocket) => {
    const done = halfOpen.begin({
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
