/**
 * A client may shut its side of the connection once its request is whole, as `nc -N` does, and wait for the answer.
 * Node's HTTP server would close the connection then, and the answer would be lost.
 *
 * One that has gone for good looks the same. So it is waited for no longer than GRACE_MS.
 */
import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { timer } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';

const GRACE_MS = 5_000;

export function answerHalfClosed(server: HttpServer, { scheduler }: Pick<Clock, 'scheduler'>): void {
  // Of node:http, though its types do not have it.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('connection', (tcp: Socket) => {
    tcp.once('end', () => {
      const grace = timer(GRACE_MS, scheduler).subscribe(() => tcp.destroy());
      tcp.once('close', () => grace.unsubscribe());
    });
  });
}
