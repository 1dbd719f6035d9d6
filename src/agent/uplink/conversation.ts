/** What is said over an open connection beside frames: greeting, heartbeats, goodbye. */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  endWith,
  exhaustMap,
  ignoreElements,
  map,
  merge,
  type Observable,
  of,
  type SchedulerLike,
  switchMap,
  tap,
  throwError,
  timeout,
  timer,
} from 'rxjs';
import type { Journal, Reinstated } from '../../journal/port.ts';
import type { Clock } from '../../platform/clock.ts';
import {
  type Heartbeat,
  type HelloReply,
  PROTOCOL_VERSION,
  PROTOCOLS,
  SCHEMA_VERSION,
  type WireError,
} from '../../protocol/events.ts';
import { StorageError } from '../../storage/storage.ts';
import { checkAck } from './check-ack.ts';
import { LinkError, type LinkSession } from './link.ts';
import type { LinkGauge } from './link-gauge.ts';
import type { Credit, UplinkMessage } from './state.ts';

export type ConversationSettings = {
  /** How long connecting, and the greeting after it, may take each, ms. */
  readonly connectTimeoutMs: number;
  /** ms */
  readonly ackTimeoutMs: number;
  /** ms */
  readonly heartbeatMs: number;
};

export type ConversationOptions = {
  readonly identity: { readonly agent: string; readonly instance: string; readonly version: string };
  readonly journal: Pick<Journal, 'begun' | 'stats' | 'reinstate' | 'noteGreeting' | 'noteFork'>;
  readonly clock: Clock;
  readonly gauge: LinkGauge;
  readonly settings: ConversationSettings;
  /** What to tell HQ now. `stopping`: it is the last one. */
  readonly heartbeat: (stopping: boolean) => Heartbeat;
  /** Told of HQ's clock, ms, and of the round trip that it came with. */
  readonly onHqTime: (answer: {
    readonly hqTs: number;
    readonly sentTs: number;
    readonly rttMs: number;
  }) => void;
  /** HQ held less than it had acked, and the journal has taken note. */
  readonly onReinstated: (reinstated: Reinstated) => void;
  /** HQ refuses a heartbeat that says something of the link; on this connection none does any more. */
  readonly onReportRefused: (detail: string) => void;
  /** HQ refuses the epoch of the journal, as that of a copy, which it has noted: the agent has to start again. */
  readonly onForked: (detail: string) => void;
  /** The message that a connection is of no more use. */
  readonly lost: (connection: number, error: LinkError) => UplinkMessage;
};

export type Conversation = {
  /** Greets, then sends heartbeats until unsubscribed or until something is wrong. */
  readonly begin: (session: LinkSession, connection: number) => Observable<UplinkMessage>;
  /** A last heartbeat and the goodbye; completes whatever HQ makes of it. */
  readonly end: (session: LinkSession, connection: number) => Observable<UplinkMessage>;
};

/** At a stop, for each of the last heartbeat and the goodbye. */
const FAREWELL_MS = 2_000;

/** About what they take, as JSON with its event. */
const HELLO_BYTES = 450;
const HEARTBEAT_BYTES = 330;

/** HQ's word on what it takes. */
export function creditOf(reply: {
  readonly credit: number;
  readonly creditBytes?: number | undefined;
}): Credit {
  return { frames: reply.credit, bytes: reply.creditBytes ?? Number.POSITIVE_INFINITY };
}

/** Errors with a LinkError `timeout` when the first answer takes longer. */
export function answerWithin<T>(ms: number, what: string, scheduler: SchedulerLike) {
  return timeout<T, Observable<never>>({
    first: ms,
    scheduler,
    with: () => throwError(() => new LinkError('timeout', `HQ did not answer ${what} within ${ms} ms.`)),
  });
}

export function createConversation(options: ConversationOptions): Conversation {
  const { identity, journal, clock, settings, lost, gauge } = options;
  const { scheduler } = clock;
  /** The latest connection on which HQ has refused a heartbeat for what it says of the link, or may have. */
  let silentOfLink: number | null = null;
  /** What the link needs for it comes on top. */
  const patient = (ms: number, bytes: number) => Math.round(ms + gauge.allowanceMs(bytes));

  const greet = (session: LinkSession, connection: number): Observable<UplinkMessage> =>
    defer(() => {
      const { epoch, sampled, released, greeting, rebuilt } = journal.stats();
      const sentTs = clock.now();
      const sentAt = clock.precise();
      const hello = {
        protocol: PROTOCOL_VERSION,
        protocols: [...PROTOCOLS],
        schema: SCHEMA_VERSION,
        ...identity,
        epoch,
        sampled,
        released,
        ts: sentTs,
        run: {
          begun: journal.begun,
          number: (greeting?.number ?? 0) + 1,
          after: greeting?.instance ?? null,
          ...(rebuilt && { rebuilt }),
        },
      };
      return session.hello(hello).pipe(
        answerWithin<HelloReply>(patient(settings.connectTimeoutMs, HELLO_BYTES), 'the hello', scheduler),
        concatMap((reply): Observable<UplinkMessage> => {
          if (!reply.ok && reply.error.code === 'forked_epoch') return fork(reply.error, connection);
          if (!reply.ok) return of(lost(connection, refusedGreeting(reply.error)));
          if (!PROTOCOLS.includes(reply.protocol)) {
            const spoken = `HQ answers with protocol ${reply.protocol}; this agent speaks ${PROTOCOLS.join(' and ')}.`;
            return of(lost(connection, new LinkError('protocol', spoken)));
          }
          const rttMs = clock.precise() - sentAt;
          // HQ's word is no measurement: what is larger took no less than the join did, where that was the faster one.
          const linkMs = Math.min(rttMs, Math.max(rttMs - (reply.heldMs ?? 0), session.joined?.ms ?? rttMs));
          gauge.probed({ bytes: HELLO_BYTES, ms: linkMs }, session.joined);
          options.onHqTime({ hqTs: reply.hqTs, sentTs, rttMs });
          return reinstate(reply, connection);
        }),
      );
    });

  /** HQ may hold less than it once acked: the journal must know before anything is sent or released. */
  const reinstate = (
    reply: Extract<HelloReply, { readonly ok: true }>,
    connection: number,
  ): Observable<UplinkMessage> => {
    const { ack, lost: booked = 0, limits } = reply;
    const problem = checkAck(ack, { sampled: journal.stats().sampled, known: null });
    if (problem !== null) {
      return of(lost(connection, new LinkError('protocol', `HQ breaks the protocol: ${problem}.`)));
    }
    return journal.noteGreeting(identity.instance).pipe(
      concatMap(() => journal.reinstate(ack)),
      map(({ again, lost }): UplinkMessage => {
        if (again + lost + booked > 0) options.onReinstated({ again, lost: lost + booked });
        const { sampled, released } = journal.stats();
        const credit = creditOf(reply);
        const window = gauge.window();
        const { reconnectMs = null } = reply;
        return { type: 'greeted', connection, ack, credit, limits, window, sampled, released, reconnectMs };
      }),
      catchError((error: unknown) => {
        if (!(error instanceof StorageError)) throw error;
        const reason = `The journal cannot note what HQ says at the greeting: ${error.message}`;
        return of(lost(connection, new LinkError('closed', reason)));
      }),
    );
  };

  /** HQ cannot tell this journal from a copy of one that has delivered: noted, so that the next start gives it an epoch of its own. */
  const fork = (wire: WireError, connection: number): Observable<UplinkMessage> =>
    journal.noteFork().pipe(
      catchError((error: unknown) => (error instanceof StorageError ? EMPTY : throwError(() => error))),
      tap(() => options.onForked(wire.message)),
      ignoreElements(),
      endWith(lost(connection, refusedGreeting(wire))),
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
      const { link, ...rest } = options.heartbeat(stopping);
      const told = link === undefined || silentOfLink === connection ? rest : { ...rest, link };
      return session.heartbeat(told).pipe(
        answerWithin(
          patient(stopping ? FAREWELL_MS : settings.ackTimeoutMs, HEARTBEAT_BYTES),
          'a heartbeat',
          scheduler,
        ),
        concatMap((reply): Observable<UplinkMessage> => {
          if (!reply.ok) {
            const { code } = reply.error;
            // It will be said to the frames too, and they know how to wait.
            if (code === 'unavailable' || code === 'rate_limited' || code === 'internal') return EMPTY;
            // What the agent adds for people is worth less than the connection: the next one goes without.
            if (code === 'bad_request' && 'link' in told) {
              silentOfLink = connection;
              options.onReportRefused(reply.error.message);
              return EMPTY;
            }
            return of(lost(connection, refusedGreeting(reply.error)));
          }
          const rttMs = clock.precise() - sentAt;
          gauge.probed({ bytes: HEARTBEAT_BYTES, ms: rttMs });
          options.onHqTime({ hqTs: reply.hqTs, sentTs, rttMs });
          return of({
            type: 'heartbeat_acked',
            connection,
            ack: reply.ack,
            sampled: journal.stats().sampled,
            storing: reply.storing ?? null,
            reconnectMs: reply.reconnectMs ?? null,
          });
        }),
      );
    });

  return {
    begin: (session, connection) =>
      greet(session, connection).pipe(
        switchMap((greeting) =>
          greeting.type === 'greeted' ? concat(of(greeting), heartbeats(session, connection)) : of(greeting),
        ),
      ),
    end: (session, connection) =>
      concat(
        heartbeat(session, connection, true),
        session
          .goodbye({ reason: 'the agent is stopped' })
          .pipe(answerWithin(FAREWELL_MS, 'the goodbye', scheduler), ignoreElements()),
      ).pipe(catchError((error: unknown) => (error instanceof LinkError ? EMPTY : throwError(() => error)))),
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
