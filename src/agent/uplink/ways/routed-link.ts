/**
 * One link over several ways to the same HQ. A connection is over one way; the choice of the next is in way-choice.ts.
 *
 * Within one `connect` the ways are tried, one after the other, until one opens. What HQ then makes of the hello is heard through `judge`:
 * where it speaks of the way, the next `connect` follows at once, until each has failed. A better way than the standing one is asked
 * beside it, and in the end a connection opened there; only then the standing one ends, with a LinkError of kind `moved`, and the
 * next `connect` goes there.
 */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  finalize,
  from,
  ignoreElements,
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
import type { FailingWays } from './failing-ways.ts';
import { openBeside, type ProbeResult } from './open-beside.ts';
import {
  hasAnother,
  isReturnDue,
  isWatched,
  LEAST_ANSWERS,
  newWayChoice,
  nextWayChoice,
  orderOf,
  type WayChoice,
  type WayEvent,
} from './way-choice.ts';
import { verdictOn } from './way-verdict.ts';

export type RoutedWay = {
  readonly way: Way;
  readonly link: Link;
  /** Whether this agent's HQ answers there. Emits once, never errors. */
  readonly probe: () => Observable<ProbeResult>;
};

export type RoutedLinkOptions = {
  /** Best first, at least one. */
  readonly ways: readonly RoutedWay[];
  /** How long a better way must answer before the connection goes back to it, ms. */
  readonly returnAfterMs: number;
  readonly clock: Pick<Clock, 'scheduler'>;
  /** To be told which ways work and which do not. */
  readonly watch: Pick<FailingWays, 'failed' | 'works'>;
};

/** The connection, or the latest attempt at one. */
type Standing = {
  /** To be told why it ends; only the first reason counts. */
  readonly settle: (error: LinkError | null) => void;
};

export function createRoutedLink(options: RoutedLinkOptions): Link {
  const { ways, returnAfterMs, watch } = options;
  const { scheduler } = options.clock;
  const [only] = ways;
  if (only !== undefined && ways.length === 1) return only.link;
  let choice: WayChoice = newWayChoice(ways.length);
  let standing: Standing | null = null;
  /** Of the ways that have failed in this round. */
  let failures: readonly LinkError[] = [];
  const note = (event: WayEvent) => {
    choice = nextWayChoice(choice, event, returnAfterMs);
  };

  /** Asks the ways above `index` again and again; errors when it is time to go back. */
  const watchBetter = (index: number, count: (result: Omit<ProbeResult, 'answers'>) => void) => {
    const probe$ = ({ way, probe }: RoutedWay) =>
      probe().pipe(
        tap((result) => {
          count(result);
          note({ type: 'probed', index: way.index, answers: result.answers, at: scheduler.now() });
        }),
        ignoreElements(),
      );
    const watched$ = defer(() =>
      from(ways.slice(0, index).filter((one) => isWatched(choice, one.way.index, scheduler.now()))),
    ).pipe(concatMap(probe$));
    const goBack$ = defer((): Observable<never> => {
      const better = ways[choice.better?.index ?? -1];
      if (better === undefined || !isReturnDue(choice, scheduler.now(), returnAfterMs)) return EMPTY;
      return openBeside(better.link, { scheduler, onTraffic: count }).pipe(
        concatMap((error) => {
          const at = scheduler.now();
          if (error !== null) {
            const verdict = verdictOn(error);
            const isLasting = verdict === 'lasting';
            note({ type: 'unopened', index: better.way.index, isLasting, at });
            if (isLasting || verdict === 'passing') watch.failed(better.way, error);
            return EMPTY;
          }
          note({ type: 'moved', at });
          const message = `The better way to HQ over ${better.way.url} answers again; the connection goes there.`;
          return throwError(() => new LinkError('moved', message));
        }),
      );
    });
    const everyMs = returnAfterMs / LEAST_ANSWERS;
    return timer(everyMs, everyMs, scheduler).pipe(exhaustMap(() => concat(watched$, goBack$)));
  };

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
        failures = [];
        note({ type: 'proven', index, at: scheduler.now() });
        watch.works(way);
        proven$.next();
      };
      const settle = (error: LinkError | null) => {
        if (settled) return;
        settled = true;
        const verdict = error === null ? 'passing' : verdictOn(error);
        if (verdict === 'agent') return;
        const at = scheduler.now();
        const isLasting = verdict === 'lasting';
        if (proven && !isLasting) return note({ type: 'lost', index, at });
        if (verdict === 'hq') return note({ type: 'busy', index, at });
        if (error !== null) failures = [...failures, error];
        note({ type: 'failed', index, isLasting, at });
        watch.failed(way, error);
      };
      standing = { settle };
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
        tap({ error: (error: unknown) => settle(error instanceof LinkError ? error : null) }),
        finalize(() => {
          // A way that was given less than its time, because others were tried before it, is tried first the next time.
          if (opened || isFirst) settle(null);
        }),
      );
    });

  const attempt = (
    [index, ...rest]: readonly number[],
    options: ConnectOptions | undefined,
    before: readonly LinkError[],
  ): Observable<LinkEvent> => {
    const routed = ways[index ?? -1];
    if (routed === undefined) return throwError(() => allFailed(before));
    let opened = false;
    return over(routed, options, before.length === 0).pipe(
      tap(() => {
        opened = true;
      }),
      catchError((error: unknown) => {
        if (opened || !(error instanceof LinkError) || verdictOn(error) === 'agent') throw error;
        return attempt(rest, options, [...before, error]);
      }),
    );
  };
  return {
    connect: (options) => defer(() => attempt(orderOf(choice, scheduler.now()), options, [])),
    judge: (error) => {
      standing?.settle(error);
      const verdict = verdictOn(error);
      if (verdict !== 'passing' && verdict !== 'lasting') return error;
      if (hasAnother(choice, scheduler.now())) return withAnother(error);
      const all = failures.length > 1 ? allFailed(failures) : error;
      failures = [];
      note({ type: 'round_over' });
      return all;
    },
  };
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

/** Of the way that may be back the soonest, with what came of the others. */
function allFailed(failures: readonly LinkError[]): LinkError {
  const first = failures.find((one) => verdictOn(one) === 'passing') ?? failures[0];
  if (first === undefined) return new LinkError('closed', 'There is no way to HQ.');
  if (failures.length === 1) return first;
  const others = failures.filter((one) => one !== first).map((one) => one.message);
  const message = `${first.message} No other way: ${others.join(' ')}`;
  return new LinkError(first.kind, message, {
    cause: first,
    ...(first.wire === null ? {} : { wire: first.wire }),
  });
}

function withAnother(error: LinkError): LinkError {
  const { kind, message, wire, upgrade } = error;
  return new LinkError(kind, message, {
    cause: error,
    isElsewhere: true,
    ...(wire === null ? {} : { wire }),
    ...(upgrade === null ? {} : { upgrade }),
  });
}
