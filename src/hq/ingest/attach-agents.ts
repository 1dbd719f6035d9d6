/**
 * The namespace `/agents`: admits connections, hands their messages to one Connection each through the guarded handlers,
 * and ends those that say nothing, break the protocol, or whose token no longer counts.
 */
import { interval, merge, Observable, Subject, Subscription, tap } from 'rxjs';
import type { DefaultEventsMap, ExtendedError, Namespace, Server, Socket } from 'socket.io';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import {
  type AgentToHqEvents,
  frameMetaSchema,
  goodbyeSchema,
  type HqToAgentEvents,
  heartbeatSchema,
  helloSchema,
  schemaMessageSchema,
  type WireError,
} from '../../protocol/events.ts';
import { type Access, handshakeRequest } from '../access.ts';
import type { ChaosControl } from '../chaos.ts';
import { type Connection, createConnection } from './connection.ts';
import { creditShare } from './credit-share.ts';
import { createGroupCommit } from './group-commit.ts';
import { type GuardOptions, guarded } from './guarded-handler.ts';
import type { IngestEmit } from './ingest-events.ts';
import {
  createIngestShared,
  type IngestLimits,
  type IngestShared,
  type IngestStore,
} from './ingest-shared.ts';
import { createLeases, type Holder } from './leases.ts';
import type { LinkEvent } from './link-event.ts';
import { refuse } from './refusal.ts';

export type AttachAgentsOptions = {
  readonly io: Server;
  readonly store: IngestStore;
  readonly access: Pick<Access, 'admit'>;
  readonly chaos: Pick<ChaosControl, 'admit'>;
  readonly clock: Clock;
  readonly limits: IngestLimits;
  readonly emit: IngestEmit;
  /** How long a connection may take to say hello, ms. Default 10,000. */
  readonly helloTimeoutMs?: number;
  /** How often tokens are checked again, ms. Default 30,000. */
  readonly recheckMs?: number;
  /** Bytes of frames that may wait for their commit. Default 64 MiB. */
  readonly maxQueueBytes?: number;
};

export type AgentsGateway = {
  /** What happens to the links of agents, from now on. */
  readonly links$: Observable<LinkEvent>;
  /** Agents that hold a lease. */
  readonly connectedAgents: () => number;
  /** Checks the tokens of all connections now and ends those that no longer count. */
  readonly recheck: () => void;
  /** Ends all connections and the work behind them; completes when no frame waits for its commit. */
  readonly close: () => Observable<never>;
};

/** Messages of one connection that may wait for an answer. */
const MAX_OUTSTANDING = 256;
const MAX_VIOLATIONS = 16;
const SWEEP_MS = 1_000;
const DRAINING_MS = 5_000;
/** Backlog frames of all agents that are given out as credit. */
const TOTAL_CREDIT = 512;

type Incoming = { readonly [K in keyof AgentToHqEvents]: (...args: unknown[]) => void };
type AgentSocket = Socket<Incoming, HqToAgentEvents, DefaultEventsMap, unknown>;

const EVENTS: ReadonlySet<string> = new Set<keyof AgentToHqEvents>([
  'hello',
  'schema',
  'frame',
  'heartbeat',
  'goodbye',
]);
const bytesSchema = z.instanceof(Uint8Array);
const schemas = {
  hello: z.tuple([helloSchema]),
  schema: z.tuple([schemaMessageSchema]),
  frame: z.tuple([frameMetaSchema, bytesSchema]),
  heartbeat: z.tuple([heartbeatSchema]),
  goodbye: z.tuple([goodbyeSchema]),
};

/** One socket with what is watched about it. */
type Guest = { readonly socket: AgentSocket; readonly connection: Connection; readonly joinedAt: number };

export function attachAgents(options: AttachAgentsOptions): AgentsGateway {
  const { io, store, access, chaos, clock, limits, emit } = options;
  const { scheduler } = clock;
  const helloTimeoutMs = options.helloTimeoutMs ?? 10_000;
  const links = new Subject<LinkEvent>();
  const guests = new Map<string, Guest>();
  const draining = new Map<string, number>();
  const { maxQueueBytes } = options;
  const commits = createGroupCommit({
    append: store.append,
    clock,
    emit,
    ...(maxQueueBytes === undefined ? {} : { maxQueueBytes }),
  });
  let credit = limits.creditFrames;
  const shared: IngestShared = createIngestShared({
    store,
    clock,
    chaos,
    emit,
    limits,
    leases: createLeases<Holder>(),
    link: (event) => links.next(event),
    credit: () => credit,
    commits,
    onBacklog: (agent) => void draining.set(agent, clock.precise()),
  });
  const namespace: Namespace<Incoming, HqToAgentEvents, DefaultEventsMap, unknown> = io.of('/agents');

  const admit = (socket: AgentSocket): WireError | null => {
    const admission = access.admit('agent', handshakeRequest(socket.handshake));
    if (admission.ok) return null;
    emit({ type: 'agent_unauthorized', address: socket.handshake.address, reason: admission.reason });
    return refuse('unauthorized', admission.message).error;
  };
  const cutOff = (guest: Guest, reason: string) => {
    const { socket, connection } = guest;
    emit({
      type: 'cut_off',
      agent: connection.lease()?.agent ?? null,
      address: socket.handshake.address,
      reason,
    });
    socket.disconnect(true);
  };

  namespace.use((socket, next) => {
    const error = admit(socket);
    if (error === null) next();
    else next(withData(error));
  });
  const onConnection = (socket: AgentSocket) => {
    const connection = createConnection(shared, {
      address: socket.handshake.address,
      probe: () => probe(socket),
      disconnect: () => void socket.disconnect(true),
    });
    const guest: Guest = { socket, connection, joinedAt: clock.precise() };
    guests.set(socket.id, guest);
    emit({ type: 'agent_sockets', sockets: guests.size });
    const work = listen(guest);
    socket.on('disconnect', (reason) => {
      work.unsubscribe();
      guests.delete(socket.id);
      connection.gone(reason);
      emit({ type: 'agent_sockets', sockets: guests.size });
    });
  };
  namespace.on('connection', onConnection);

  function listen(guest: Guest): Subscription {
    const { socket, connection } = guest;
    const address = socket.handshake.address;
    const work = new Subscription();
    const agent = () => connection.lease()?.agent ?? null;
    let outstanding = 0;
    let violations = 0;
    const violated = (detail: string) => {
      violations += 1;
      emit({ type: 'violation', agent: agent(), address, detail });
      if (violations === MAX_VIOLATIONS) cutOff(guest, 'protocol violations');
    };
    const common = {
      admit: () =>
        outstanding < MAX_OUTSTANDING
          ? null
          : refuse('rate_limited', `${MAX_OUTSTANDING} messages wait for an answer already`, {
              retryAfterMs: 1_000,
            }),
      onViolation: violated,
      onRefused: (event, { error }) =>
        emit({ type: 'refused', event, code: error.code, agent: agent(), detail: error.message }),
      onFailure: (event, error) =>
        emit({ type: 'handler_failed', event, agent: agent(), error: String(error) }),
      onBegin: () => {
        outstanding += 1;
        return () => {
          outstanding -= 1;
        };
      },
      track: (one) => {
        if (one.closed) return;
        work.add(one);
      },
    } satisfies Partial<GuardOptions<readonly unknown[], object>>;

    socket.on('hello', guarded({ ...common, event: 'hello', args: schemas.hello, handle: connection.hello }));
    socket.on(
      'schema',
      guarded({ ...common, event: 'schema', args: schemas.schema, handle: connection.schema }),
    );
    socket.on('frame', guarded({ ...common, event: 'frame', args: schemas.frame, handle: connection.frame }));
    socket.on(
      'heartbeat',
      guarded({ ...common, event: 'heartbeat', args: schemas.heartbeat, handle: connection.heartbeat }),
    );
    socket.on(
      'goodbye',
      guarded({ ...common, event: 'goodbye', args: schemas.goodbye, handle: connection.goodbye }),
    );
    socket.on('error', (error) => violated(`socket error: ${error.message}`));
    socket.onAny((event: unknown) => {
      if (typeof event !== 'string' || !EVENTS.has(event))
        violated(`unknown event ${String(event).slice(0, 64)}`);
    });
    return work;
  }

  const recheck = () => {
    for (const guest of guests.values()) {
      if (admit(guest.socket) !== null) cutOff(guest, 'token no longer counts');
    }
  };
  const sweep = () => {
    const now = clock.precise();
    for (const guest of guests.values()) {
      if (guest.connection.lease() === null && now - guest.joinedAt > helloTimeoutMs)
        cutOff(guest, 'no hello');
    }
    for (const [agent, since] of draining) if (now - since > DRAINING_MS) draining.delete(agent);
    const share = creditShare(
      { perAgent: limits.creditFrames, total: TOTAL_CREDIT },
      { drainingAgents: draining.size, load: commits.load() },
    );
    if (share === credit) return;
    credit = share;
    namespace.emit('credit', { frames: credit });
  };
  const timers = merge(
    interval(SWEEP_MS, scheduler).pipe(tap(sweep)),
    interval(options.recheckMs ?? 30_000, scheduler).pipe(tap(recheck)),
  ).subscribe();

  return {
    links$: links.asObservable(),
    connectedAgents: () => shared.leases.size(),
    recheck,
    close: () =>
      new Observable<never>((subscriber) => {
        timers.unsubscribe();
        namespace.off('connection', onConnection);
        namespace.disconnectSockets(true);
        return commits.idle().subscribe({
          complete: () => {
            links.complete();
            subscriber.complete();
          },
        });
      }),
  };
}

/** Emits when the client has answered; errors when its connection ends or it does not know the event. */
function probe(socket: AgentSocket): Observable<unknown> {
  return new Observable((subscriber) => {
    const gone = () => subscriber.error(new Error('the connection ended'));
    socket.on('disconnect', gone);
    socket.emit('probe', (answer: unknown) => {
      subscriber.next(answer);
      subscriber.complete();
    });
    return () => socket.off('disconnect', gone);
  });
}

/** Socket.IO hands `data` to the client's `connect_error`. */
function withData(error: WireError): ExtendedError {
  return Object.assign(new Error(error.message), { data: error });
}
