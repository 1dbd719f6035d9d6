/**
 * The fleet state: what is known of every agent, kept up from what is stored and what the links do.
 *
 * Costs: a stored frame or a link event O(1); a tick O(agents that changed since the last one); a snapshot O(agents).
 */
import { state } from '@rx-state/core';
import {
  BehaviorSubject,
  defer,
  filter,
  interval,
  map,
  merge,
  type Observable,
  of,
  Subject,
  Subscription,
} from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { AgentAlarm, AgentSummary, FleetDelta, FleetSnapshot, FleetTotals } from '../../protocol/api.ts';
import type { ChaosControl } from '../chaos.ts';
import type { LinkEvent } from '../ingest/core/link-event.ts';
import type { OpenedHqStore } from '../store/open-hq-store.ts';
import {
  type AgentEntry,
  alarmNow,
  applyAppended,
  applyLink,
  createAgentEntry,
  recentAlarm,
  restoreAlarm,
  summaryOf,
} from './agent-entry.ts';
import { createAlarmKeeper } from './alarm-keeper.ts';
import type { Fleet } from './fleet.ts';
import { createPauseKeeper } from './pause-keeper.ts';
import { createRateWindow } from './rate-window.ts';

export type FleetOptions = {
  readonly store: Pick<
    OpenedHqStore,
    | 'agents'
    | 'alarms'
    | 'appended$'
    | 'indexed$'
    | 'counts'
    | 'anomalyCounts'
    | 'seriesCount'
    | 'ownsEpoch'
    | 'lastSampleTs'
    | 'saveAlarms'
    | 'savePauses'
  >;
  /** From the ingest of agents. */
  readonly links$: Observable<LinkEvent>;
  readonly chaos: Pick<ChaosControl, 'current' | 'state$'>;
  readonly clock: Clock;
  readonly hqVersion: string;
};

/** Shortest time between two deltas, ms. */
const TICK_MS = 250;
/** Agents in one delta; the others follow in the next. Making summaries must not crowd out acks. */
const AGENTS_PER_TICK = 1_500;
const TICKS_PER_SECOND = 1000 / TICK_MS;
const INGEST_POINTS = 600;
/** An alarm in a store that was away for longer, a backup for instance, says nothing of today. */
const FORGET_ALARM_MS = 7 * 86_400_000;

type IngestPoint = FleetSnapshot['ingest'][number];
/** Sums over all agents that only move by differences. */
type Sums = { stored: number; pending: number; thinned: number; dropped: number; connected: number };

export function createFleet(options: FleetOptions): Fleet {
  const { store, chaos, clock, hqVersion } = options;
  const entries = new Map<string, AgentEntry>();
  /** Changed since the last delta. */
  const changed = new Set<AgentEntry>();
  /** Changed since their summary was made. */
  const stale = new Set<AgentEntry>();
  /** Have a rate that falls when nothing comes. */
  const busy = new Set<AgentEntry>();
  /** Have an alarm that ends by itself. */
  const alarmed = new Set<AgentEntry>();
  const alarms = createAlarmKeeper(store);
  const pauses = createPauseKeeper(store);
  const sums: Sums = { stored: 0, pending: 0, thinned: 0, dropped: 0, connected: 0 };
  const samples = createRateWindow();
  const bytes = createRateWindow();
  const ingest: IngestPoint[] = [];
  const deltas = new Subject<FleetDelta>();
  let newPoints: IngestPoint[] = [];
  let second = { samples: 0, bytes: 0 };
  let ticks = 0;
  let chaosChanged = false;

  const entryOf = (agent: string, epoch: string | null): AgentEntry => {
    let entry = entries.get(agent);
    if (entry === undefined) {
      entry = createAgentEntry(agent, epoch);
      entries.set(agent, entry);
    }
    return entry;
  };
  /** The summary is made when somebody asks; until then the last one stays for the sums. */
  const touch = (entry: AgentEntry) => {
    changed.add(entry);
    stale.add(entry);
  };
  const summarise = (entry: AgentEntry): AgentSummary => {
    if (entry.summary !== null && !stale.has(entry)) return entry.summary;
    stale.delete(entry);
    const before = entry.summary;
    const summary = summaryOf(entry, store, clock.precise());
    sums.stored += summary.stored - (before?.stored ?? 0);
    sums.pending += summary.pending - (before?.pending ?? 0);
    sums.thinned += summary.thinned - (before?.thinned ?? 0);
    sums.dropped += summary.dropped - (before?.dropped ?? 0);
    sums.connected += Number(summary.connected) - Number(before?.connected ?? false);
    entry.summary = summary;
    return summary;
  };
  const freshen = () => {
    for (const entry of stale) summarise(entry);
  };
  /** As of the summaries made so far. */
  const sumUp = (): FleetTotals => {
    const now = clock.precise();
    return {
      agents: entries.size,
      ...sums,
      samplesPerSecond: samples.rate(now),
      bytesPerSecond: bytes.rate(now),
    };
  };

  const totals = (): FleetTotals => {
    freshen();
    return sumUp();
  };

  for (const { agent, epoch, paused } of store.agents()) {
    const entry = entryOf(agent, store.ownsEpoch(agent, epoch) ? null : epoch);
    if (paused !== undefined) entry.link = pauses.restored(agent, paused, clock.now());
    entry.lastSampleTs = store.lastSampleTs(agent);
    touch(entry);
  }
  for (const [agent, record] of store.alarms()) {
    if (clock.now() - record.lastTs > FORGET_ALARM_MS) {
      alarms.ended(agent);
      continue;
    }
    const entry = entryOf(agent, null);
    restoreAlarm(entry, record, clock.precise());
    alarmed.add(entry);
    touch(entry);
  }
  changed.clear();
  const totals$ = new BehaviorSubject<FleetTotals>(totals());

  const tick = () => {
    ticks += 1;
    const wholeSecond = ticks % TICKS_PER_SECOND === 0;
    if (wholeSecond) {
      const point = { t: clock.now(), ...second };
      second = { samples: 0, bytes: 0 };
      ingest.push(point);
      if (ingest.length > INGEST_POINTS) ingest.shift();
      newPoints.push(point);
      alarms.retry();
      pauses.retry();
      for (const entry of busy) {
        touch(entry);
        if (entry.rate.rate(clock.precise()) === 0) busy.delete(entry);
      }
    }
    for (const entry of alarmed) {
      if (recentAlarm(entry, clock.precise()) !== null) continue;
      alarmed.delete(entry);
      alarms.ended(entry.id);
      touch(entry);
    }
    if (changed.size === 0 && newPoints.length === 0 && !chaosChanged) return;
    const agents: AgentSummary[] = [];
    for (const entry of changed) {
      if (agents.length === AGENTS_PER_TICK) break;
      changed.delete(entry);
      agents.push(summarise(entry));
    }
    chaosChanged = false;
    const delta: FleetDelta = {
      ts: clock.now(),
      agents,
      totals: sumUp(),
      chaos: chaos.current(),
      ingest: newPoints,
    };
    newPoints = [];
    totals$.next(delta.totals);
    deltas.next(delta);
  };

  const work = new Subscription();
  work.add(
    store.appended$.subscribe((appended) => {
      const { frame, outcome } = appended;
      const entry = entryOf(frame.agent, frame.lane === 'http' ? null : frame.header.epoch);
      const mono = clock.precise();
      applyAppended(entry, appended, clock.now(), mono);
      if (outcome.stored > 0) {
        samples.add(outcome.stored, mono);
        second.samples += outcome.stored;
        busy.add(entry);
      }
      bytes.add(frame.bytes.length, mono);
      second.bytes += frame.bytes.length;
      touch(entry);
    }),
  );
  work.add(
    options.links$.subscribe((event) => {
      const entry = entryOf(event.agent, event.kind === 'connected' ? event.epoch : null);
      applyLink(entry, event, clock.precise());
      if (event.kind === 'heartbeat' && event.heartbeat.link !== undefined)
        pauses.said(entry.id, event.heartbeat.link, event.ts);
      if (event.kind === 'alarm') {
        alarmed.add(entry);
        const alarm = recentAlarm(entry, clock.precise());
        if (alarm !== null) alarms.raised(entry.id, alarm, event.ts);
      }
      touch(entry);
    }),
  );
  work.add(
    store.indexed$.subscribe((agent) => {
      const entry = entries.get(agent);
      if (entry !== undefined) touch(entry);
    }),
  );
  work.add(
    chaos.state$.subscribe(() => {
      chaosChanged = true;
    }),
  );
  // Held, so that its value can be read without a subscriber.
  const totalsState = state(totals$);
  work.add(totalsState.subscribe());
  work.add(interval(TICK_MS, clock.scheduler).subscribe(tick));

  const summaries = () =>
    [...entries.values()].map(summarise).sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const summary = (agent: string) => {
    const entry = entries.get(agent);
    return entry === undefined ? undefined : summarise(entry);
  };

  const countAlarms = () => {
    const counts = new Map<AgentAlarm['kind'], number>();
    for (const entry of entries.values()) {
      const alarm = alarmNow(entry, clock.precise());
      if (alarm !== null) counts.set(alarm.kind, (counts.get(alarm.kind) ?? 0) + 1);
    }
    return counts;
  };

  return {
    snapshot: () => ({
      ts: clock.now(),
      hqVersion,
      agents: summaries(),
      totals: totals(),
      chaos: chaos.current(),
      ingest: ingest.map((point) => ({ ...point })),
    }),
    delta$: deltas.asObservable(),
    summary,
    summaries,
    totals,
    alarms: countAlarms,
    totals$: totalsState,
    agent$: state((agent: string) =>
      defer(() => {
        const now = summary(agent);
        const later = deltas.pipe(
          map((delta) => delta.agents.find((one) => one.id === agent)),
          filter((one) => one !== undefined),
        );
        return now === undefined ? later : merge(of(now), later);
      }),
    ),
    close: () => {
      work.unsubscribe();
      deltas.complete();
      totals$.complete();
    },
  };
}
