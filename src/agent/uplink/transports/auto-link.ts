/**
 * A link by WebSocket which goes by long polling where something on the way blocks WebSockets.
 *
 * - Some answers to the upgrade name it (`upgrade_blocked`): polling follows within the same attempt.
 * - Other failures at the upgrade (closed, silence, a page, HTTP 502) happen where HQ is down as well. One of them is
 *   followed by polling, the next time two, up to MAX_FAILURES; four and more on a way that has carried a WebSocket.
 *   Polling that opens then is the proof that HQ is there, and an upgrade alongside it at once shows whether WebSockets
 *   are blocked.
 * - Once they are blocked, an hour's connections begin with polling. Each hour an upgrade is tried alongside the
 *   standing connection; when it gets through, that one ends with a LinkError of kind `moved`, and the next `connect`
 *   goes by WebSocket.
 */
import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  finalize,
  merge,
  type Observable,
  of,
  Subject,
  switchMap,
  take,
  tap,
  throwError,
  timer,
} from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { type ConnectOptions, type Link, LinkError, type LinkEvent, type LinkSession } from '../link.ts';
import type { ProbeResult } from '../ways/open-beside.ts';

export type AutoLinkOptions = {
  readonly websocket: Link;
  readonly polling: Link;
  /** Whether a WebSocket gets through. Emits once. */
  readonly probe: () => Observable<ProbeResult>;
  readonly clock: Pick<Clock, 'scheduler'>;
};

export const UPGRADE_PROBE_MS = 3_600_000;
/** Failures at the upgrade before polling is tried on a way that has carried a WebSocket. */
export const PROVEN_FAILURES = 4;
/** The most failures at the upgrade between two tries by polling. */
export const MAX_FAILURES = 16;
export const MEANWHILE = 'It is delivered by long polling meanwhile; a WebSocket is tried again each hour.';

type Block = {
  /** When a WebSocket is tried again, ms. */
  until: number;
  /** Whether an upgrade failed while HQ was there. */
  isCertain: boolean;
  /** What was seen, until it was told. */
  readonly seen: LinkError;
  isTold: boolean;
};

/** When a failure at the upgrade is followed by polling. */
type Suspicion = { readonly failures: number; readonly enough: number };
const UNPROVEN: Suspicion = { failures: 0, enough: 1 };
const PROVEN: Suspicion = { failures: 0, enough: PROVEN_FAILURES };

type Blocked = Extract<LinkEvent, { type: 'blocked' }>;

/** What is known of the way. */
type Known = { block: Block | null; suspicion: Suspicion };
type Context = AutoLinkOptions & { readonly known: Known };

export function createAutoLink(options: AutoLinkOptions): Link {
  const known: Known = { block: null, suspicion: UNPROVEN };
  const context: Context = { ...options, known };
  const { scheduler } = options.clock;
  return {
    connect: (wishes) =>
      defer(() => {
        const { block } = known;
        if (block !== null && scheduler.now() < block.until) return byPolling(context, wishes, block);
        let opened = false;
        return options.websocket.connect(wishes).pipe(
          tap(() => {
            opened = true;
            known.block = null;
            known.suspicion = PROVEN;
          }),
          catchError((error: unknown) => {
            if (opened || !(error instanceof LinkError)) throw error;
            return afterWebSocket(context, wishes, error);
          }),
        );
      }),
  };
}

/** No WebSocket has opened. Throws the error where polling is not to follow. */
function afterWebSocket(
  context: Context,
  wishes: ConnectOptions | undefined,
  error: LinkError,
): Observable<LinkEvent> {
  const { known } = context;
  const { suspicion } = known;
  if (error.kind === 'upgrade_blocked') {
    const until = context.clock.scheduler.now() + UPGRADE_PROBE_MS;
    return byPolling(context, wishes, { until, isCertain: true, seen: error, isTold: false });
  }
  // The link is down, or HQ has spoken.
  if (error.upgrade === null) {
    known.suspicion = { ...suspicion, failures: 0 };
    throw error;
  }
  known.suspicion = { ...suspicion, failures: suspicion.failures + 1 };
  if (known.suspicion.failures < suspicion.enough) throw error;
  known.suspicion = { failures: 0, enough: Math.min(MAX_FAILURES, 2 * suspicion.enough) };
  return afterFailure(context, wishes, error);
}

/** By polling after a failure that may have been HQ's; where polling fails too, that failure stands. */
function afterFailure(
  context: Context,
  wishes: ConnectOptions | undefined,
  seen: LinkError,
): Observable<LinkEvent> {
  let opened = false;
  const until = context.clock.scheduler.now() + UPGRADE_PROBE_MS;
  return byPolling(context, wishes, { until, isCertain: false, seen, isTold: false }).pipe(
    tap(() => {
      opened = true;
    }),
    catchError((error: unknown) => {
      const isOfHq = error instanceof LinkError && (error.wire !== null || error.kind === 'unauthorized');
      throw opened || isOfHq || !(error instanceof LinkError) ? error : seen;
    }),
  );
}

function byPolling(context: Context, wishes: ConnectOptions | undefined, mine: Block): Observable<LinkEvent> {
  const { known, polling } = context;
  return defer(() => {
    known.block = mine;
    const probes = { sent: 0, received: 0 };
    const opened$ = new Subject<void>();
    let opened = false;
    const upgrades$ = opened$.pipe(
      take(1),
      switchMap(() =>
        watchUpgrades(context, mine, ({ sent, received }) => {
          probes.sent += sent;
          probes.received += received;
        }),
      ),
    );
    const events$ = polling.connect(wishes).pipe(
      concatMap((event): Observable<LinkEvent> => {
        if (event.type !== 'open') return of(event);
        const open: LinkEvent = { ...event, session: withProbes(event.session, probes) };
        return merge(of(open), mine.isCertain ? tell(mine) : EMPTY);
      }),
      tap({
        next: ({ type }) => {
          if (type !== 'open') return;
          opened = true;
          known.suspicion = UNPROVEN;
          opened$.next();
        },
        error: (error: unknown) => {
          // What is on the way may have changed. Silence tells nothing of it.
          if (!opened && !isSilence(error)) known.block = null;
        },
      }),
      finalize(() => {
        if (!opened && !mine.isTold) known.block = null;
      }),
    );
    return merge(upgrades$, events$);
  });
}

/** Begins when polling has opened. */
function watchUpgrades(
  { known, probe, clock: { scheduler } }: Context,
  mine: Block,
  count: (result: ProbeResult) => void,
): Observable<Blocked> {
  const firstMs = mine.isCertain ? Math.max(0, mine.until - scheduler.now()) : 0;
  return timer(firstMs, UPGRADE_PROBE_MS, scheduler).pipe(
    exhaustMap(probe),
    concatMap((result) => {
      count(result);
      if (result.answers) {
        known.block = null;
        return throwError(
          () => new LinkError('moved', 'WebSockets get through to HQ again; the connection goes by one.'),
        );
      }
      mine.until = scheduler.now() + UPGRADE_PROBE_MS;
      mine.isCertain = true;
      return tell(mine);
    }),
  );
}

function isSilence(error: unknown): boolean {
  return error instanceof LinkError && error.kind === 'timeout';
}

/** Once an episode. */
function tell(block: Block): Observable<Blocked> {
  if (block.isTold) return EMPTY;
  block.isTold = true;
  const { seen } = block;
  // HQ is there: what else its message asks is answered.
  const fact =
    seen.kind === 'upgrade_blocked' ? seen.message : `WebSockets are blocked on the way (${seen.upgrade}).`;
  return of({ type: 'blocked', what: `${fact} ${MEANWHILE}` });
}

/** Probes are made alongside the connection and count as its bytes. */
function withProbes(session: LinkSession, probes: { sent: number; received: number }): LinkSession {
  return {
    ...session,
    traffic: () => {
      const { sent, received } = session.traffic();
      return { sent: sent + probes.sent, received: received + probes.received };
    },
  };
}
