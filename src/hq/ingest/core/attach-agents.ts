/**
 * The agents' way in: admits connections, hands their messages to one session each through the guarded handlers,
 * and ends those that say nothing, break the protocol, or whose token no longer counts.
 */
import { interval, merge, Observable, Subject, Subscription, tap } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import {
  type AgentMessageName,
  type AgentMessages,
  agentMessageNames,
  agentMessages,
} from '../../../protocol/agent-messages.ts';
import type { WireError } from '../../../protocol/events.ts';
import type { Access, AccessRequest } from '../../access.ts';
import type { ChaosControl } from '../../chaos.ts';
import { createHalfOpen } from '../../half-open.ts';
import type { AgentPeer, AgentServer } from './agent-server.ts';
import { createDrainTurns } from './drain-turns.ts';
import { createGroupCommit } from './group-commit.ts';
import { type GuardOptions, guarded } from './guarded-handler.ts';
import { messageHandlers } from './handlers/handlers.ts';
import type { IngestEmit } from './ingest-events.ts';
import {
  createIngestShared,
  type IngestLimits,
  type IngestShared,
  type IngestStore,
} from './ingest-shared.ts';
import { createLeases, type Holder } from './leases.ts';
import type { LinkEvent } from './link-event.ts';
import { createReadThrottle } from './read-throttle.ts';
import { refuse } from './refusal.ts';
import { createSession, type Session } from './session.ts';

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

/** One connection with what is watched about it. */
type PeerEntry = {
  readonly peer: AgentPeer;
  readonly session: Session;
  readonly throttle: (ms: number) => void;
  /** It has said hello. */
  readonly heard: () => void;
};

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
  const cutOff = ({ peer, session }: PeerEntry, reason: string) => {
    emit({ type: 'cut_off', agent: session.established()?.agent ?? null, address: peer.address, reason });
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
    const line = createReadThrottle({
      setReading: peer.setReading,
      scheduler,
      onHeld: () => emit({ type: 'held_back', agent: session.established()?.agent ?? null }),
    });
    const session = createSession(shared, { ...peer, throttle: line.throttle });
    const heard = hellos.begin({
      received: peer.received,
      cut: (reason) => {
        emit({ type: 'half_open_cut', kind: 'hello', reason, address: peer.address });
        cutOff(entry, 'no hello');
      },
    });
    const entry: PeerEntry = { peer, session, throttle: line.throttle, heard };
    peers.add(entry);
    emit({ type: 'agent_sockets', sockets: peers.size });
    const work = listen(entry);
    peer.ended$.subscribe((reason) => {
      work.unsubscribe();
      heard();
      line.end();
      peers.delete(entry);
      session.gone(reason);
      emit({ type: 'agent_sockets', sockets: peers.size });
    });
  };

  function listen(entry: PeerEntry): Subscription {
    const { peer, session, throttle, heard } = entry;
    const work = new Subscription();
    const agent = () => session.established()?.agent ?? null;
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
        throttle(OUTSTANDING_RETRY_MS);
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

    const handlerOf = <N extends AgentMessageName>(event: N) => {
      const { args } = agentMessages[event];
      const handle = (...received: AgentMessages[N]['args']) =>
        messageHandlers[event](session, ...received).pipe(
          tap(() => {
            if (session.established() !== null) heard();
          }),
        );
      return guarded({ ...common, event, args, handle });
    };
    const handlers = new Map<unknown, (...received: unknown[]) => void>(
      agentMessageNames.map((name) => [name, handlerOf(name)]),
    );
    work.add(
      peer.messages$.subscribe(({ event, args }) => {
        const handler = handlers.get(event);
        if (handler !== undefined) handler(...args);
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
