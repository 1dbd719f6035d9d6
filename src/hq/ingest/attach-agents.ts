/**
 * The agents' way in: admits connections, hands their messages to one Connection each through the guarded handlers,
 * and ends those that say nothing, break the protocol, or whose token no longer counts.
 */
import { interval, merge, Observable, Subject, Subscription, tap } from 'rxjs';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import {
  type AgentToHqEvents,
  coverageRequestSchema,
  frameMetaSchema,
  goodbyeSchema,
  type Hello,
  heartbeatSchema,
  helloSchema,
  schemaMessageSchema,
  type WireError,
} from '../../protocol/events.ts';
import type { Access, AccessRequest } from '../access.ts';
import type { ChaosControl } from '../chaos.ts';
import { createHalfOpen } from '../half-open.ts';
import type { AgentPeer, AgentServer } from './agent-server.ts';
import { type Connection, createConnection } from './connection.ts';
import { createDrainTurns } from './drain-turns.ts';
import { createGroupCommit } from './group-commit.ts';
import { type GuardOptions, guarded } from './guarded-handler.ts';
import { createHoldBack } from './hold-back.ts';
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
  readonly server: AgentServer;
  readonly store: IngestStore;
  readonly access: Pick<Access, 'admit'>;
  readonly chaos: Pick<ChaosControl, 'admit'>;
  /** Whether the storage takes commits: agents that were refused are told when it does again. */
  readonly isStoring: () => boolean;
  readonly clock: Clock;
  readonly limits: IngestLimits;
  /** Which HQ this is, for agents to know it again (identity.ts). Default: they are told none. */
  readonly identity?: string | null;
  readonly emit: IngestEmit;
  /** How long nothing may come of a connection that has not said hello, ms. Default 10,000. */
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
const OUTSTANDING_RETRY_MS = 1_000;
const MAX_VIOLATIONS = 16;
const SWEEP_MS = 1_000;
const TURNS_MS = 250;

const bytesSchema = z.instanceof(Uint8Array);
const schemas = {
  hello: z.tuple([helloSchema]),
  coverage: z.tuple([coverageRequestSchema]),
  schema: z.tuple([schemaMessageSchema]),
  frame: z.tuple([frameMetaSchema, bytesSchema]),
  heartbeat: z.tuple([heartbeatSchema]),
  goodbye: z.tuple([goodbyeSchema]),
};

/** One connection with what is watched about it. */
type PeerEntry = {
  readonly peer: AgentPeer;
  readonly connection: Connection;
  readonly holdBack: (ms: number) => void;
  /** It has said hello. */
  readonly heard: () => void;
};
type Handlers = { readonly [K in keyof AgentToHqEvents]: (...received: unknown[]) => void };

export function attachAgents(options: AttachAgentsOptions): AgentsGateway {
  const { server, store, access, chaos, isStoring, clock, limits, emit } = options;
  const { scheduler } = clock;
  const links = new Subject<LinkEvent>();
  const peers = new Set<PeerEntry>();
  const { maxQueueBytes } = options;
  const commits = createGroupCommit({
    append: store.append,
    clock,
    emit,
    ...(maxQueueBytes === undefined ? {} : { maxQueueBytes }),
  });
  const drains = createDrainTurns({
    slots: limits.drainSlots,
    creditFrames: limits.creditFrames,
    creditBytes: {
      perAgent: commits.room.agentBytes,
      total: commits.room.backlogBytes,
      least: limits.maxFrameBytes,
    },
    clock,
    load: commits.load,
    emit,
  });
  const shared: IngestShared = createIngestShared({
    store,
    clock,
    chaos,
    isStoring,
    emit,
    limits,
    identity: options.identity ?? null,
    leases: createLeases<Holder>(),
    link: (event) => links.next(event),
    drains,
    commits,
  });

  const admit = (credentials: AccessRequest, address: string): WireError | null => {
    const admission = access.admit('agent', credentials);
    if (admission.ok) return null;
    emit({ type: 'agent_unauthorized', address, reason: admission.reason });
    return refuse('unauthorized', admission.message).error;
  };
  const cutOff = ({ peer, connection }: PeerEntry, reason: string) => {
    emit({ type: 'cut_off', agent: connection.lease()?.agent ?? null, address: peer.address, reason });
    peer.disconnect();
  };

  const hellos = createHalfOpen({
    silenceMs: options.helloTimeoutMs ?? 10_000,
    leastBytesPerSecond: limits.leastBytesPerSecond,
    max: limits.maxPendingHellos,
    clock,
    onCount: (count) => emit({ type: 'half_open', kind: 'hello', count }),
  });
  const accept = (peer: AgentPeer) => {
    const line = createHoldBack({
      setReading: peer.setReading,
      scheduler,
      onHeld: () => emit({ type: 'held_back', agent: connection.lease()?.agent ?? null }),
    });
    const connection: Connection = createConnection(shared, { ...peer, holdBack: line.holdBack });
    const heard = hellos.begin({
      received: peer.received,
      cut: (reason) => {
        emit({ type: 'half_open_cut', kind: 'hello', reason, address: peer.address });
        cutOff(entry, 'no hello');
      },
    });
    const entry: PeerEntry = { peer, connection, holdBack: line.holdBack, heard };
    peers.add(entry);
    emit({ type: 'agent_sockets', sockets: peers.size });
    const work = listen(entry);
    peer.ended$.subscribe((reason) => {
      work.unsubscribe();
      heard();
      line.end();
      peers.delete(entry);
      connection.gone(reason);
      emit({ type: 'agent_sockets', sockets: peers.size });
    });
  };

  function listen(entry: PeerEntry): Subscription {
    const { peer, connection, holdBack, heard } = entry;
    const work = new Subscription();
    const agent = () => connection.lease()?.agent ?? null;
    let outstanding = 0;
    let violations = 0;
    const violated = (detail: string) => {
      violations += 1;
      emit({ type: 'violation', agent: agent(), address: peer.address, detail });
      if (violations === MAX_VIOLATIONS) cutOff(entry, 'protocol violations');
    };
    const common = {
      admit: () => {
        if (outstanding < MAX_OUTSTANDING) return null;
        holdBack(OUTSTANDING_RETRY_MS);
        return refuse('rate_limited', `${MAX_OUTSTANDING} messages wait for an answer already`, {
          retryAfterMs: OUTSTANDING_RETRY_MS,
        });
      },
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

    const { coverage, schema, frame, heartbeat, goodbye } = connection;
    const hello = (message: Hello) =>
      connection.hello(message).pipe(
        tap(({ ok }) => {
          if (ok) heard();
        }),
      );
    const handlers: Handlers = {
      hello: guarded({ ...common, event: 'hello', args: schemas.hello, handle: hello }),
      coverage: guarded({ ...common, event: 'coverage', args: schemas.coverage, handle: coverage }),
      schema: guarded({ ...common, event: 'schema', args: schemas.schema, handle: schema }),
      frame: guarded({ ...common, event: 'frame', args: schemas.frame, handle: frame }),
      heartbeat: guarded({ ...common, event: 'heartbeat', args: schemas.heartbeat, handle: heartbeat }),
      goodbye: guarded({ ...common, event: 'goodbye', args: schemas.goodbye, handle: goodbye }),
    };
    const isKnown = (event: unknown): event is keyof Handlers =>
      typeof event === 'string' && Object.hasOwn(handlers, event);
    work.add(
      peer.messages$.subscribe(({ event, args }) => {
        if (isKnown(event)) handlers[event](...args);
        else violated(`unknown event ${String(event).slice(0, 64)}`);
      }),
    );
    work.add(peer.faults$.subscribe(violated));
    return work;
  }
  const serving = server.serve(admit).subscribe(accept);

  const recheck = () => {
    for (const entry of peers) {
      const { credentials, address } = entry.peer;
      if (admit(credentials, address) !== null) cutOff(entry, 'token no longer counts');
    }
  };
  const timers = merge(
    interval(SWEEP_MS, scheduler).pipe(tap(hellos.sweep)),
    interval(TURNS_MS, scheduler).pipe(tap(drains.tick)),
    interval(options.recheckMs ?? 30_000, scheduler).pipe(tap(recheck)),
  ).subscribe();

  return {
    links$: links.asObservable(),
    connectedAgents: () => shared.leases.size(),
    recheck,
    close: () =>
      new Observable<never>((subscriber) => {
        timers.unsubscribe();
        serving.unsubscribe();
        return commits.idle().subscribe({
          complete: () => {
            links.complete();
            subscriber.complete();
          },
        });
      }),
  };
}
