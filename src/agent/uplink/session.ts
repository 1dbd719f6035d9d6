/** What is said over one open connection besides frames: hello, heartbeats, goodbye. */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  ignoreElements,
  map,
  merge,
  type Observable,
  of,
  type SchedulerLike,
  throwError,
  timeout,
  timer,
} from 'rxjs';
import type { Journal } from '../../journal/port.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Emit } from '../../platform/telemetry.ts';
import {
  type Heartbeat,
  type HeartbeatReply,
  type HelloReply,
  PROTOCOL_VERSION,
  PROTOCOLS,
  SCHEMA_VERSION,
  type WireError,
} from '../../protocol/events.ts';
import type { Labels } from '../../protocol/labels.ts';
import { StorageError } from '../../storage/storage.ts';
import type { agentEvents } from '../events.ts';
import { checkAck } from './check-ack.ts';
import { LinkError, type LinkSession } from './link.ts';
import type { LinkGauge } from './link-gauge.ts';
import type { Credit, UplinkMessage } from './state.ts';

export type SessionSettings = {
  /** How long connecting, and the hello after it, may take each, ms. */
  readonly connectTimeoutMs: number;
  /** ms */
  readonly ackTimeoutMs: number;
  /** ms */
  readonly heartbeatMs: number;
};

/** Who says hello. */
export type AgentIdentity = {
  readonly agent: string;
  readonly instance: string;
  readonly version: string;
  /** Absent: none. */
  readonly labels?: Labels;
};

export type SessionOptions = {
  readonly identity: AgentIdentity;
  readonly journal: Pick<Journal, 'begun' | 'stats' | 'reinstate' | 'noteAccepted' | 'noteFork'>;
  readonly clock: Clock;
  readonly gauge: LinkGauge;
  readonly settings: SessionSettings;
  readonly emit: Emit<typeof agentEvents>;
  /** What to tell HQ now. `stopping`: it is the last one. */
  readonly heartbeat: (stopping: boolean) => Heartbeat;
  /** Called at hello, before anything is sent, when HQ holds less than it once acked. */
  readonly acksTakenBack: () => void;
};

/** Both error with a LinkError when the connection is of no more use. */
export type Session = {
  /** Says hello, then sends heartbeats until unsubscribed. */
  readonly begin: () => Observable<UplinkMessage>;
  /** A last heartbeat and the goodbye; completes whatever HQ makes of it. */
  readonly end: () => Observable<UplinkMessage>;
};

/** At a stop, for each of the last heartbeat and the goodbye. */
const FAREWELL_MS = 2_000;

/** About what they take, as JSON with its event; labels come on top. */
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

/** One session, as its parts see it. */
type Context = SessionOptions & {
  readonly link: LinkSession;
  readonly connection: number;
};

export function createSession(link: LinkSession, connection: number, options: SessionOptions): Session {
  const context: Context = { ...options, link, connection };
  const { clock, settings, journal } = options;
  const { scheduler } = clock;
  const sendHeartbeat = createHeartbeats(context);

  const heartbeats = (): Observable<UplinkMessage> =>
    timer(0, settings.heartbeatMs, scheduler).pipe(
      exhaustMap(() =>
        merge(
          of<UplinkMessage>({ type: 'look_again', pending: journal.stats().pendingFrames }),
          sendHeartbeat(false),
        ),
      ),
    );

  return {
    begin: () =>
      sayHello(context).pipe(
        concatMap((message) =>
          message.type === 'accepted' ? concat(of(message), heartbeats()) : of(message),
        ),
      ),
    end: () =>
      concat(
        sendHeartbeat(true),
        link
          .goodbye({ reason: 'the agent is stopped' })
          .pipe(answerWithin(FAREWELL_MS, 'the goodbye', scheduler), ignoreElements()),
      ).pipe(catchError((error: unknown) => (error instanceof LinkError ? EMPTY : throwError(() => error)))),
  };
}

/** What the link needs for so many bytes comes on top. */
function patient(gauge: LinkGauge, ms: number, bytes: number): number {
  return Math.round(ms + gauge.allowanceMs(bytes));
}

function sayHello(context: Context): Observable<UplinkMessage> {
  const { link, clock, settings, gauge, identity } = context;
  const bytes = HELLO_BYTES + JSON.stringify(identity.labels ?? '').length;
  return defer(() => {
    const sentTs = clock.now();
    const sentAt = clock.precise();
    const withinMs = patient(gauge, settings.connectTimeoutMs, bytes);
    return link.hello(helloOf(context, sentTs)).pipe(
      answerWithin<HelloReply>(withinMs, 'the hello', clock.scheduler),
      concatMap((reply): Observable<UplinkMessage> => {
        if (!reply.ok && reply.error.code === 'forked_epoch') return fork(context, reply.error);
        if (!reply.ok) return throwError(() => refusedByHq(reply.error));
        if (!PROTOCOLS.includes(reply.protocol)) {
          const spoken = `HQ answers with protocol ${reply.protocol}; this agent speaks ${PROTOCOLS.join(' and ')}.`;
          return throwError(() => new LinkError('protocol', spoken));
        }
        const rttMs = clock.precise() - sentAt;
        // HQ's word is no measurement: what is larger took no less than the join did, where that was the faster one.
        const linkMs = Math.min(rttMs, Math.max(rttMs - (reply.heldMs ?? 0), link.joined?.ms ?? rttMs));
        gauge.probed({ bytes, ms: linkMs }, link.joined);
        return concat(
          of<UplinkMessage>({ type: 'clocks_read', hqTs: reply.hqTs, sentTs, rttMs }),
          reinstate(context, reply),
        );
      }),
    );
  });
}

function helloOf({ identity, journal }: Context, ts: number) {
  const { epoch, sampled, released, greeting, rebuilt } = journal.stats();
  return {
    protocol: PROTOCOL_VERSION,
    protocols: [...PROTOCOLS],
    schema: SCHEMA_VERSION,
    ...identity,
    epoch,
    sampled,
    released,
    ts,
    run: {
      begun: journal.begun,
      number: (greeting?.number ?? 0) + 1,
      after: greeting?.instance ?? null,
      ...(rebuilt && { rebuilt }),
    },
  };
}

/** HQ may hold less than it once acked: the journal must know before anything is sent or released. */
function reinstate(
  { journal, gauge, identity, emit, connection, acksTakenBack }: Context,
  reply: Extract<HelloReply, { readonly ok: true }>,
): Observable<UplinkMessage> {
  const { ack, lost: accounted = 0, limits } = reply;
  const problem = checkAck(ack, { sampled: journal.stats().sampled, known: null });
  if (problem !== null)
    return throwError(() => new LinkError('protocol', `HQ breaks the protocol: ${problem}.`));
  return journal.noteAccepted(identity.instance).pipe(
    concatMap(() => journal.reinstate(ack)),
    map(({ again, lost }): UplinkMessage => {
      const lostInAll = lost + accounted;
      if (again + lostInAll > 0) {
        acksTakenBack();
        emit({ type: 'acks_taken_back', again, lost: lostInAll });
      }
      const { sampled, released } = journal.stats();
      const credit = creditOf(reply);
      const window = gauge.window();
      const { reconnectMs = null } = reply;
      return { type: 'accepted', connection, ack, credit, limits, window, sampled, released, reconnectMs };
    }),
    catchError((error: unknown) => {
      if (!(error instanceof StorageError)) throw error;
      const reason = `The journal cannot note what HQ says at hello: ${error.message}`;
      throw new LinkError('closed', reason);
    }),
  );
}

/**
 * HQ cannot tell this journal from a copy of one that has delivered: noted, so that the next start gives it an epoch of
 * its own.
 */
function fork({ journal, emit }: Context, wire: WireError): Observable<UplinkMessage> {
  const detail = wire.message;
  return concat(
    journal.noteFork().pipe(
      catchError((error: unknown) => (error instanceof StorageError ? EMPTY : throwError(() => error))),
      map((): UplinkMessage => {
        emit({ type: 'epoch_forked', detail });
        return { type: 'forked', detail };
      }),
    ),
    throwError(() => refusedByHq(wire)),
  );
}

/** Sends one heartbeat. HQ's refusal of what one says of the link is remembered for those after it. */
function createHeartbeats(context: Context): (stopping: boolean) => Observable<UplinkMessage> {
  const { link: session, clock, settings, gauge } = context;
  let isSilentOfLink = false;
  return (stopping) =>
    defer(() => {
      const sentTs = clock.now();
      const sentAt = clock.precise();
      const { link, ...rest } = context.heartbeat(stopping);
      const told = link === undefined || isSilentOfLink ? rest : { ...rest, link };
      const withinMs = patient(gauge, stopping ? FAREWELL_MS : settings.ackTimeoutMs, HEARTBEAT_BYTES);
      return session.heartbeat(told).pipe(
        answerWithin<HeartbeatReply>(withinMs, 'a heartbeat', clock.scheduler),
        concatMap((reply): Observable<UplinkMessage> => {
          if (reply.ok) return heartbeatAcked(context, reply, { sentTs, rttMs: clock.precise() - sentAt });
          const { code, message } = reply.error;
          // It will be said to the frames too, and they know how to wait.
          if (code === 'unavailable' || code === 'rate_limited' || code === 'internal') return EMPTY;
          if (code !== 'bad_request' || !('link' in told)) return throwError(() => refusedByHq(reply.error));
          // What the agent adds for people is worth less than the connection: the next one goes without.
          isSilentOfLink = true;
          context.emit({ type: 'link_report_refused', detail: message });
          return EMPTY;
        }),
      );
    });
}

function heartbeatAcked(
  { connection, gauge, journal }: Context,
  reply: Extract<HeartbeatReply, { readonly ok: true }>,
  { sentTs, rttMs }: { readonly sentTs: number; readonly rttMs: number },
): Observable<UplinkMessage> {
  gauge.probed({ bytes: HEARTBEAT_BYTES, ms: rttMs });
  return of<UplinkMessage[]>(
    { type: 'clocks_read', hqTs: reply.hqTs, sentTs, rttMs },
    {
      type: 'heartbeat_acked',
      connection,
      ack: reply.ack,
      sampled: journal.stats().sampled,
      storing: reply.storing ?? null,
      reconnectMs: reply.reconnectMs ?? null,
    },
  );
}

function refusedByHq(wire: NonNullable<LinkError['wire']>): LinkError {
  const spoken = wire.supported;
  const speaks =
    spoken === undefined
      ? ''
      : ` (HQ speaks protocol ${spoken.protocol.join(', ')}, schema ${spoken.schema.join(', ')})`;
  const kind = wire.code === 'unauthorized' ? 'unauthorized' : 'rejected';
  return new LinkError(kind, `HQ refuses this agent: ${wire.message}${speaks}`, { wire });
}
