import { state } from '@rx-state/core';
import { BehaviorSubject, Subject } from 'rxjs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createFleet } from '../../src/hq/aggregate/create-fleet.ts';
import type { Fleet } from '../../src/hq/aggregate/fleet.ts';
import type { LinkEvent } from '../../src/hq/ingest/core/link-event.ts';
import { openHqStore } from '../../src/hq/store/open-hq-store.ts';
import type { HqStore } from '../../src/hq/store/store.ts';
import {
  dataFrame,
  delivery,
  EPOCH,
  gapFrame,
  schema,
  thinnedFrame,
} from '../../src/hq/store/testing/frames.ts';
import { seededIds } from '../../src/platform/ids.ts';
import { seededRandom } from '../../src/platform/random.ts';
import type { Chaos, FleetDelta } from '../../src/protocol/api.ts';
import type { Heartbeat, LinkReport } from '../../src/protocol/events.ts';
import { createMemoryDisk, createMemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { START, type VirtualClock, virtualClock } from './support/virtual-clock.ts';

const HEARTBEAT: Heartbeat = {
  ts: START,
  state: 'catching-up',
  breaker: 'half-open',
  sampled: 100,
  released: 0,
  pending: 90,
  pendingBytes: 1234,
  thinned: 0,
  dropped: {},
  lagMs: 5,
  rttMs: 20,
};

describe('fleet state', () => {
  const disk = createMemoryDisk();
  let clock: VirtualClock;
  let store: HqStore;
  let links: Subject<LinkEvent>;
  let chaos: BehaviorSubject<Chaos>;
  let fleet: Fleet;
  let deltas: FleetDelta[];

  const start = () => {
    openHqStore({
      storage: createMemoryStorage({ disk }),
      clock,
      ids: seededIds(seededRandom(1)),
    }).subscribe((opened) => {
      store = opened;
    });
    links = new Subject();
    chaos = new BehaviorSubject<Chaos>({ mode: 'off', enabled: true, effect: 'none', since: 0 });
    fleet = createFleet({
      store,
      links$: links,
      chaos: { current: () => chaos.value, state$: state(chaos, chaos.value) },
      clock,
      hqVersion: '0.1.0',
    });
    deltas = [];
    fleet.delta$.subscribe((delta) => deltas.push(delta));
  };
  beforeEach(() => {
    disk.records.clear();
    disk.orderedKeys = null;
    clock = virtualClock();
    start();
    store.putSchema('a1', schema).subscribe();
    // The first delta tells of the chaos that was found.
    clock.pass(250);
    deltas.length = 0;
  });
  const connect = (agent = 'a1', clockOffsetMs = 0) => {
    store.noteEpoch({ agent, epoch: EPOCH, sampled: 0, released: 0, ts: clock.now() }).subscribe();
    links.next({
      kind: 'connected',
      agent,
      epoch: EPOCH,
      version: '9',
      ts: clock.now(),
      sampled: 0,
      clockOffsetMs,
    });
  };
  const append = (...frames: ReturnType<typeof dataFrame>[]) => store.append(frames).subscribe();

  it('follows an agent from connecting to going', () => {
    connect();
    expect(fleet.summary('a1')).toMatchObject({
      connected: true,
      state: 'starting',
      breaker: 'unknown',
      version: '9',
    });
    store.observeSampled('a1', EPOCH, HEARTBEAT.sampled);
    links.next({ kind: 'heartbeat', agent: 'a1', heartbeat: HEARTBEAT, clockOffsetMs: 7, ts: clock.now() });
    expect(fleet.summary('a1')).toMatchObject({
      state: 'catching-up',
      breaker: 'half-open',
      rttMs: 20,
      sampled: 100,
      pending: 100,
      completeness: 0,
      pendingBytes: 1234,
      clockOffsetMs: 7,
    });
    links.next({ kind: 'disconnected', agent: 'a1', reason: 'gone', ts: clock.now() });
    expect(fleet.summary('a1')).toMatchObject({
      connected: false,
      connectedSince: null,
      state: 'offline',
      breaker: 'unknown',
      pending: 100,
    });
  });

  it('raises an alarm when another one claims an id, and ends it twenty minutes after the last attempt', () => {
    connect();
    const since = clock.now();
    const conflict = (alarm: 'duplicate_agent' | 'forked_epoch') =>
      links.next({ kind: 'alarm', agent: 'a1', alarm, detail: 'a second one', ts: clock.now() });
    conflict('duplicate_agent');
    expect(fleet.summary('a1')?.alarm).toEqual({ kind: 'duplicate_agent', since, detail: 'a second one' });
    clock.pass(900_000);
    conflict('forked_epoch');
    clock.pass(1_199_000);
    expect(fleet.summary('a1')).toMatchObject({ connected: true, alarm: { kind: 'forked_epoch', since } });
    deltas.length = 0;
    clock.pass(2_000);
    const told = deltas.flatMap(({ agents }) => agents).filter(({ id }) => id === 'a1');
    expect(told.at(-1)?.alarm, 'viewers are told of the end, too').toBeNull();
  });

  it('keeps what an agent last said of its link until the next connection', () => {
    const link = { rate: 8_000, minRttMs: 600, queueMs: 20, live: 1, backlog: 2, paused: 'budget_day' };
    const says = (heartbeat: Heartbeat) =>
      links.next({ kind: 'heartbeat', agent: 'a1', heartbeat, clockOffsetMs: 0, ts: clock.now() });
    connect();
    expect(fleet.summary('a1')?.link).toBeNull();
    says({ ...HEARTBEAT, link });
    says(HEARTBEAT);
    expect(fleet.summary('a1')?.link).toEqual(link);
    links.next({ kind: 'disconnected', agent: 'a1', reason: 'gone', ts: clock.now() });
    expect(fleet.summary('a1')?.link, 'it is why the agent went').toEqual(link);
    connect();
    expect(fleet.summary('a1')?.link).toBeNull();
  });

  it('counts what came thinned neither as stored nor as dropped', () => {
    connect();
    store.observeSampled('a1', EPOCH, 100);
    append(thinnedFrame(1, 64, { window: 8 }), gapFrame(65, 74, 'overflow_oldest'), dataFrame(75, 90));
    links.next({
      ...{ kind: 'heartbeat', agent: 'a1', clockOffsetMs: 0, ts: clock.now() },
      heartbeat: { ...HEARTBEAT, thinned: 6 },
    });
    expect(fleet.summary('a1')).toMatchObject({
      ...{ sampled: 100, stored: 16, thinned: 64, dropped: 10, pending: 10, pendingThinned: 6 },
      completeness: 0.8,
      lastSampleTs: START + 90_000,
    });
    clock.pass(250);
    expect(fleet.totals()).toMatchObject({ stored: 16, thinned: 64, dropped: 10, pending: 10 });
    // 64 thinned samples are no rate of samples that come.
    expect(fleet.summary('a1')?.samplesPerSecond).toBeLessThanOrEqual(16);
    links.next({
      ...{ kind: 'heartbeat', agent: 'a1', clockOffsetMs: 0, ts: clock.now() },
      heartbeat: HEARTBEAT,
    });
    expect(fleet.summary('a1')?.pendingThinned, 'an agent that does not say so has none').toBe(0);
  });

  it('counts what is stored, pending and dropped, and how complete that is', () => {
    connect();
    store.observeSampled('a1', EPOCH, 40);
    append(dataFrame(1, 20), gapFrame(21, 30, 'overflow_oldest'));
    expect(fleet.summary('a1')).toMatchObject({
      sampled: 40,
      stored: 20,
      pending: 10,
      dropped: 10,
      seriesCount: 2,
    });
    expect(fleet.summary('a1')?.completeness).toBeCloseTo(20 / 40);
    expect(fleet.totals()).toMatchObject({ agents: 1, connected: 1, stored: 20, pending: 10, dropped: 10 });
  });

  it("tells the lag of live frames by the agent's clock, corrected", () => {
    connect('a1', -3_000);
    clock.pass(10_000);
    // Seq 5 was measured at START + 5 s by a clock that is 3 s behind: at START + 8 s in truth; stored at START + 10.25
    // s.
    append(dataFrame(5, 5, { lane: 'live' }));
    expect(fleet.summary('a1')?.lagMs).toBe(2_250);
    append(dataFrame(1, 2, { lane: 'backlog' }));
    expect(fleet.summary('a1')?.lagMs).toBe(2_250);
  });

  it('sends changed agents only, at most four times a second', () => {
    connect('a1');
    connect('a2');
    clock.pass(1_000);
    deltas.length = 0;
    for (let index = 1; index <= 40; index += 1) {
      append(dataFrame(index, index, { lane: 'live' }));
      clock.pass(25);
    }
    expect(deltas.length).toBeLessThanOrEqual(4);
    expect(new Set(deltas.flatMap(({ agents }) => agents.map(({ id }) => id)))).toEqual(new Set(['a1']));
    expect(deltas.at(-1)?.agents[0]).toMatchObject({ id: 'a1', stored: 40 });
  });

  it('says nothing while nothing changes but the ingest points, one a second', () => {
    clock.pass(3_000);
    expect(deltas.flatMap(({ agents }) => agents)).toEqual([]);
    expect(deltas.flatMap(({ ingest }) => ingest)).toHaveLength(3);
    expect(fleet.snapshot().ingest.length).toBeGreaterThanOrEqual(3);
  });

  it('lets the rate of an agent that stopped fall to nothing', () => {
    connect();
    append(dataFrame(1, 50));
    expect(fleet.summary('a1')?.samplesPerSecond).toBe(5);
    clock.pass(15_000);
    expect(fleet.summary('a1')?.samplesPerSecond).toBe(0);
    expect(deltas.at(-1)?.totals.samplesPerSecond).toBe(0);
  });

  it('knows agents by HTTP without a link', () => {
    store.append([delivery('k', { seqs: [1], arrivalTs: clock.now() })]).subscribe();
    expect(fleet.summary('web')).toMatchObject({
      epoch: null,
      connected: false,
      state: 'unknown',
      stored: 1,
      pending: 0,
      completeness: 1,
      lagMs: null,
    });
    expect(fleet.totals().connected).toBe(0);
  });

  it('has its agents back after a restart, offline, with their counts', () => {
    connect();
    append(dataFrame(1, 7));
    clock.pass(2_000);
    fleet.close();
    store.close().subscribe();
    start();
    expect(fleet.summaries()).toMatchObject([
      { id: 'a1', connected: false, state: 'offline', stored: 7, lastSampleTs: START + 7_000 },
    ]);
    expect(fleet.totals()).toMatchObject({ agents: 1, stored: 7 });
  });

  describe('why frames of an agent wait', () => {
    const restart = () => {
      fleet.close();
      store.close().subscribe();
      start();
    };
    const say = (link: Partial<LinkReport>) =>
      links.next({
        kind: 'heartbeat',
        agent: 'a1',
        heartbeat: { ...HEARTBEAT, link: { rate: 5, minRttMs: 6, queueMs: 7, live: 0, backlog: 0, ...link } },
        clockOffsetMs: 0,
        ts: clock.now(),
      });
    const leave = () => links.next({ kind: 'disconnected', agent: 'a1', reason: 'gone', ts: clock.now() });
    const waits = () => [fleet.summary('a1')?.link?.paused, fleet.summary('a1')?.link?.pausedUntil];

    it('is known after a restart, until the agent says otherwise', () => {
      connect();
      const until = clock.now() + 40_000_000;
      say({ paused: 'budget_day', pausedUntil: until });
      leave();
      append(dataFrame(1, 7));
      for (let count = 0; count < 3; count += 1) {
        clock.pass(300_000);
        restart();
        expect(waits()).toEqual(['budget_day', until]);
        expect(fleet.summary('a1')).toMatchObject({ state: 'offline', link: { rate: null } });
      }
      connect();
      expect(waits(), 'it has not said').toEqual([undefined, undefined]);
      restart();
      connect();
      say({});
      leave();
      restart();
      expect(fleet.summary('a1')?.link).toBeNull();
    });

    it('costs a commit when it changes', () => {
      const commits = vi.spyOn(store, 'savePauses');
      connect();
      for (let count = 0; count < 9; count += 1) say({ paused: 'window', pausedUntil: 9 });
      expect(commits).toHaveBeenCalledTimes(1);
      say({ paused: 'window', pausedUntil: 10 });
      say({});
      say({});
      // HQ says it again.
      say({ paused: 'unavailable' });
      expect(commits).toHaveBeenCalledTimes(3);
    });

    it('is forgotten a week after it should have ended', () => {
      const days = (count: number) => clock.now() + count * 86_400_000;
      const reason = 'budget_month';
      const records = {
        long: { reason, until: days(-6), ts: days(-30) },
        old: { reason, until: days(-8), ts: days(-30) },
        endless: { reason: 'way', until: null, ts: days(-6) },
      };
      for (const agent of Object.keys(records)) connect(agent);
      store.savePauses(new Map(Object.entries({ ...records, stranger: records.long }))).subscribe();
      restart();
      expect(fleet.summaries().map(({ id, link }) => [id, link?.paused])).toEqual([
        ['endless', 'way'],
        ['long', reason],
        ['old', undefined],
      ]);
      expect(
        store
          .agents()
          .flatMap(({ agent, paused }) => (paused ? [agent] : []))
          .sort(),
      ).toEqual(['endless', 'long']);
    });
  });

  describe('alarms', () => {
    const raise = (agent: string, alarm: 'duplicate_agent' | 'lost_at_hq', detail = 'told') =>
      links.next({ kind: 'alarm', agent, alarm, detail, ts: clock.now() });
    const restart = () => {
      fleet.close();
      store.close().subscribe();
      start();
    };
    const kept = () => [...store.alarms().keys()];

    it('are there again after a restart, whatever the time in between, and end as new ones do', () => {
      connect();
      const since = clock.now();
      raise('a1', 'duplicate_agent');
      raise('a1', 'lost_at_hq', '5 samples');
      raise('other', 'duplicate_agent');
      for (let count = 0; count < 3; count += 1) {
        clock.pass(300_000);
        restart();
      }
      const alarm = { kind: 'lost_at_hq', since, detail: '5 samples' };
      expect(fleet.summary('a1')).toMatchObject({ connected: false, alarm });
      expect(fleet.summary('other')?.alarm).toMatchObject({ kind: 'duplicate_agent' });
      expect([...fleet.alarms()].sort()).toEqual([
        ['duplicate_agent', 1],
        ['lost_at_hq', 1],
      ]);
      clock.pass(1_199_000);
      expect(fleet.summary('a1')?.alarm).toEqual(alarm);
      raise('other', 'duplicate_agent');
      clock.pass(2_000);
      expect(fleet.summary('a1')?.alarm).toBeNull();
      expect(kept(), 'nor is it there at the next').toEqual(['other']);
      expect([...fleet.alarms()]).toEqual([['duplicate_agent', 1]]);
    });

    it('cost one commit a minute while they go on', () => {
      const commits = vi.spyOn(store, 'saveAlarms');
      for (let second = 0; second < 150; second += 5) {
        raise('a1', 'duplicate_agent');
        clock.pass(5_000);
      }
      expect(commits).toHaveBeenCalledTimes(3);
      raise('a1', 'lost_at_hq');
      expect(commits).toHaveBeenCalledTimes(4);
    });

    it('of an old backup are forgotten, and one of a kind that nobody knows harms nothing', () => {
      const alarm = { kind: 'lost_at_hq', since: START, detail: 'told' } as const;
      const lastTs = (days: number) => clock.now() - days * 86_400_000;
      const records = new Map([
        ['old', { ...alarm, lastTs: lastTs(8) }],
        ['odd', { ...alarm, kind: 'unheard_of' as 'lost_at_hq', lastTs: lastTs(0) }],
        ['young', { ...alarm, lastTs: lastTs(6) }],
      ]);
      store.saveAlarms(records).subscribe();
      restart();
      expect(fleet.summaries().map((one) => [one.id, one.alarm])).toEqual([['young', alarm]]);
      expect(kept()).toEqual(['young']);
    });
  });

  it('follows one agent and the totals as states, and tells of chaos', () => {
    connect();
    const stored: number[] = [];
    fleet.agent$('a1').subscribe((summary) => stored.push(summary.stored));
    append(dataFrame(1, 3));
    clock.pass(250);
    expect(stored).toEqual([0, 3]);
    expect(fleet.totals$.getValue()).toMatchObject({ stored: 3 });
    deltas.length = 0;
    chaos.next({ mode: 'down', enabled: true, effect: 'down', since: clock.now() });
    clock.pass(250);
    expect(deltas[0]?.chaos.effect).toBe('down');
  });
});
