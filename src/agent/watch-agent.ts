/** Keeps the agent's state and its gauges up to date. */
import {
  type BehaviorSubject,
  distinctUntilChanged,
  interval,
  map,
  merge,
  Observable,
  share,
  tap,
} from 'rxjs';
import type { Journal, JournalStats } from '../journal/port.ts';
import type { Clock } from '../platform/clock.ts';
import type { Emit } from '../platform/telemetry.ts';
import type { AgentState } from '../protocol/events.ts';
import { type AgentCircumstances, createSteadyState, deriveAgentState } from './agent-state.ts';
import type { agentEvents } from './events.ts';
import type { LinkFacts } from './link-report.ts';
import type { LinkWatch } from './link-watch.ts';
import type { Pipeline, PipelineStatus } from './pipeline/pipeline-types.ts';
import type { DrainForecast } from './uplink/drain-forecast.ts';
import { lagOf } from './uplink/heartbeat.ts';
import type { Uplink } from './uplink/uplink.ts';
import type { UplinkStatus } from './uplink/uplink-status.ts';

/** Pauses in which HQ takes nothing from anyone; being told to slow down is none. */
const REFUSALS: ReadonlySet<string> = new Set(['unavailable', 'internal', 'breaker_open']);

const DISK_FULL =
  'the journal keeps within the room that it has, by its overflow policy; free some space or lower journal.maxBytes';
const DISK_ROOM = 'there is room again';

/** Time moves the state too: what is unsent grows old. */
const PERIOD_MS = 1_000;

export type WatchOptions = {
  readonly journal: Pick<Journal, 'stats'>;
  readonly pipeline: Pick<Pipeline, 'status' | 'status$'>;
  readonly uplink: Pick<Uplink, 'status' | 'status$'>;
  readonly linkWatch: Pick<LinkWatch, 'look' | 'facts'>;
  readonly clock: Clock;
  readonly emit: Emit<typeof agentEvents>;
  /** Emits whether the agent is stopping, at once and when it changes. */
  readonly stopping$: BehaviorSubject<boolean>;
};

/**
 * The agent's state at once and after each change; reports the changes and, every second, the journal's figures. Never
 * ends.
 */
export function watchAgent(options: WatchOptions): Observable<AgentState> {
  const { journal, pipeline, uplink, linkWatch, clock, emit, stopping$ } = options;
  const derive = () =>
    deriveAgentState(
      circumstancesOf({
        stopping: stopping$.value,
        stats: journal.stats(),
        pipeline: pipeline.status(),
        uplink: uplink.status(),
        now: clock.now(),
      }),
    );
  const everySecond$ = interval(PERIOD_MS, clock.scheduler).pipe(
    tap(() => {
      linkWatch.look();
      emit({ type: 'journal_stats', ...figuresOf(journal.stats(), clock.now()) });
      emit({ type: 'link_stats', ...linkFiguresOf(linkWatch.facts()) });
    }),
  );
  return new Observable<AgentState>((subscriber) => {
    const steady = createSteadyState();
    let before: AgentState = 'starting';
    let diskFull = false;
    let diskFailing = false;
    return merge(stopping$, pipeline.status$, uplink.status$, everySecond$)
      .pipe(
        tap(() => {
          const { disk } = journal.stats();
          if ((disk === 'failing') !== diskFailing) {
            diskFailing = !diskFailing;
            emit({ type: 'disk_failing_changed', failing: diskFailing });
          }
          // While it fails nobody knows whether there is room.
          if (diskFailing || (disk === 'full') === diskFull) return;
          diskFull = !diskFull;
          emit({ type: 'disk_full_changed', full: diskFull, detail: diskFull ? DISK_FULL : DISK_ROOM });
        }),
        map(() => steady(derive(), clock.precise())),
        distinctUntilChanged(),
        tap((state) => {
          if (state !== before) emit({ type: 'state_changed', state, before });
          before = state;
        }),
      )
      .subscribe(subscriber);
  }).pipe(share());
}

function circumstancesOf(now: {
  readonly stopping: boolean;
  readonly stats: JournalStats;
  readonly pipeline: PipelineStatus;
  readonly uplink: UplinkStatus;
  readonly now: number;
}): AgentCircumstances {
  const { stopping, stats, pipeline, uplink } = now;
  const sampling =
    pipeline.commit.committed > 0 || pipeline.sources.some(({ state }) => state.kind === 'ended');
  const tried = uplink.phase === 'online' || uplink.attempt > 0;
  return {
    stopping,
    started: sampling && tried,
    degraded: pipeline.degraded || stats.overflowing || stats.disk !== 'good',
    uplink: uplink.phase,
    refused: uplink.breaker === 'open' || REFUSALS.has(uplink.paused ?? ''),
    backlog: uplink.behind,
    lagMs: lagOf(stats, now.now),
  };
}

function figuresOf(stats: JournalStats, now: number) {
  const { sampled, released, pending, thinned, pendingBytes, maxBytes } = stats;
  const dropped = Object.values(stats.dropped).reduce((sum, count) => sum + count, 0);
  return { sampled, released, pending, thinned, pendingBytes, maxBytes, dropped, lagMs: lagOf(stats, now) };
}

function linkFiguresOf({ uplink, budget, forecast }: LinkFacts) {
  const { link, live, backlog } = uplink;
  const unknown = Number.NaN;
  const left = [budget.day.left, budget.month.left].filter((bytes) => bytes !== null);
  return {
    rate: link?.rateBytesPerSecond ?? unknown,
    minRttMs: link?.minRttMs ?? unknown,
    queueMs: link?.queueMs ?? unknown,
    inFlightBytes: link?.inFlightBytes ?? 0,
    live,
    backlog,
    day: budget.day.used,
    month: budget.month.used,
    left: left.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...left),
    caughtUpMs: caughtUpMs(forecast),
  };
}

/** NaN: unknown; infinite: never. */
function caughtUpMs(forecast: DrainForecast): number {
  switch (forecast.kind) {
    case 'caught_up':
      return 0;
    case 'unknown':
      return Number.NaN;
    case 'never':
      return Number.POSITIVE_INFINITY;
    case 'in':
      return forecast.ms;
  }
}
