/** The uplink as a running actor: brings the journal's frames to HQ for as long as it lives. */
import { state } from '@rx-state/core';
import {
  BehaviorSubject,
  combineLatest,
  defer,
  distinctUntilChanged,
  exhaustMap,
  filter,
  map,
  merge,
  type Observable,
  pairwise,
  Subject,
  startWith,
  takeUntil,
  takeWhile,
  tap,
  timer,
} from 'rxjs';
import { startActor } from '../../actors/start-actor.ts';
import type { Journal, StoredFrame } from '../../journal/port.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { Emit } from '../../platform/telemetry.ts';
import type { AgentState, LinkReport } from '../../protocol/events.ts';
import type { BreakerState } from '../../streams/breaker-state.ts';
import type { AgentConfig } from '../config.ts';
import type { agentEvents } from '../events.ts';
import { isHeldBack } from './backlog-lane.ts';
import { createUplinkEffects } from './effects.ts';
import { heartbeatOf } from './heartbeat.ts';
import type { Link } from './link.ts';
import { type LinkEstimate, rateOf } from './link-estimate.ts';
import { createLinkGauge, type LinkGauge } from './link-gauge.ts';
import { createUplinkLogic } from './logic.ts';
import type { UplinkGate } from './metering/gate.ts';
import { createPace } from './pace.ts';
import { createReliability } from './reliability.ts';
import type { UplinkEffect, UplinkMessage, UplinkState } from './state.ts';

export type UplinkOptions = {
  readonly identity: { readonly agent: string; readonly instance: string; readonly version: string };
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

/** What people and metrics want to know of it. */
export type UplinkStatus = {
  readonly phase: UplinkState['phase'];
  /** Why it is waiting; null otherwise. */
  readonly reason: string | null;
  /** When it tries again, ms of the scheduler's clock; null unless waiting. */
  readonly retryAt: number | null;
  readonly attempt: number;
  /** Number of the latest connection. */
  readonly connection: number;
  readonly breaker: BreakerState['kind'];
  /** Why frames wait although there is a connection, for instance `unavailable`; null while they pass. */
  readonly paused: string | null;
  /** Smoothed round trip of acks, ms. */
  readonly rttMs: number | null;
  /** Our wall clock minus HQ's, ms, by the fastest recent answer. */
  readonly clockOffsetMs: number | null;
  /** Frames in flight. */
  readonly live: number;
  readonly backlog: number;
  /** Whether frames older than the live ones are still to be sent. */
  readonly behind: boolean;
  /** What is known of the link; null without a connection. */
  readonly link: LinkFigures | null;
};

/** Null before the first estimate. */
export type LinkFigures = {
  readonly rateBytesPerSecond: number | null;
  readonly minRttMs: number | null;
  /** Queueing delay beyond that. */
  readonly queueMs: number | null;
  /** Of frames without HQ's answer, headers included. */
  readonly inFlightBytes: number;
};

export type Uplink = {
  /** A frame has just been committed. */
  readonly committed: (frame: StoredFrame) => void;
  readonly status$: Observable<UplinkStatus>;
  readonly status: () => UplinkStatus;
  /** Ends in error when the actor failed for good, or with EpochForkedError when the agent must start again to begin a new epoch. */
  readonly failed$: Observable<unknown>;
  /** Sends what is live, says goodbye, closes; completes when done, at the latest after `deadlineMs`. */
  readonly stop: (deadlineMs: number) => Observable<never>;
};

const SEAL_CHECK_MS = 1_000;
const SEAL_AT_FRAMES = 512;
/** Ticks after which even a few small frames are sealed. */
const SEAL_AT_TICKS = 5;
const SEAL_FEW_FRAMES = 16;
/** Weight of the newest round trip in the smoothed one, as TCP has it (RFC 6298). */
const RTT_WEIGHT = 1 / 8;

/** Another copy of the journal has delivered in its epoch. The journal has noted it: started again, it begins a new one. */
export class EpochForkedError extends Error {
  override readonly name = 'EpochForkedError';
  /** Whoever runs the agent should start it again. */
  readonly restart = true;
}

type Measures = { readonly rttMs: number | null; readonly clockOffsetMs: number | null };

export function createUplink(options: UplinkOptions): Uplink {
  const { identity, settings, link, journal, clock, random, emit } = options;
  const { scheduler } = clock;
  const measures$ = new BehaviorSubject<Measures>({ rttMs: null, clockOffsetMs: null });
  const stopped$ = new Subject<void>();
  const forked$ = new Subject<string>();
  const committed$ = new Subject<void>();
  /** Why frames wait on an open connection; null while they pass. */
  const paused$ = new BehaviorSubject<string | null>(null);

  const reliability = createReliability({
    settings,
    scheduler,
    random,
    onPause: (pause) => {
      const before = paused$.value;
      if (pause === null) {
        if (before === null) return;
        emit({ type: 'delivery_resumed', after: before });
        paused$.next(null);
      } else if (before === null) {
        emit({ type: 'delivery_paused', reason: pause.reason, retryMs: Math.round(pause.delayMs) });
        paused$.next(pause.reason);
      }
    },
  });
  const { breaker } = reliability;

  const gauge = createLinkGauge({
    queueTargetMs: settings.queueTargetMs,
    maxFrames: settings.maxInFlight,
    clock,
    gate: options.gate,
  });
  const effects = createUplinkEffects({
    identity,
    link,
    journal,
    reliability,
    pace: createPace(settings.maxBytesPerSecond, scheduler),
    clock,
    gauge,
    random,
    emit,
    settings,
    isPaused: () => paused$.value !== null,
    heartbeat: (stopping) =>
      heartbeatOf({
        now: clock.now(),
        state: stopping ? 'stopping' : options.agentState(),
        breaker: breaker.state().kind,
        stats: journal.stats(),
        rttMs: measures$.value.rttMs,
        link: options.linkReport(),
      }),
    onReportRefused: (detail) => emit({ type: 'link_report_refused', detail }),
    onForked: (detail) => {
      emit({ type: 'epoch_forked', detail });
      forked$.next(detail);
    },
    onHqTime: ({ hqTs, sentTs, rttMs }) => {
      // HQ read its clock halfway through the round trip, as far as anyone can tell.
      measures$.next({ ...measures$.value, clockOffsetMs: Math.round(sentTs + rttMs / 2 - hqTs) });
    },
    onRoundTrip: (rttMs) => {
      const before = measures$.value.rttMs;
      const smoothed = before === null ? rttMs : before + (rttMs - before) * RTT_WEIGHT;
      measures$.next({ ...measures$.value, rttMs: smoothed });
    },
  });

  const logic = createUplinkLogic(settings);
  const actor = startActor<UplinkState, UplinkMessage, UplinkEffect>(
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
    { scheduler, random },
  );

  const status$ = state(
    combineLatest([actor.state$, breaker.state$, measures$, paused$]).pipe(
      map(([now, breaker, measures, paused]) => statusOf(now, { breaker, measures, paused, gauge, journal })),
    ),
    statusOf(logic.initial()[0], {
      breaker: breaker.state(),
      measures: measures$.value,
      paused: paused$.value,
      gauge,
      journal,
    }),
  );
  const keep = merge(
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
    sealTicks(),
    options.gate.changes$.pipe(
      tap(() => {
        actor.send({ type: 'window', window: gauge.window() });
        actor.send({ type: 'look_again', pending: journal.stats().pendingFrames });
      }),
    ),
  )
    .pipe(takeUntil(stopped$))
    .subscribe({ error: () => {} });

  /**
   * Small frames cost a round trip each: merge them while there are many, above all when offline; a journal that fills up does not
   * wait for many. Ticks while frames come: an agent that commits rarely need not wake up for nothing.
   */
  function sealTicks(): Observable<unknown> {
    let settled = 0;
    let ticks = 0;
    const look = () => {
      const { pendingFrames } = journal.stats();
      settled = Math.min(settled, pendingFrames);
      return pendingFrames;
    };
    const ticking = defer(() => {
      look();
      let idle = 0;
      let before = -1;
      return timer(0, SEAL_CHECK_MS, scheduler).pipe(
        tap(() => {
          const pendingFrames = look();
          ticks += 1;
          const few = ticks >= SEAL_AT_TICKS;
          idle = pendingFrames === before ? idle + 1 : 0;
          before = pendingFrames;
          const { crowded } = journal.stats();
          if (!crowded && pendingFrames - settled < (few ? SEAL_FEW_FRAMES : SEAL_AT_FRAMES)) return;
          ticks = 0;
          settled = pendingFrames;
          actor.send({ type: 'seal' });
        }),
        // By then even a few would have been sealed.
        takeWhile(() => idle <= SEAL_AT_TICKS),
      );
    });
    return committed$.pipe(
      startWith(undefined),
      exhaustMap(() => ticking),
    );
  }

  return {
    committed: (frame) => {
      actor.send({ type: 'window', window: gauge.window() });
      actor.send({ type: 'committed', frame });
      committed$.next();
    },
    status$,
    status: () => status$.getValue(),
    failed$: merge(
      actor.status$.pipe(
        filter((status) => status.kind === 'failed'),
        map((status) => {
          throw status.error;
        }),
      ),
      forked$.pipe(
        map((detail) => {
          throw new EpochForkedError(detail);
        }),
      ),
    ),
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

function figuresOf(estimate: LinkEstimate): LinkFigures {
  const rate = rateOf(estimate);
  return {
    rateBytesPerSecond: rate === null ? null : rate * 1000,
    minRttMs: estimate.least?.ms ?? null,
    queueMs: estimate.queueMs,
    inFlightBytes: estimate.inFlightBytes,
  };
}

type Surroundings = {
  readonly breaker: BreakerState;
  readonly measures: Measures;
  readonly paused: string | null;
  readonly gauge: Pick<LinkGauge, 'estimate'>;
  readonly journal: Pick<Journal, 'stats'>;
};

function statusOf(
  now: UplinkState,
  { breaker, measures, paused, gauge, journal }: Surroundings,
): UplinkStatus {
  const waiting = now.phase === 'waiting' ? now : null;
  const online = now.phase === 'online' ? now : null;
  return {
    phase: now.phase,
    reason: waiting?.reason ?? null,
    retryAt: waiting?.until ?? null,
    attempt: now.memory.attempt,
    connection: now.memory.connection,
    breaker: breaker.kind,
    paused,
    ...measures,
    live: online?.live.inFlight.length ?? 0,
    backlog: online?.backlog.inFlight.length ?? 0,
    behind:
      online !== null &&
      (!online.backlog.exhausted ||
        online.backlog.inFlight.length > 0 ||
        online.backlog.ready.length > 0 ||
        now.memory.suspected.length > 0 ||
        isHeldBack(online, journal.stats().pending)),
    link: online === null ? null : figuresOf(gauge.estimate()),
  };
}
