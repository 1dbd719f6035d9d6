/**
 * The agents' way in: admits connections, hands their messages to one session each through the guarded handlers,
 * and ends those that say nothing, break the protocol, or whose token no longer counts.
 */
import { catchError, interval, map, merge, Observable, of, Subject, tap } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { errorText } from '../../../platform/error-text.ts';
import type { WireError } from '../../../protocol/events.ts';
import type { Access, AccessRequest, Admission } from '../../access.ts';
import type { ChaosControl } from '../../chaos.ts';
import { createHalfOpen } from '../../half-open.ts';
import { damageDetail } from '../../store/lose-for-good.ts';
import type { AgentPeer, AgentServer } from './agent-server.ts';
import { createBacklogScheduler } from './backlog-scheduler.ts';
import type { IngestCore } from './ingest-core.ts';
import type { IngestEmit } from './ingest-events.ts';
import {
  createIngestShared,
  type IngestLimits,
  type IngestShared,
  type IngestStore,
} from './ingest-shared.ts';
import { createLeases, type Holder } from './leases.ts';
import type { LinkEvent } from './link-event.ts';
import { type Listened, listenTo } from './listen-to.ts';
import { createReadThrottle } from './read-throttle.ts';
import { refuse, refuseUnavailable } from './refusal.ts';
import { createSession, UNAVAILABLE_RETRY_MS } from './session.ts';

export type AttachAgentsOptions = {
  readonly server: AgentServer;
  readonly store: IngestStore;
  readonly ingest: IngestCore;
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

const SWEEP_MS = 1_000;
const TURNS_MS = 250;

export function attachAgents(options: AttachAgentsOptions): AgentsGateway {
  const { server, access, clock, limits, emit } = options;
  const { scheduler } = clock;
  const links = new Subject<LinkEvent>();
  const peers = new Set<Listened>();
  const { shared, drains } = assembleIngest(options, links);

  const judge = (credentials: AccessRequest, address: string) =>
    access.admit('agent', credentials).pipe(map((admission) => refusalOf(admission, address, emit)));
  const cutOff = ({ peer, session }: Listened, reason: string) => {
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
      address: peer.address,
      received: peer.received,
      cut: (reason) => {
        emit({ type: 'half_open_cut', kind: 'hello', reason, address: peer.address });
        cutOff(entry, 'no hello');
      },
    });
    const entry: Listened = { peer, session, throttle: line.throttle, heard };
    peers.add(entry);
    emit({ type: 'agent_sockets', sockets: peers.size });
    const work = listenTo(entry, { emit, cut: (reason) => cutOff(entry, reason) });
    peer.ended$.subscribe((reason) => {
      work.unsubscribe();
      heard();
      line.end();
      peers.delete(entry);
      session.gone(reason);
      emit({ type: 'agent_sockets', sockets: peers.size });
    });
  };

  const serving = server
    .serve((credentials, address) =>
      judge(credentials, address).pipe(
        catchError((error: unknown) => {
          emit({ type: 'handler_failed', event: 'connect', agent: null, error: errorText(error) });
          return of(refuseUnavailable('HQ cannot look up who this is just now', UNAVAILABLE_RETRY_MS).error);
        }),
      ),
    )
    .subscribe(accept);

  const recheck = () => {
    for (const entry of peers) {
      const { credentials, address } = entry.peer;
      judge(credentials, address).subscribe({
        next: (refusal) => {
          if (refusal !== null && peers.has(entry)) cutOff(entry, 'token no longer counts');
        },
        // Who came in stays in until it is known that it may not.
        error: (error: unknown) =>
          emit({ type: 'handler_failed', event: 'recheck', agent: null, error: errorText(error) }),
      });
    }
  };
  const timers = merge(
    tellTakenBack(shared),
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
        return options.ingest.commits.idle('frames').subscribe({
          complete: () => {
            links.complete();
            subscriber.complete();
          },
        });
      }),
  };
}

function assembleIngest(options: AttachAgentsOptions, links: Subject<LinkEvent>) {
  const { store, ingest, chaos, isStoring, clock, limits, emit, identity = null } = options;
  const { commits } = ingest;
  const drains = createBacklogScheduler({
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
  const shared = createIngestShared({
    store,
    clock,
    chaos,
    isStoring,
    emit,
    limits,
    identity,
    leases: createLeases<Holder>(),
    link: (event) => links.next(event),
    drains,
    ingest,
  });
  return { shared, drains };
}

/** What an agent was told before no longer holds: at its next hello it hears what does. */
function tellTakenBack({ store, leases, link, clock }: IngestShared): Observable<unknown> {
  return store.takenBack$.pipe(
    tap(({ agent, again, lost }) => {
      const detail = damageDetail(agent, { again, lost });
      link({ kind: 'alarm', agent, alarm: 'damaged_at_hq', detail, ts: clock.now() });
      if (again > 0) leases.end(agent, 'HQ has lost samples that it had confirmed');
    }),
  );
}

/** Why a connection may not come in; null lets it in. */
function refusalOf(admission: Admission, address: string, emit: IngestEmit): WireError | null {
  if (admission.ok) return null;
  emit({ type: 'agent_unauthorized', address, reason: admission.reason });
  return refuse('unauthorized', admission.message).error;
}
