/**
 * The fleet state: what is known of every agent, kept up from what is stored and what the links do.
 *
 * Costs: a stored frame or a link event O(1); a tick O(agents that changed since the last one); a snapshot O(agents).
 */
import { state } from '@rx-state/core';
import {
  BehaviorSubject,
  catchError,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  filter,
  forkJoin,
  interval,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  Subject,
  Subscription,
  tap,
} from 'rxjs';
import type { FleetDelta, FleetTotals } from '../../protocol/api.ts';
import type { SetLabels } from '../../protocol/labels.ts';
import type { LinkEvent } from '../ingest/core/link-event.ts';
import { MAX_AHEAD_MS } from '../store/clock-ahead.ts';
import type { Appended } from '../store/store.ts';
import { type AgentEntry, applyAppended, applyIndexed, applyLink, recentAlarm } from './agent-entry.ts';
import { createAlarmKeeper } from './alarm-keeper.ts';
import { createEventKeeper } from './event-keeper.ts';
import type { Fleet } from './fleet.ts';
import type { FleetOptions, FleetState, Found } from './fleet-state.ts';
import { createHistoryKeeper, historyOf } from './history-keeper.ts';
import { createIngestMeter } from './ingest-meter.ts';
import { createLabelKeeper } from './label-keeper.ts';
import { alarmEvents, happenedIn, overOf, seenOf, stateEvent } from './note-events.ts';
import { createPauseKeeper } from './pause-keeper.ts';
import { changesAt, verdictOf } from './presence.ts';
import { restoreFleet } from './restore-fleet.ts';
import { createRhythmKeeper } from './rhythm-keeper.ts';
import { createRoster, type Roster } from './roster.ts';

/** Shortest time between two deltas, ms. */
const TICK_MS = 250;
/** Agents in one delta; the others follow in the next. Making summaries must not crowd out acks. */
const AGENTS_PER_TICK = 1_500;
const TICKS_PER_SECOND = 1000 / TICK_MS;

/** Emits the fleet once it knows what the store says of it, then completes. */
export function createFleet(options: FleetOptions): Observable<Fleet> {
  const { store } = options;
  return store.agents().pipe(
    concatMap((agents) => {
      const lastSampleTs = store.lastSampleTs(agents.map(({ agent }) => agent));
      const kept = { alarms: store.alarms(), labels: store.labels(), history: store.ingestHistory() };
      return forkJoin({ agents: of(agents), lastSampleTs, ...kept });
    }),
    concatMap((found) => openFleet(options, found)),
  );
}

function openFleet(options: FleetOptions, found: Found): Observable<Fleet> {
  const { store, clock } = options;
  const labels = createLabelKeeper((changes) => store.saveLabels(changes), found.labels);
  const events = createEventKeeper((batch) => store.saveEvents(batch), clock);
  events.note(null, { kind: 'hq_started', version: options.hqVersion });
  const roster = createRoster(store, clock, labels.of, (known, now) => {
    const event = stateEvent(known, now);
    if (event !== null) events.note(now.id, event);
  });
  const before = historyOf(found.history, clock.now());
  const meter = createIngestMeter(clock, before.points);
  const fleet: FleetState = {
    options,
    roster,
    meter,
    labels,
    alarms: createAlarmKeeper((changes) => store.saveAlarms(changes)),
    pauses: createPauseKeeper((changes) => store.savePauses(changes)),
    rhythms: createRhythmKeeper((changes) => store.saveRhythms(changes)),
    events,
    history: createHistoryKeeper((changes) => store.saveIngestHistory(changes), before),
    busy: new Set(),
    waiting: new Set(),
    alarmed: new Set(),
    removed: new Set(),
    ticks: 0,
    chaosChanged: false,
    chaosEffect: 'none',
  };
  restoreFleet(fleet, found);
  const work = listen(fleet);
  return roster.freshen().pipe(
    map(() => serve(fleet, work)),
    tap({ error: () => work.unsubscribe() }),
  );
}

/** `work` ends with the fleet. */
function serve(fleet: FleetState, work: Subscription): Fleet {
  const { options, roster, meter } = fleet;
  const { chaos, clock, hqVersion } = options;
  const freshened = <T>(read: () => T) => roster.freshen().pipe(map(read));
  const summary = (agent: string) =>
    defer(() => {
      const entry = roster.find(agent);
      return entry === undefined
        ? of(undefined)
        : roster.freshen([entry]).pipe(map(() => entry.summary ?? undefined));
    });
  const totals$ = new BehaviorSubject<FleetTotals>(totalsOf(fleet));
  const deltas = new Subject<FleetDelta>();
  // Held, so that its value can be read without a subscriber.
  const totalsState = state(totals$);
  work.add(totalsState.subscribe());
  work.add(
    interval(TICK_MS, clock.scheduler)
      .pipe(
        tap(() => tick(fleet)),
        exhaustMap(() => nextDelta(fleet)),
      )
      .subscribe((delta) => {
        totals$.next(delta.totals);
        deltas.next(delta);
      }),
  );

  return {
    snapshot: () =>
      freshened(() => ({
        ts: clock.now(),
        hqVersion,
        agents: [...roster.summaries()],
        totals: totalsOf(fleet),
        chaos: chaos.current(),
        chaosSpans: fleet.history.spans(),
        ingest: meter.points(),
      })),
    delta$: deltas.asObservable(),
    summary,
    summaries: () => freshened(roster.summaries),
    totals: () => freshened(() => totalsOf(fleet)),
    alarms: roster.alarms,
    retire: (agent) => retire(fleet, agent),
    labels: fleet.labels.record,
    setLabels: (agent, labels) => setLabels(fleet, agent, labels),
    totals$: totalsState,
    agent$: state((agent: string) =>
      merge(summary(agent), deltas.pipe(map((delta) => delta.agents.find((one) => one.id === agent)))).pipe(
        filter((one) => one !== undefined),
      ),
    ),
    close: () => {
      work.unsubscribe();
      fleet.history.flush();
      fleet.rhythms.flush();
      fleet.events.note(null, { kind: 'hq_stopped' });
      fleet.events.flush();
      deltas.complete();
      totals$.complete();
    },
  };
}

/** As of the summaries made so far. */
function totalsOf({ roster, meter }: FleetState): FleetTotals {
  return { ...roster.sums(), ...meter.rates() };
}

function listen(fleet: FleetState): Subscription {
  const { options, roster } = fleet;
  const { store, links$, chaos } = options;
  const work = new Subscription();
  work.add(store.appended$.subscribe((appended) => takeAppended(fleet, appended)));
  work.add(links$.subscribe((event) => takeLink(fleet, event)));
  work.add(
    store.indexed$
      .pipe(
        filter((agent) => roster.find(agent) !== undefined),
        mergeMap((agent) =>
          store.lastSampleTs([agent]).pipe(
            map(([lastTs = null]) => ({ agent, lastTs })),
            // The next pass tells it.
            catchError(() => EMPTY),
          ),
        ),
      )
      .subscribe(({ agent, lastTs }) => {
        const entry = roster.entryOf(agent, null);
        applyIndexed(entry, lastTs);
        roster.touch(entry);
      }),
  );
  work.add(store.purged$.subscribe((agent) => forget(fleet, agent)));
  work.add(
    chaos.state$.subscribe((now) => {
      fleet.chaosChanged = true;
      if (now.effect !== fleet.chaosEffect) fleet.events.note(null, { kind: 'chaos', effect: now.effect });
      fleet.chaosEffect = now.effect;
      fleet.history.chaos(now);
    }),
  );
  return work;
}

function takeAppended(
  { options, roster, meter, rhythms, events, busy, waiting }: FleetState,
  appended: Appended,
): void {
  const { clock, maxAheadMs = MAX_AHEAD_MS } = options;
  const { frame, outcome } = appended;
  const entry = roster.entryOf(frame.agent, frame.lane === 'http' ? null : frame.header.epoch);
  const mono = clock.precise();
  const before = entry.clockAlarm;
  applyAppended(entry, appended, { now: clock.now(), mono, maxAheadMs });
  for (const event of alarmEvents([before], [entry.clockAlarm])) events.note(entry.id, event);
  if (entry.presence.kind === 'sender') rhythms.delivered(entry.id, entry.presence.rhythm, clock.now());
  meter.add(outcome.stored, frame.bytes.length, mono);
  if (outcome.stored > 0) busy.add(entry);
  waiting.add(entry);
  roster.touch(entry);
}

function takeLink(fleet: FleetState, event: LinkEvent): void {
  const { options, roster, alarms, labels, pauses, events, alarmed, waiting } = fleet;
  const { clock } = options;
  // Whatever names a stranger may claim, they make no agents; nor does what is left of one that is retired.
  const isOfKnown =
    event.kind === 'hello_refused' || (event.kind === 'alarm' && event.alarm === 'over_quota');
  if (isOfKnown && roster.find(event.agent) === undefined) return;
  const isNew = roster.find(event.agent) === undefined;
  const entry = roster.entryOf(event.agent, event.kind === 'connected' ? event.epoch : null);
  const before = { ...seenOf(entry, clock.precise()), ...(isNew && { epoch: null }) };
  applyLink(entry, event, clock.precise());
  for (const happened of happenedIn(before, seenOf(entry, clock.precise()), event))
    events.note(entry.id, { ...happened, ts: event.ts });
  waiting.add(entry);
  if (event.kind === 'connected') labels.told(entry.id, event.labels ?? {});
  if (event.kind === 'heartbeat' && event.heartbeat.link !== undefined)
    pauses.said(entry.id, event.heartbeat.link, event.ts);
  if (event.kind === 'alarm') {
    alarmed.add(entry);
    const alarm = recentAlarm(entry, clock.precise());
    if (alarm !== null) alarms.raised(entry.id, alarm, event.ts);
  }
  roster.touch(entry);
}

function tick(fleet: FleetState): void {
  fleet.ticks += 1;
  if (fleet.ticks % TICKS_PER_SECOND === 0) endSecond(fleet);
  endAlarms(fleet);
}

/** The next delta, if there is something to report. */
function nextDelta(fleet: FleetState): Observable<FleetDelta> {
  const { options, roster, meter } = fleet;
  const { chaos, clock } = options;
  const { removed } = fleet;
  if (!roster.hasChanges() && !meter.hasNewPoints() && !fleet.chaosChanged && removed.size === 0)
    return EMPTY;
  return roster.takeChanges(AGENTS_PER_TICK).pipe(
    map((agents) => {
      fleet.chaosChanged = false;
      const gone = [...removed].filter((agent) => roster.find(agent) === undefined);
      removed.clear();
      return {
        ts: clock.now(),
        agents: [...agents],
        ...(gone.length > 0 && { removed: gone }),
        totals: totalsOf(fleet),
        chaos: chaos.current(),
        ingest: [...meter.takeNewPoints()],
      };
    }),
    // The store cannot say just now: the next tick tries again.
    catchError(() => EMPTY),
  );
}

function retire(
  { roster, alarms, pauses, rhythms, events, busy, waiting, alarmed, removed }: FleetState,
  agent: string,
): void {
  for (const keeper of [pauses, rhythms]) keeper.forget(agent);
  const entry = roster.find(agent);
  if (entry === undefined) return;
  roster.remove(agent);
  events.note(agent, { kind: 'retired' });
  busy.delete(entry);
  waiting.delete(entry);
  if (alarmed.delete(entry)) alarms.ended(agent);
  removed.add(agent);
}

function forget(fleet: FleetState, agent: string): void {
  retire(fleet, agent);
  for (const keeper of [fleet.alarms, fleet.labels, fleet.events]) keeper.forget(agent);
}

function setLabels({ labels, roster, events }: FleetState, agent: string, set: SetLabels): Observable<never> {
  return labels.set(agent, set).pipe(
    tap({
      complete: () => {
        events.note(agent, { kind: 'labels_set', labels: set });
        const entry = roster.find(agent);
        if (entry !== undefined) roster.touch(entry);
      },
    }),
  );
}

function endSecond(fleet: FleetState): void {
  const { options, roster, meter, alarms, labels, pauses, rhythms, history, events, busy, waiting } = fleet;
  history.second(meter.endSecond());
  for (const keeper of [history, alarms, labels, pauses, rhythms, events]) keeper.retry();
  for (const entry of busy) {
    roster.touch(entry);
    if (entry.rate.rate(options.clock.precise()) === 0) busy.delete(entry);
  }
  endStates(roster, waiting, options.clock.precise());
}

/** Time alone ends some states: that of a sender that has become late. */
function endStates(roster: Roster, waiting: Set<AgentEntry>, mono: number): void {
  for (const entry of waiting) {
    const { presence, summary } = entry;
    const pending = summary?.pending ?? 0;
    if (summary !== null && verdictOf(presence, mono, pending).state !== summary.state) roster.touch(entry);
    if (changesAt(presence, mono) === null) waiting.delete(entry);
  }
}

function endAlarms({ options, roster, alarms, events, alarmed }: FleetState): void {
  for (const entry of alarmed) {
    if (recentAlarm(entry, options.clock.precise()) !== null) continue;
    alarmed.delete(entry);
    alarms.ended(entry.id);
    if (entry.alarm !== null) events.note(entry.id, overOf(entry.alarm));
    roster.touch(entry);
  }
}
