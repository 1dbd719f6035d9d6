/** Carries out what the uplink's logic wants done. The one place where it meets link, journal, time and chance. */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  finalize,
  ignoreElements,
  map,
  merge,
  type Observable,
  of,
  Subject,
  switchMap,
  takeUntil,
  tap,
  throwError,
  timeout,
  timer,
  toArray,
} from 'rxjs';
import type { Journal, StoredFrame } from '../../journal/journal.ts';
import { StorageError } from '../../journal/storage.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { Emit } from '../../platform/telemetry.ts';
import { type Heartbeat, type HelloReply, PROTOCOL_VERSION, SCHEMA_VERSION } from '../../protocol/events.ts';
import { FrameError } from '../../protocol/frame.ts';
import { sliceFrame } from '../../protocol/frame-codec.ts';
import type { agentEvents } from '../events.ts';
import { type Courier, createCourier, type Outcome } from './courier.ts';
import { type Link, LinkError, type LinkEvent, type LinkSession } from './link.ts';
import type { Pace } from './pace.ts';
import type { Reliability } from './reliability.ts';
import type { Shipment, Suspect, UplinkEffect, UplinkMessage } from './state.ts';

export type EffectSettings = {
  /** ms */
  readonly connectTimeoutMs: number;
  /** ms */
  readonly ackTimeoutMs: number;
  /** ms */
  readonly heartbeatMs: number;
};

export type EffectOptions = {
  readonly identity: { readonly agent: string; readonly instance: string; readonly version: string };
  readonly link: Link;
  readonly journal: Journal;
  readonly reliability: Reliability;
  readonly pace: Pace;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit<typeof agentEvents>;
  readonly settings: EffectSettings;
  /** What to tell HQ now. `stopping`: it is the last one. */
  readonly heartbeat: (stopping: boolean) => Heartbeat;
  /** Told of HQ's clock, ms, and of the round trip that it came with. */
  readonly onHqTime: (answer: {
    readonly hqTs: number;
    readonly sentTs: number;
    readonly rttMs: number;
  }) => void;
  readonly onRoundTrip: (rttMs: number) => void;
};

/** The open connection; state of the edge, not of the logic. */
type Connection = {
  readonly ended$: Subject<void>;
  session: LinkSession | null;
  courier: Courier | null;
};

/** At a stop: for each of the last heartbeat and the goodbye, and for live frames to be confirmed. */
const FAREWELL_MS = 2_000;
const LEAVE_MS = 8_000;
const MAX_UNKNOWN_NAMES = 32;

export function createUplinkEffects(
  options: EffectOptions,
): (effect: UplinkEffect) => Observable<UplinkMessage> {
  const { identity, link, journal, reliability, pace, clock, random, emit, settings } = options;
  const { scheduler } = clock;
  const unknownNames = new Set<string>();
  let current: Connection | null = null;

  const lost = (connection: number, error: LinkError): UplinkMessage => ({
    type: 'lost',
    connection,
    error,
    at: scheduler.now(),
    jitter: random.next(),
  });
  const lostBy =
    (connection: number) =>
    (error: unknown): Observable<UplinkMessage> =>
      error instanceof LinkError ? of(lost(connection, error)) : throwError(() => error);
  const whileOpen = <T>(work: (session: LinkSession, courier: Courier) => Observable<T>): Observable<T> =>
    defer(() => {
      if (current?.session == null || current.courier === null) return EMPTY;
      return work(current.session, current.courier).pipe(takeUntil(current.ended$));
    });
  const answerWithin = <T>(ms: number, what: string) =>
    timeout<T, Observable<never>>({
      first: ms,
      scheduler,
      with: () => throwError(() => new LinkError('timeout', `HQ did not answer ${what} within ${ms} ms.`)),
    });
  /** A journal that fails is reported and does not stop the uplink; what was meant to be done comes up again. */
  const orElse =
    <T>(what: string, fallback: T) =>
    (source: Observable<T>): Observable<T> =>
      source.pipe(
        catchError((error: unknown) => {
          if (!(error instanceof StorageError)) throw error;
          emit({ type: 'journal_failing', what, reason: error.message });
          return of(fallback);
        }),
      );

  const connect = (connection: number): Observable<UplinkMessage> =>
    defer(() => {
      const mine: Connection = { ended$: new Subject(), session: null, courier: null };
      current?.ended$.next();
      current = mine;
      return link.connect().pipe(
        answerWithin<LinkEvent>(settings.connectTimeoutMs, 'the connection'),
        concatMap((event) => fromLink(mine, connection, event)),
        catchError(lostBy(connection)),
        takeUntil(mine.ended$),
        finalize(() => {
          if (current === mine) current = null;
          mine.ended$.next();
        }),
      );
    });

  const fromLink = (mine: Connection, connection: number, event: LinkEvent): Observable<UplinkMessage> => {
    switch (event.type) {
      case 'open': {
        const { session } = event;
        mine.session = session;
        mine.courier = createCourier({
          session,
          reliability,
          journal,
          clock,
          onConfirmed: (message) => {
            options.onRoundTrip(message.rttMs);
            emit({ type: 'frame_confirmed', ...message });
          },
        });
        return of({ type: 'opened', connection });
      }
      case 'credit':
        return of({ type: 'credit', connection, frames: event.frames });
      case 'ignored':
        if (!unknownNames.has(event.name) && unknownNames.size < MAX_UNKNOWN_NAMES) {
          unknownNames.add(event.name);
          emit({ type: 'unknown_event', name: event.name });
        }
        return EMPTY;
    }
  };

  const greet = (connection: number): Observable<UplinkMessage> =>
    whileOpen((session) =>
      defer(() => {
        const { epoch, sampled, released } = journal.stats();
        const sentTs = clock.now();
        const sentAt = clock.precise();
        const hello = {
          protocol: PROTOCOL_VERSION,
          schema: SCHEMA_VERSION,
          ...identity,
          epoch,
          sampled,
          released,
          ts: sentTs,
        };
        return session.hello(hello).pipe(
          answerWithin<HelloReply>(settings.connectTimeoutMs, 'the greeting'),
          map((reply): UplinkMessage => {
            if (!reply.ok) return lost(connection, refusedGreeting(reply.error));
            if (reply.protocol !== PROTOCOL_VERSION)
              return lost(
                connection,
                new LinkError(
                  'protocol',
                  `HQ greets with protocol ${reply.protocol}; this agent speaks ${PROTOCOL_VERSION}.`,
                ),
              );
            options.onHqTime({ hqTs: reply.hqTs, sentTs, rttMs: clock.precise() - sentAt });
            const { ack, credit, limits } = reply;
            const now = journal.stats();
            return {
              type: 'greeted',
              connection,
              ack,
              credit,
              limits,
              sampled: now.sampled,
              released: now.released,
            };
          }),
        );
      }).pipe(
        switchMap((greeting) =>
          greeting.type === 'greeted' ? concat(of(greeting), heartbeats(session, connection)) : of(greeting),
        ),
        catchError(lostBy(connection)),
      ),
    );

  const heartbeats = (session: LinkSession, connection: number): Observable<UplinkMessage> =>
    timer(0, settings.heartbeatMs, scheduler).pipe(
      exhaustMap(() =>
        merge(
          of<UplinkMessage>({ type: 'look_again', pending: journal.stats().pendingFrames }),
          heartbeat(session, connection, false),
        ),
      ),
    );

  const heartbeat = (
    session: LinkSession,
    connection: number,
    stopping: boolean,
  ): Observable<UplinkMessage> =>
    defer(() => {
      const sentTs = clock.now();
      const sentAt = clock.precise();
      return session.heartbeat(options.heartbeat(stopping)).pipe(
        answerWithin(stopping ? FAREWELL_MS : settings.ackTimeoutMs, 'a heartbeat'),
        concatMap((reply): Observable<UplinkMessage> => {
          if (!reply.ok) {
            const { code } = reply.error;
            // It will be said to the frames too, and they know how to wait.
            if (code === 'unavailable' || code === 'rate_limited' || code === 'internal') return EMPTY;
            return of(lost(connection, refusedGreeting(reply.error)));
          }
          options.onHqTime({ hqTs: reply.hqTs, sentTs, rttMs: clock.precise() - sentAt });
          return of({
            type: 'heartbeat_acked',
            connection,
            ack: reply.ack,
            sampled: journal.stats().sampled,
          });
        }),
      );
    });

  const deliver = (effect: Extract<UplinkEffect, { type: 'deliver' }>): Observable<UplinkMessage> => {
    const { connection, lane, shipment, limits } = effect;
    const { firstSeq } = shipment;
    const toMessage = (outcome: Outcome): UplinkMessage => {
      switch (outcome.kind) {
        case 'delivered': {
          const { ack, credit } = outcome.reply;
          return { type: 'delivered', connection, firstSeq, ack, credit, sampled: journal.stats().sampled };
        }
        case 'poisoned':
          return { type: 'poisoned', connection, firstSeq, detail: outcome.detail };
        case 'failed':
          return lost(connection, outcome.error);
      }
    };
    return whileOpen((_, courier) => {
      const turn = lane === 'backlog' ? pace(bytesOf(shipment)) : of(true);
      return turn.pipe(
        concatMap(() => courier.deliver({ lane, shipment, limits })),
        map(toMessage),
      );
    });
  };

  const read = (effect: Extract<UplinkEffect, { type: 'read' }>): Observable<UplinkMessage> => {
    const { connection, what, after, limit } = effect;
    const query =
      what === 'newest'
        ? ({ order: 'newest', limit } as const)
        : ({ order: 'oldest', after, limit, ...(what === 'notable' ? { notable: true } : {}) } as const);
    return journal.pending(query).pipe(
      toArray(),
      orElse<StoredFrame[]>('read', []),
      map((frames) => ({ type: 'read', connection, what, frames, exhausted: frames.length < limit })),
    );
  };

  const reject = (effect: Extract<UplinkEffect, { type: 'reject' }>): Observable<UplinkMessage> => {
    const { origin, samples, detail, acked } = effect;
    // Released first: the journal then knows what of the frame has arrived, and gives up only the rest.
    return journal.release(acked).pipe(
      concatMap(() => journal.reject(origin, detail)),
      tap(() => emit({ type: 'samples_rejected', seq: origin, samples, detail })),
      map(() => null),
      orElse('reject', null),
      map((): UplinkMessage => ({ type: 'rejected', origin })),
    );
  };

  const bisect = ({ frame }: Suspect): UplinkMessage => {
    const { firstSeq } = frame;
    try {
      return { type: 'bisected', firstSeq, parts: halvesOf(frame) };
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      return { type: 'condemned', firstSeq, detail: `it cannot be read any more: ${error.message}` };
    }
  };

  const farewell = (connection: number): Observable<UplinkMessage> =>
    concat(
      whileOpen((session) =>
        concat(
          heartbeat(session, connection, true),
          session
            .goodbye({ reason: 'the agent is stopped' })
            .pipe(answerWithin(FAREWELL_MS, 'the goodbye'), ignoreElements()),
        ).pipe(
          catchError((error: unknown) => (error instanceof LinkError ? EMPTY : throwError(() => error))),
        ),
      ),
      of<UplinkMessage>({ type: 'left', connection }),
    );

  return (effect) => {
    switch (effect.type) {
      case 'wait':
        return timer(effect.ms, scheduler).pipe(
          map(() => ({ type: 'retry', connection: effect.connection }) as const),
        );
      case 'connect':
        return connect(effect.connection);
      case 'disconnect':
        current?.ended$.next();
        return EMPTY;
      case 'greet':
        return greet(effect.connection);
      case 'fail':
        return of(lost(effect.connection, effect.error));
      case 'read':
        return read(effect);
      case 'deliver':
        return deliver(effect);
      case 'linger':
        return timer(effect.ms, scheduler).pipe(
          map(() => ({ type: 'linger_over', connection: effect.connection }) as const),
        );
      case 'release':
        return journal.release(effect.acked).pipe(
          map(() => null),
          orElse('release', null),
          map(() => ({ type: 'released' }) as const),
        );
      case 'seal':
        return journal.seal(effect.busy).pipe(
          tap((result) => {
            if (result.merged > 0) emit({ type: 'frames_sealed', ...result });
          }),
          map(({ merged }) => merged),
          orElse('seal', 0),
          map((merged) => ({ type: 'sealed', merged }) as const),
        );
      case 'bisect':
        return of(bisect(effect.suspect));
      case 'reject':
        return reject(effect);
      case 'farewell':
        return farewell(effect.connection);
      case 'leave_deadline':
        return timer(LEAVE_MS, scheduler).pipe(
          map(() => ({ type: 'left', connection: effect.connection }) as const),
        );
      case 'log_down':
        emit({ type: 'link_down', kind: effect.kind, detail: effect.detail, retryMs: effect.retryMs });
        return EMPTY;
      case 'log_up':
        emit({ type: 'link_up', after: effect.after });
        return EMPTY;
    }
  };
}

function refusedGreeting(wire: NonNullable<LinkError['wire']>): LinkError {
  const spoken = wire.supported;
  const speaks =
    spoken === undefined
      ? ''
      : ` (HQ speaks protocol ${spoken.protocol.join(', ')}, schema ${spoken.schema.join(', ')})`;
  const kind = wire.code === 'unauthorized' ? 'unauthorized' : 'rejected';
  return new LinkError(kind, `HQ refuses this agent: ${wire.message}${speaks}`, { wire });
}

function bytesOf(shipment: Shipment): number {
  return shipment.frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
}

function halvesOf(frame: StoredFrame): readonly StoredFrame[] {
  const middle = frame.firstSeq + Math.floor((frame.lastSeq - frame.firstSeq) / 2);
  const part = (firstSeq: number, lastSeq: number): StoredFrame => ({
    ...frame,
    firstSeq,
    lastSeq,
    bytes: sliceFrame(frame.bytes, firstSeq, lastSeq),
  });
  return [part(frame.firstSeq, middle), part(middle + 1, frame.lastSeq)];
}
