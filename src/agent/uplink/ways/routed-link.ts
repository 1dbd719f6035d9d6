/**
 * One link over several ways to the same HQ. A connection is over one way; the choice of the next is in way-choice.ts.
 *
 * Within one `connect` the ways are tried, one after the other, until one opens. What HQ then makes of the hello is
 * heard through `judge`: where it speaks of the way, the next `connect` follows at once, until each has failed. A
 * better way than the standing one is asked alongside it, and in the end a connection opened there; only then the
 * standing one ends, with a LinkError of kind `moved`, and the next `connect` goes there.
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

type Bytes = Omit<ProbeResult, 'answers'>;

type Context = RoutedLinkOptions & {
  choice: WayChoice;
  standing: Standing | null;
  /** Of the ways that have failed in this round. */
  failures: readonly LinkError[];
};

export function createRoutedLink(options: RoutedLinkOptions): Link {
  const { ways } = options;
  const { scheduler } = options.clock;
  const [only] = ways;
  if (only !== undefined && ways.length === 1) return only.link;
  const context: Context = { ...options, choice: newWayChoice(ways.length), standing: null, failures: [] };
  return {
    connect: (wishes) => defer(() => attempt(context, orderOf(context.choice, scheduler.now()), wishes, [])),
    judge: (error) => {
      context.standing?.settle(error);
      const verdict = verdictOn(error);
      if (verdict !== 'passing' && verdict !== 'lasting') return error;
      if (hasAnother(context.choice, scheduler.now())) return withAnother(error);
      const all = context.failures.length > 1 ? allFailed(context.failures) : error;
      context.failures = [];
      note(context, { type: 'round_over' });
      return all;
    },
  };
}

function note(context: Context, event: WayEvent): void {
  context.choice = nextWayChoice(context.choice, event, context.returnAfterMs);
}

function attempt(
  context: Context,
  [index, ...rest]: readonly number[],
  wishes: ConnectOptions | undefined,
  before: readonly LinkError[],
): Observable<LinkEvent> {
  const routed = context.ways[index ?? -1];
  if (routed === undefined) return throwError(() => allFailed(before));
  let opened = false;
  return over(context, routed, wishes, before.length === 0).pipe(
    tap(() => {
      opened = true;
    }),
    catchError((error: unknown) => {
      if (opened || !(error instanceof LinkError) || verdictOn(error) === 'agent') throw error;
      return attempt(context, rest, wishes, [...before, error]);
    }),
  );
}

/** `isFirst`: nothing was tried before it in this attempt. */
function over(
  context: Context,
  routed: RoutedWay,
  wishes: ConnectOptions | undefined,
  isFirst: boolean,
): Observable<LinkEvent> {
  return defer(() => {
    const { index } = routed.way;
    const probes = { sent: 0, received: 0 };
    const { prove, settle, proven$ } = createStanding(context, routed.way);
    let opened = false;
    context.standing = { settle };
    const better$ = proven$.pipe(
      switchMap(() =>
        watchBetter(context, index, ({ sent, received }) => {
          probes.sent += sent;
          probes.received += received;
        }),
      ),
    );
    const events$ = routed.link.connect(wishes).pipe(
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
}

/** What becomes of one connection, or attempt at one: that the way works, and why it ended. Each counts once. */
function createStanding(
  context: Context,
  way: Way,
): Standing & { readonly prove: () => void; readonly proven$: Observable<void> } {
  const { watch } = context;
  const { scheduler } = context.clock;
  const { index } = way;
  const proven$ = new Subject<void>();
  let proven = false;
  let settled = false;
  return {
    proven$,
    prove: () => {
      if (proven) return;
      proven = true;
      context.failures = [];
      note(context, { type: 'proven', index, at: scheduler.now() });
      watch.works(way);
      proven$.next();
    },
    settle: (error) => {
      if (settled) return;
      settled = true;
      const verdict = error === null ? 'passing' : verdictOn(error);
      if (verdict === 'agent') return;
      const at = scheduler.now();
      const isLasting = verdict === 'lasting';
      if (proven && !isLasting) return note(context, { type: 'lost', index, at });
      if (verdict === 'hq') return note(context, { type: 'busy', index, at });
      if (error !== null) context.failures = [...context.failures, error];
      note(context, { type: 'failed', index, isLasting, at });
      watch.failed(way, error);
    },
  };
}

/** Asks the ways above `index` again and again; errors when it is time to go back. */
function watchBetter(context: Context, index: number, count: (bytes: Bytes) => void): Observable<never> {
  const { ways, returnAfterMs } = context;
  const { scheduler } = context.clock;
  const probe$ = ({ way, probe }: RoutedWay) =>
    probe().pipe(
      tap((result) => {
        count(result);
        note(context, { type: 'probed', index: way.index, answers: result.answers, at: scheduler.now() });
      }),
      ignoreElements(),
    );
  const watched$ = defer(() =>
    from(ways.slice(0, index).filter((one) => isWatched(context.choice, one.way.index, scheduler.now()))),
  ).pipe(concatMap(probe$));
  const everyMs = returnAfterMs / LEAST_ANSWERS;
  return timer(everyMs, everyMs, scheduler).pipe(exhaustMap(() => concat(watched$, goBack(context, count))));
}

function goBack(context: Context, count: (bytes: Bytes) => void): Observable<never> {
  const { ways, returnAfterMs, watch } = context;
  const { scheduler } = context.clock;
  return defer((): Observable<never> => {
    const better = ways[context.choice.better?.index ?? -1];
    if (better === undefined || !isReturnDue(context.choice, scheduler.now(), returnAfterMs)) return EMPTY;
    return openBeside(better.link, { scheduler, onTraffic: count }).pipe(
      concatMap((error) => {
        const at = scheduler.now();
        if (error !== null) {
          const verdict = verdictOn(error);
          const isLasting = verdict === 'lasting';
          note(context, { type: 'unopened', index: better.way.index, isLasting, at });
          if (isLasting || verdict === 'passing') watch.failed(better.way, error);
          return EMPTY;
        }
        note(context, { type: 'moved', at });
        const message = `The better way to HQ over ${better.way.url} answers again; the connection goes there.`;
        return throwError(() => new LinkError('moved', message));
      }),
    );
  });
}

/** A session that tells once HQ takes more than a hello, and counts the probes alongside it. */
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
