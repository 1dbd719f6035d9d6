/** The one connection to HQ's `/dashboard` namespace. It connects again by itself, also after HQ has cut it off. */
import { Observable, retry, share, switchMap, tap, throwError } from 'rxjs';
import { io } from 'socket.io-client';
import { z } from 'zod';
import { after, monoNow } from '../clock.ts';
import { type ConnectionEvent, readDelta, readSnapshot } from './read-news.ts';
import { reportUnauthorized, token$ } from './session.ts';

/** After HQ refused or cut the connection: Socket.IO does not come back from these by itself. */
const RECONNECT_MS = 1500;

const refusalSchema = z.object({
  message: z.string(),
  data: z.object({ code: z.string().optional() }).nullish(),
});

/** Whether a refusal of the namespace asks for a token. */
export function isUnauthorized(error: unknown): string | null {
  const parsed = refusalSchema.safeParse(error);
  if (!parsed.success) return null;
  const { message, data } = parsed.data;
  return data?.code === 'unauthorized' || /unauthori[sz]ed/i.test(message) ? message : null;
}

class CutOff extends Error {}

/** One socket, from connecting until HQ ends it; errors with `CutOff` when it must be opened again. */
function openSocket(token: string | null): Observable<ConnectionEvent> {
  return new Observable((subscriber) => {
    subscriber.next({ kind: 'link', link: 'connecting' });
    const base = new URL(document.baseURI);
    const socket = io(new URL('/dashboard', base).href, {
      path: new URL('socket.io/', base).pathname,
      auth: token === null ? {} : { token },
      forceNew: true,
      // Long polling only where a proxy lets no WebSocket through.
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 5000,
    });
    socket.on('connect', () => subscriber.next({ kind: 'link', link: 'up' }));
    socket.on('disconnect', () => {
      subscriber.next({ kind: 'link', link: 'down' });
      if (!socket.active) subscriber.error(new CutOff());
    });
    socket.on('connect_error', (error) => {
      const message = isUnauthorized(error);
      if (message !== null) {
        subscriber.next({ kind: 'unauthorized', message });
        subscriber.complete();
        return;
      }
      subscriber.next({ kind: 'link', link: 'down' });
      if (!socket.active) subscriber.error(new CutOff());
    });
    socket.on('snapshot', (message: unknown) => subscriber.next(readSnapshot(message, monoNow())));
    socket.on('delta', (message: unknown) => subscriber.next(readDelta(message, monoNow())));
    return () => socket.disconnect();
  });
}

/** Everything that the connection says; a new token opens it again. */
export const connection$: Observable<ConnectionEvent> = token$.pipe(
  switchMap((token) =>
    openSocket(token).pipe(
      retry({ delay: (error) => (error instanceof CutOff ? after(RECONNECT_MS) : throwError(() => error)) }),
    ),
  ),
  tap((event) => {
    if (event.kind === 'unauthorized') reportUnauthorized(event.message);
  }),
  share(),
);
