/**
 * One link over several ways to the same HQ. A connection is over one way; the choice of the next is in way-choice.ts.
 *
 * Within one `connect` all ways are tried, one after the other, until one opens. A better way than the standing one is asked
 * beside it; when it is time to go back the connection ends with a LinkError of kind `moved`, and the next `connect` goes there.
 */
import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  finalize,
  from,
  map,
  merge,
  type Observable,
  Subject,
  switchMap,
  tap,
  throwError,
  timer,
} from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import {
  type ConnectOptions,
  type Link,
  LinkError,
  type LinkEvent,
  type LinkSession,
  type Way,
} from '../link.ts';
import {
  isReturnDue,
  LEAST_ANSWERS,
  newWayChoice,
  nextWayChoice,
  orderOf,
  type WayChoice,
  type WayEvent,
} from './way-choice.ts';

/** Whether HQ answers there, and the bytes that it took both ways. Never errors. */
export type ProbeResult = { readonly answers: boolean; readonly sent: number; readonly received: number };

export type RoutedWay = {
  readonly way: Way;
  readonly link: Link;
  /** Emits once. */
  readonly probe: () => Observable<ProbeResult>;
};

export type RoutedLinkOptions = {
  /** Best first, at least one. */
  readonly ways: readonly RoutedWay[];
  /** How long a better way must answer before the connection goes back to it, ms. */
  readonly returnAfterMs: number;
  readonly clock: Pick<Clock, 'scheduler'>;
};

type Told =
  | Omit<Extract<WayEvent, { type: 'failed' | 'proven' | 'lost' }>, 'at'>
  | { readonly type: 'moved' };

export function createRoutedLink({ ways, returnAfterMs, clock: { scheduler } }: RoutedLinkOptions): Link {
  const [only] = ways;
  if (only !== undefined && ways.length === 1) return only.link;
  let choice: WayChoice = newWayChoice(ways.length);
  const note = (event: WayEvent) => {
    choice = nextWayChoice(choice, event, returnAfterMs);
  };
  const told = (event: Told) => note({ ...event, at: scheduler.now() });

  /** Asks the ways above `index` again and again; errors when it is time to go back. */
  const watchBetter = (index: number, count: (result: ProbeResult) => void): Observable<never> =>
    timer(returnAfterMs / LEAST_ANSWERS, returnAfterMs / LEAST_ANSWERS, scheduler).pipe(
      exhaustMap(() =>
        from(ways.slice(0, index)).pipe(
          concatMap(({ way, probe }) =>
            probe().pipe(
              tap((result) => {
                count(result);
                note({ type: 'probed', index: way.index, answers: result.answers, at: scheduler.now() });
              }),
            ),
          ),
        ),
      ),
      concatMap(() => {
        const better = ways[choice.better?.index ?? -1];
        if (better === undefined || !isReturnDue(choice, scheduler.now(), returnAfterMs)) return EMPTY;
        told({ type: 'moved' });
        const message = `The better way to HQ over ${better.way.url} answers again; the connection goes there.`;
        return throwError(() => new LinkError('moved', message));
      }),
    );

  /** `isFirst`: nothing was tried before it in this attempt. */
  const over = (
    { way, link }: RoutedWay,
    options: ConnectOptions | undefined,
    isFirst: boolean,
  ): Observable<LinkEvent> =>
    defer(() => {
      const { index } = way;
      const proven$ = new Subject<void>();
      const probes = { sent: 0, received: 0 };
      let opened = false;
      let proven = false;
      let settled = false;
      const prove = () => {
        if (proven) return;
        proven = true;
        told({ type: 'proven', index });
        proven$.next();
      };
      const settle = () => {
        if (settled) return;
        settled = true;
        told({ type: proven ? 'lost' : 'failed', index });
      };
      const better$ = proven$.pipe(
        switchMap(() =>
          watchBetter(index, ({ sent, received }) => {
            probes.sent += sent;
            probes.received += received;
          }),
        ),
      );
      const events$ = link.connect(options).pipe(
        map((event) => {
          if (event.type !== 'open') return event;
          opened = true;
          return { ...event, session: watched(event.session, probes, prove) };
        }),
      );
      return merge(better$, events$).pipe(
        tap({
          error: (error: unknown) => {
            if (error instanceof LinkError && error.kind === 'moved') settled = true;
            else settle();
          },
        }),
        finalize(() => {
          // A way that was given less than its time, because others were tried before it, is tried first the next time.
          if (opened || isFirst) settle();
        }),
      );
    });

  const attempt = (
    [index, ...rest]: readonly number[],
    options: ConnectOptions | undefined,
    failures: readonly LinkError[],
  ): Observable<LinkEvent> => {
    const routed = ways[index ?? -1];
    if (routed === undefined) return throwError(() => allFailed(failures));
    let opened = false;
    return over(routed, options, failures.length === 0).pipe(
      tap(() => {
        opened = true;
      }),
      catchError((error: unknown) => {
        if (opened || !(error instanceof LinkError)) throw error;
        return attempt(rest, options, [...failures, error]);
      }),
    );
  };
  return { connect: (options) => defer(() => attempt(orderOf(choice), options, [])) };
}

/** A session that tells once HQ takes more than a hello, and counts the probes beside it. */
function watched(
  session: LinkSession,
  probes: { sent: number; received: number },
  prove: () => void,
): LinkSession {
  const proving = <T extends { readonly ok: boolean }>(answer: Observable<T>) =>
    answer.pipe(tap(({ ok }) => ok && prove()));
  return {
    ...session,
    frame: (meta, bytes) => proving(session.frame(meta, bytes)),
    heartbeat: (heartbeat) => proving(session.heartbeat(heartbeat)),
    traffic: () => {
      const { sent, received } = session.traffic();
      return { sent: sent + probes.sent, received: received + probes.received };
    },
  };
}

/** Of the first way that was tried, with what came of the others. */
function allFailed(failures: readonly LinkError[]): LinkError {
  const [first, ...others] = failures;
  if (first === undefined) return new LinkError('closed', 'There is no way to HQ.');
  if (others.length === 0) return first;
  const message = `${first.message} No other way: ${others.map((one) => one.message).join(' ')}`;
  return new LinkError(first.kind, message, {
    cause: first,
    ...(first.wire === null ? {} : { wire: first.wire }),
  });
}
