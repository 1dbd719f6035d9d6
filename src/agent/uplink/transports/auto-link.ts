/**
 * A link by WebSocket which goes by long polling where something on the way blocks WebSockets. Once they are seen blocked, an hour's
 * connections begin with polling. Each hour an upgrade is tried beside the standing connection; when it gets through, that one
 * ends with a LinkError of kind `moved`, and the next `connect` goes by WebSocket.
 */
import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  map,
  merge,
  type Observable,
  tap,
  throwError,
  timer,
} from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { type ConnectOptions, type Link, LinkError, type LinkEvent, type LinkSession } from '../link.ts';
import type { ProbeResult } from '../ways/routed-link.ts';

export type AutoLinkOptions = {
  readonly websocket: Link;
  readonly polling: Link;
  /** Whether a WebSocket gets through. Emits once. */
  readonly probe: () => Observable<ProbeResult>;
  readonly clock: Pick<Clock, 'scheduler'>;
};

export const UPGRADE_PROBE_MS = 3_600_000;

export function createAutoLink({ websocket, polling, probe, clock: { scheduler } }: AutoLinkOptions): Link {
  /** When a WebSocket is tried again; null: none was seen blocked. */
  let pollUntil: number | null = null;

  const watchUpgrades = (until: number, count: (result: ProbeResult) => void): Observable<never> =>
    timer(Math.max(0, until - scheduler.now()), UPGRADE_PROBE_MS, scheduler).pipe(
      exhaustMap(probe),
      concatMap((result) => {
        count(result);
        if (!result.answers) {
          pollUntil = scheduler.now() + UPGRADE_PROBE_MS;
          return EMPTY;
        }
        pollUntil = null;
        return throwError(
          () => new LinkError('moved', 'WebSockets get through to HQ again; the connection goes by one.'),
        );
      }),
    );

  /** `seen`: what has just shown that WebSockets are blocked. */
  const byPolling = (
    options: ConnectOptions | undefined,
    until: number,
    seen?: LinkError,
  ): Observable<LinkEvent> =>
    defer(() => {
      const probes = { sent: 0, received: 0 };
      let opened = false;
      const upgrades$ = watchUpgrades(until, ({ sent, received }) => {
        probes.sent += sent;
        probes.received += received;
      });
      const events$ = polling.connect(options).pipe(
        map((event): LinkEvent => {
          if (event.type !== 'open') return event;
          opened = true;
          const session = withProbes(event.session, probes);
          return seen === undefined ? { ...event, session } : { ...event, session, blocked: seen.message };
        }),
        tap({
          // What is on the way may have changed.
          error: () => {
            if (!opened) pollUntil = null;
          },
        }),
      );
      return merge(upgrades$, events$);
    });

  return {
    connect: (options) =>
      defer(() => {
        if (pollUntil !== null && scheduler.now() < pollUntil) return byPolling(options, pollUntil);
        return websocket.connect(options).pipe(
          catchError((error: unknown) => {
            if (!(error instanceof LinkError) || error.kind !== 'upgrade_blocked') throw error;
            pollUntil = scheduler.now() + UPGRADE_PROBE_MS;
            return byPolling(options, pollUntil, error);
          }),
        );
      }),
  };
}

/** Probes are made beside the connection and count as its bytes. */
function withProbes(session: LinkSession, probes: { sent: number; received: number }): LinkSession {
  return {
    ...session,
    traffic: () => {
      const { sent, received } = session.traffic();
      return { sent: sent + probes.sent, received: received + probes.received };
    },
  };
}
