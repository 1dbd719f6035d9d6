/**
 * Lets any byte that arrives count as the answer to a ping.
 *
 * Engine.IO closes a connection when no pong has come `pingTimeout` after a ping. On a slow link the pong waits behind
 * a frame whose bytes arrive all the time. Just before the time is over, a connection that has received anything since
 * the ping is given its pong. One that has not is closed by Engine.IO, as ever.
 */
import type { EventEmitter } from 'node:events';
import { Subscription, timer } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { type EngineTransport, receivedBytes } from '../received-bytes.ts';

type Packet = { readonly type: string };

export type PingedSocket = {
  /** Another one after an upgrade. */
  readonly transport: EngineTransport & Pick<EventEmitter, 'emit'>;
  readonly on: (event: 'packetCreate' | 'packet' | 'close', listener: (packet: Packet) => void) => void;
};

/** Ahead of Engine.IO's own timer, which was started with the same ping, ms. */
const AHEAD_MS = 5;

export function countProgressAsPong(
  socket: PingedSocket,
  { pingTimeoutMs, clock }: { readonly pingTimeoutMs: number; readonly clock: Pick<Clock, 'scheduler'> },
): void {
  let waiting = Subscription.EMPTY;
  let packets = 0;
  const progress = () => packets + receivedBytes(socket.transport);
  socket.on('packetCreate', ({ type }) => {
    if (type !== 'ping') return;
    const before = progress();
    waiting.unsubscribe();
    waiting = timer(Math.max(1, pingTimeoutMs - AHEAD_MS), clock.scheduler).subscribe(() => {
      if (progress() !== before) socket.transport.emit('packet', { type: 'pong' });
    });
  });
  socket.on('packet', ({ type }) => {
    packets += 1;
    if (type === 'pong') waiting.unsubscribe();
  });
  socket.on('close', () => waiting.unsubscribe());
}
