/**
 * The uplink's connections to HQ, one at a time: opening, what the link reports of them, frames over them, their end.
 */
import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  finalize,
  map,
  type Observable,
  of,
  Subject,
  takeUntil,
  throwError,
} from 'rxjs';
import type { Pace } from '../../delivery/pace.ts';
import type { Journal } from '../../journal/port.ts';
import type { Random } from '../../platform/random.ts';
import type { FrameReliability } from './frame-reliability.ts';
import { createFrameSender, type FrameSender } from './frame-sender.ts';
import { createKnownSchemas } from './known-schemas.ts';
import { type Link, LinkError, type LinkEvent } from './link.ts';
import type { LinkGauge } from './link-gauge.ts';
import { answerWithin, createSession, creditOf, type Session, type SessionOptions } from './session.ts';
import { bytesOf } from './shipments.ts';
import type { UplinkEffect, UplinkMessage } from './state.ts';

export type ConnectionOptions = Omit<SessionOptions, 'journal' | 'acksTakenBack'> & {
  readonly link: Link;
  readonly journal: Journal;
  readonly reliability: FrameReliability;
  readonly pace: Pace;
  readonly random: Random;
};

export type Connections = {
  /** Opens a connection in place of the present one, and emits what comes of it until it ends. */
  readonly connect: (connection: number) => Observable<UplinkMessage>;
  readonly disconnect: () => void;
  /** The message that a connection is of no more use. */
  readonly lost: (connection: number, error: LinkError) => UplinkMessage;
  /** The three say nothing without an open connection. */
  readonly sayHello: (connection: number) => Observable<UplinkMessage>;
  readonly deliver: (effect: Deliver) => Observable<UplinkMessage>;
  readonly farewell: () => Observable<UplinkMessage>;
};

type Deliver = Extract<UplinkEffect, { readonly type: 'deliver' }>;

/** State of the edge, not of the logic. */
type Connection = {
  readonly id: number;
  /** The precise clock, ms: it does not jump. */
  readonly begunAt: number;
  readonly ended$: Subject<void>;
  open: Open | null;
};
type Open = { readonly session: Session; readonly sender: FrameSender };

/** A connection with TLS, roughly. */
const CONNECT_BYTES = 4_000;
const MAX_CONNECT_ALLOWANCE_MS = 60_000;
const SOON_MS = 4_000;
const SOON_ROUND_TRIPS = 4;
/** The kernel repeats a request to connect once after a second: with another after two, one goes out in each second. */
const AGAIN_MS = 2_000;
const AGAIN_ROUND_TRIPS = 1.5;
/** Longer than the refused one ever waits with any preset. */
const CONFLICT_EPISODE_MS = 1_200_000;
const MAX_UNKNOWN_NAMES = 32;

export function createConnections(options: ConnectionOptions): Connections {
  const { link, clock, random, settings } = options;
  const { scheduler } = clock;
  const opened = openedBy(options);
  const report = createLinkReports(options);
  let current: Connection | null = null;

  const lost = (connection: number, error: LinkError): UplinkMessage => ({
    type: 'lost',
    connection,
    error: link.judge?.(error) ?? error,
    at: scheduler.now(),
    tookMs: current === null ? 0 : clock.precise() - current.begunAt,
    jitter: random.next(),
  });
  const lostBy =
    (connection: number) =>
    (error: unknown): Observable<UplinkMessage> =>
      error instanceof LinkError ? of(lost(connection, error)) : throwError(() => error);
  const whileOpen = <T>(work: (open: Open) => Observable<T>): Observable<T> =>
    defer(() => {
      if (current?.open == null) return EMPTY;
      return work(current.open).pipe(takeUntil(current.ended$));
    });

  return {
    lost,
    connect: (id) =>
      defer(() => {
        const mine: Connection = { id, begunAt: clock.precise(), ended$: new Subject(), open: null };
        current?.ended$.next();
        current = mine;
        const { mostMs, ...waits } = connectWaits(settings.connectTimeoutMs, options.gauge);
        return link.connect(waits).pipe(
          answerWithin<LinkEvent>(mostMs, 'the connection', scheduler),
          concatMap((event) => (event.type === 'open' ? opened(mine, event) : report(id, event))),
          catchError(lostBy(id)),
          takeUntil(mine.ended$),
          finalize(() => {
            if (current === mine) current = null;
            mine.ended$.next();
          }),
        );
      }),
    disconnect: () => current?.ended$.next(),
    sayHello: (connection) =>
      whileOpen(({ session }) => session.begin().pipe(catchError(lostBy(connection)))),
    farewell: () => whileOpen(({ session }) => session.end()),
    deliver: (effect) => whileOpen(({ sender }) => deliver(effect, sender, { ...options, lost })),
  };
}

/** How long to wait for a connection, ms. */
function connectWaits(connectTimeoutMs: number, gauge: Pick<LinkGauge, 'estimate' | 'allowanceMs'>) {
  const { least } = gauge.estimate();
  // The link itself looks at silence; this bounds what goes on and on.
  const mostMs = Math.round(
    connectTimeoutMs + Math.min(MAX_CONNECT_ALLOWANCE_MS, gauge.allowanceMs(CONNECT_BYTES)),
  );
  if (least === null) return { mostMs, connectSilenceMs: connectTimeoutMs };
  return {
    mostMs,
    // A way that has worked answers soon or is not there now: an attempt that hangs would sleep through a short pass of
    // a satellite.
    connectSilenceMs: Math.min(connectTimeoutMs, Math.max(SOON_MS, SOON_ROUND_TRIPS * least.ms)),
    againMs: Math.max(AGAIN_MS, AGAIN_ROUND_TRIPS * least.ms),
  };
}

/** What HQ lacks of schemas is known over connections. */
function openedBy(options: ConnectionOptions) {
  const { reliability, journal, clock, gauge } = options;
  const schemas = createKnownSchemas();
  return (
    mine: Connection,
    { session }: Extract<LinkEvent, { readonly type: 'open' }>,
  ): Observable<UplinkMessage> => {
    gauge.connected(session.way.index);
    mine.open = {
      session: createSession(session, mine.id, { ...options, acksTakenBack: schemas.forgetAll }),
      sender: createFrameSender({ session, reliability, journal, clock, gauge, schemas }),
    };
    return of({ type: 'opened', connection: mine.id });
  };
}

/** What the link reports of an open connection; most of it is for people, who are told once. */
function createLinkReports({ clock, emit }: Pick<ConnectionOptions, 'clock' | 'emit'>) {
  const { scheduler } = clock;
  const unknownNames = new Set<string>();
  /** The present episode of another agent with our id lasts until then. */
  let conflictUntil = Number.NEGATIVE_INFINITY;
  return (
    connection: number,
    event: Exclude<LinkEvent, { readonly type: 'open' }>,
  ): Observable<UplinkMessage> => {
    switch (event.type) {
      case 'blocked':
        emit({ type: 'upgrade_blocked', detail: event.what });
        return EMPTY;
      case 'credit': {
        const credit = creditOf({ credit: event.frames, creditBytes: event.creditBytes });
        return of({ type: 'credit', connection, credit });
      }
      case 'conflict':
        // The other one comes back again and again: once an episode is enough.
        if (scheduler.now() >= conflictUntil) emit({ type: 'duplicate_agent', detail: event.message });
        conflictUntil = scheduler.now() + CONFLICT_EPISODE_MS;
        return EMPTY;
      case 'ignored':
        if (!unknownNames.has(event.name) && unknownNames.size < MAX_UNKNOWN_NAMES) {
          unknownNames.add(event.name);
          emit({ type: 'unknown_event', name: event.name });
        }
        return EMPTY;
    }
  };
}

function deliver(
  { connection, lane, shipment, limits }: Deliver,
  sender: FrameSender,
  {
    pace,
    journal,
    emit,
    lost,
  }: Pick<ConnectionOptions, 'pace' | 'journal' | 'emit'> & Pick<Connections, 'lost'>,
): Observable<UplinkMessage> {
  const { firstSeq } = shipment;
  const turn = lane === 'backlog' ? pace(bytesOf(shipment)) : of(true);
  return turn.pipe(
    concatMap(() => sender.deliver({ lane, shipment, limits })),
    map((outcome): UplinkMessage => {
      switch (outcome.kind) {
        case 'confirmed': {
          const { bytes, rttMs } = outcome;
          emit({ type: 'frame_confirmed', lane, bytes, rttMs });
          return { type: 'confirmed', rttMs };
        }
        case 'delivered': {
          const { ack } = outcome.reply;
          const credit = creditOf(outcome.reply);
          return { type: 'delivered', connection, firstSeq, ack, credit, sampled: journal.stats().sampled };
        }
        case 'poisoned':
          return { type: 'poisoned', connection, firstSeq, detail: outcome.detail };
        case 'failed':
          return lost(connection, outcome.error);
      }
    }),
  );
}
