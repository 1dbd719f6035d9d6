/** The session of one connection of `/agents`: its state, and what its handlers have in common. */
import { catchError, concatMap, EMPTY, finalize, map, type Observable, of, race, timer } from 'rxjs';
import { errorText } from '../../../platform/error-text.ts';
import { FrameError } from '../../../protocol/frame.ts';
import type { Epoch, SchemaRef } from '../../../protocol/sample.ts';
import type { AgentPeer } from './agent-server.ts';
import type { IngestShared } from './ingest-shared.ts';
import { PURGE_RETRY_MS, PurgeRunningError } from './known-agents.ts';
import type { Holder } from './leases.ts';
import { QueueFullError } from './queue-room.ts';
import { createHintTeller, type HintTeller, reconnectHintMs } from './reconnect-hint.ts';
import { type Refused, refuse, refuseUnavailable } from './refusal.ts';
import type { SessionView } from './session-view.ts';

/** How long the holder of a lease has to answer a probe. */
const PROBE_MS = 2_000;
export const UNAVAILABLE_RETRY_MS = 1_000;

export type SessionState =
  /** No hello has been accepted, and none is being looked at. */
  | { readonly kind: 'connected' }
  /** A hello is being looked at; the lease may have been given already. */
  | { readonly kind: 'claiming'; readonly agent: string; readonly instance: string }
  /** The agent holds the lease, and with it the epoch that it delivers. */
  | Established
  /** The connection has ended, or has been told to. */
  | { readonly kind: 'leaving' };
export type Established = {
  readonly kind: 'established';
  readonly agent: string;
  readonly instance: string;
  readonly epoch: Epoch;
  readonly view: SessionView;
};

/** What a session needs of the wire beneath it. */
export type Transport = Pick<
  AgentPeer,
  'address' | 'probe' | 'sendConflict' | 'sendCredit' | 'disconnect'
> & {
  /** The agent sends faster than it may: nothing more is read of it for a while. */
  readonly throttle: (ms: number) => void;
};

export type Session = Holder & {
  readonly shared: IngestShared;
  readonly transport: Transport;
  readonly hint: HintTeller;
  /** Schemas that were refused for good, and what their frames are refused with. */
  readonly refusedSchemas: Map<SchemaRef, Refused>;
  readonly state: () => SessionState;
  readonly become: (state: SessionState) => void;
  /** Null before a hello has been accepted. */
  readonly established: () => Established | null;
  /** The agent is connected, and is not retired, until this session has ended and all of it is stored. */
  readonly stay: (agent: string) => void;
  /** The transport is gone. */
  readonly gone: (reason: string) => void;
};

export const HELLO_FIRST = refuse('hello_required', 'say hello first: HQ does not know yet who this is');

export const downOnPurpose = () => refuseUnavailable('HQ is down on purpose (chaos)', UNAVAILABLE_RETRY_MS);

export function createSession(shared: IngestShared, transport: Transport): Session {
  const { clock, emit, limits } = shared;
  let state: SessionState = { kind: 'connected' };
  let probing: Observable<boolean> | null = null;
  let free: (() => void) | null = null;
  const leave = (reason: string): string | null => {
    const before = state;
    state = { kind: 'leaving' };
    if (before.kind !== 'established') return null;
    shared
      .settled(before.agent)
      .pipe(finalize(() => free?.()))
      .subscribe();
    shared.drains.gone(before.agent);
    shared.link({ kind: 'disconnected', agent: before.agent, reason, ts: clock.now() });
    return before.agent;
  };

  const session: Session = {
    shared,
    transport,
    hint: createHintTeller(() => reconnectHintMs(shared.agents.size(), limits.reconnectsPerSecond)),
    refusedSchemas: new Map(),
    state: () => state,
    become: (next) => {
      if (state.kind !== 'leaving') state = next;
    },
    stay: (agent) => {
      if (state.kind === 'established') free ??= shared.agents.occupy(agent);
    },
    established: () => (state.kind === 'established' ? state : null),
    get instance() {
      return 'instance' in state ? state.instance : '';
    },
    conflict: transport.sendConflict,
    probe: () => {
      // Several claimants at once cost one probe.
      probing ??= race(
        transport.probe().pipe(
          map(() => true),
          catchError(() => of(false)),
        ),
        timer(PROBE_MS, clock.scheduler).pipe(map(() => false)),
      ).pipe(
        finalize(() => {
          probing = null;
        }),
        shared.once(),
      );
      return probing;
    },
    end: (reason) => {
      const agent = session.established()?.agent ?? null;
      emit({ type: 'cut_off', agent, address: transport.address, reason });
      leave(reason);
      transport.disconnect();
    },
    gone: (reason) => {
      if ('agent' in state) shared.leases.release(state.agent, session).subscribe();
      const agent = leave(reason);
      if (agent !== null)
        emit({ type: 'agent_disconnected', agent, reason, connected: shared.leases.size() });
    },
  };
  return session;
}

/** While HQ is down on purpose: nothing, or a refusal. */
export function behindChaos<R>({ shared }: Session, work: () => Observable<R>): Observable<R | Refused> {
  return shared.chaos.admit().pipe(
    concatMap((verdict): Observable<R | Refused> => {
      if (verdict === 'lose') return EMPTY;
      if (verdict === 'refuse') return of(downOnPurpose());
      return work();
    }),
  );
}

/**
 * What a client is told when the storage has failed. A frame's failure is told once for its whole group, by the commit.
 */
export function storageRefusal(
  session: Session,
  event: 'hello' | 'schema' | 'frame',
  error: unknown,
): Refused {
  if (error instanceof FrameError) return refuse('bad_frame', error.message);
  if (error instanceof PurgeRunningError) return refuseUnavailable(error.message, PURGE_RETRY_MS);
  if (event !== 'frame') {
    const state = session.state();
    const agent = 'agent' in state ? state.agent : null;
    session.shared.emit({ type: 'handler_failed', event, agent, error: errorText(error) });
  }
  if (!(error instanceof QueueFullError))
    return refuseUnavailable('HQ could not store this just now', UNAVAILABLE_RETRY_MS);
  // Where others can still be served it is no failure of HQ, and no reason for a breaker to open.
  return error.bound === 'hq'
    ? refuseUnavailable(error.message, UNAVAILABLE_RETRY_MS)
    : refuse('rate_limited', error.message, { retryAfterMs: UNAVAILABLE_RETRY_MS });
}

export const storageFailed = <T>(session: Session, event: 'hello' | 'schema') =>
  catchError<T, Observable<Refused>>((error: unknown) => of(storageRefusal(session, event, error)));

export function noteLost({ shared }: Session, agent: string, epoch: Epoch, samples: number): void {
  if (samples === 0) return;
  shared.emit({ type: 'lost_at_hq', agent, epoch, samples });
  const detail = `${samples} samples of ${agent} are accounted as lost: HQ no longer holds them`;
  shared.link({ kind: 'alarm', agent, alarm: 'lost_at_hq', detail, ts: shared.clock.now() });
}
