/** The uplink as a running actor: brings the journal's frames to HQ for as long as it lives. */
import { state } from '@rx-state/core';
import {
  catchError,
  combineLatest,
  distinctUntilChanged,
  EMPTY,
  filter,
  map,
  merge,
  type Observable,
  pairwise,
  Subject,
  take,
  takeUntil,
  tap,
} from 'rxjs';
import type { ActorLogic, ActorRef } from '../../actors/actor.ts';
import { startActor } from '../../actors/start-actor.ts';
import { createPace } from '../../delivery/pace.ts';
import type { DeliveryPause } from '../../delivery/reliability.ts';
import type { Journal, StoredFrame } from '../../journal/port.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Ending } from '../../platform/ending.ts';
import type { Random } from '../../platform/random.ts';
import type { Emit } from '../../platform/telemetry.ts';
import type { AgentState, LinkReport } from '../../protocol/events.ts';
import type { BreakerState } from '../../streams/breaker-state.ts';
import type { AgentConfig } from '../config.ts';
import type { agentEvents } from '../events.ts';
import { compactionTicks } from './compaction-ticks.ts';
import { createUplinkEffects } from './effects.ts';
import { createFrameReliability, type FrameReliability } from './frame-reliability.ts';
import { heartbeatOf } from './heartbeat.ts';
import type { Link } from './link.ts';
import { createLinkGauge, type LinkGauge } from './link-gauge.ts';
import { createUplinkLogic } from './logic.ts';
import type { UplinkGate } from './metering/gate.ts';
import type { AgentIdentity } from './session.ts';
import type { UplinkEffect, UplinkMessage, UplinkState } from './state.ts';
import { statusOf, type UplinkStatus } from './uplink-status.ts';

export type UplinkOptions = {
  readonly identity: AgentIdentity;
  readonly settings: AgentConfig['uplink'];
  readonly link: Link;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit<typeof agentEvents>;
  /** What to tell HQ that we are. */
  readonly agentState: () => AgentState;
  /** What the data budget lets go. */
  readonly gate: UplinkGate;
  /** What to tell HQ of the link; null: nothing. */
  readonly linkReport: () => LinkReport | null;
};

export type Uplink = {
  /** A frame has just been committed. */
  readonly committed: (frame: StoredFrame) => void;
  readonly status$: Observable<UplinkStatus>;
  readonly status: () => UplinkStatus;
  /**
   * Emits when the actor has failed for good, or when the agent must start again to begin a new epoch; completes after
   * that. Never errors.
   */
  readonly ending$: Observable<Ending>;
  /** Sends what is live, says goodbye, closes; completes when done, at the latest after `deadlineMs`. */
  readonly stop: (deadlineMs: number) => Observable<never>;
};

export function createUplink(options: UplinkOptions): Uplink {
  const { settings, journal, clock, random, emit } = options;
  const { scheduler } = clock;
  const reliability = createFrameReliability({ settings, scheduler, random });
  const { breaker } = reliability;
  const gauge = createLinkGauge({
    queueTargetMs: settings.queueTargetMs,
    maxFrames: settings.maxInFlight,
    clock,
    gate: options.gate,
  });
  const logic = createUplinkLogic(settings);
  const actor = spawnUplink(options, { logic, reliability, gauge, rttMs: () => status$.getValue().rttMs });
  const told = ([now, breaker, paused]: readonly [UplinkState, BreakerState, DeliveryPause | null]) =>
    statusOf(now, { breaker, paused: paused?.reason ?? null, gauge, journal });
  const status$ = state(
    combineLatest([actor.state$, breaker.state$, reliability.paused$]).pipe(map(told)),
    told([logic.initial()[0], breaker.state(), reliability.paused()]),
  );

  const stopped$ = new Subject<void>();
  const committed$ = new Subject<void>();
  const keep = merge(
    changesTold(status$, reliability, emit),
    compactionTicks(journal, committed$, scheduler).pipe(tap(() => actor.send({ type: 'compact' }))),
    options.gate.changes$.pipe(
      tap(() => {
        actor.send({ type: 'window', window: gauge.window() });
        actor.send({ type: 'look_again', pending: journal.stats().pendingFrames });
      }),
    ),
  )
    .pipe(takeUntil(stopped$))
    .subscribe({ error: () => {} });

  return {
    committed: (frame) => {
      actor.send({ type: 'window', window: gauge.window() });
      actor.send({ type: 'committed', frame });
      committed$.next();
    },
    status$,
    status: () => status$.getValue(),
    ending$: endingOf(actor),
    stop: (deadlineMs) =>
      actor.stop(deadlineMs).pipe(
        tap({
          complete: () => {
            stopped$.next();
            keep.unsubscribe();
          },
        }),
      ),
  };
}

type UplinkActor = ActorRef<UplinkState, UplinkMessage>;

type Parts = {
  readonly logic: ActorLogic<UplinkState, UplinkMessage, UplinkEffect>;
  readonly reliability: FrameReliability;
  readonly gauge: LinkGauge;
  readonly rttMs: () => number | null;
};

function spawnUplink(options: UplinkOptions, { logic, reliability, gauge, rttMs }: Parts): UplinkActor {
  const { settings, journal, clock } = options;
  const effects = createUplinkEffects({
    ...options,
    reliability,
    gauge,
    pace: createPace(settings.maxBytesPerSecond, clock.scheduler),
    heartbeat: (stopping) =>
      heartbeatOf({
        now: clock.now(),
        state: stopping ? 'stopping' : options.agentState(),
        breaker: reliability.breaker.state().kind,
        stats: journal.stats(),
        rttMs: rttMs(),
        link: options.linkReport(),
      }),
  });
  return startActor<UplinkState, UplinkMessage, UplinkEffect>(
    {
      logic,
      effects,
      mailboxCapacity: 4_096,
      supervision: {
        maxRestarts: 10,
        windowMs: 600_000,
        initialDelayMs: settings.backoffInitialMs,
        maxDelayMs: settings.backoffMaxMs,
      },
      stopping: { message: { type: 'stop' }, isDone: (now) => now.phase === 'stopped' },
    },
    { scheduler: clock.scheduler, random: options.random },
  );
}

/** What people are told as it changes. */
function changesTold(
  status$: Observable<UplinkStatus>,
  { paused$ }: Pick<FrameReliability, 'paused$'>,
  emit: Emit<typeof agentEvents>,
): Observable<unknown> {
  return merge(
    status$.pipe(
      map(({ phase }) => phase === 'online'),
      distinctUntilChanged(),
      tap((connected) => emit({ type: 'link_state', connected })),
    ),
    status$.pipe(
      map(({ breaker: kind }) => kind),
      distinctUntilChanged(),
      pairwise(),
      tap(([before, state]) => emit({ type: 'breaker_changed', before, state })),
    ),
    paused$.pipe(
      pairwise(),
      tap(([before, now]) => {
        if (now !== null)
          emit({ type: 'delivery_paused', reason: now.reason, retryMs: Math.round(now.delayMs) });
        else if (before !== null) emit({ type: 'delivery_resumed', after: before.reason });
      }),
    ),
  );
}

function endingOf({ status$, state$ }: UplinkActor): Observable<Ending> {
  return merge(
    status$.pipe(
      filter((status) => status.kind === 'failed'),
      map(({ error }): Ending => ({ kind: 'failed', error })),
    ),
    // Another copy of the journal has delivered in its epoch. The journal has noted it: started again, it begins a new
    // one.
    state$.pipe(
      // The actor's failure is told above.
      catchError(() => EMPTY),
      map(({ memory }) => memory.forked),
      filter((forked) => forked !== null),
      map((reason): Ending => ({ kind: 'restart', reason })),
    ),
  ).pipe(take(1));
}
