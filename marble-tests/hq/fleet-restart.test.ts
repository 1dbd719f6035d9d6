import { beforeEach, describe, expect, it, vi } from 'vitest';
import { dataFrame } from '../../src/hq/store/testing/frames.ts';
import type { LinkReport } from '../../src/protocol/events.ts';
import { createFleetRig, type FleetRig, HEARTBEAT } from './support/fleet-rig.ts';
import { now } from './support/now.ts';
import { START } from './support/virtual-clock.ts';

let rig: FleetRig;
beforeEach(() => {
  rig = createFleetRig();
});

describe('the graph of ingest', () => {
  const shown = () => {
    const { ingest, chaosSpans } = now(rig.fleet.snapshot()) ?? { ingest: [], chaosSpans: [] };
    return { ingest, chaosSpans };
  };
  const chaos = (effect: 'none' | 'down') =>
    rig.chaos.next({ mode: 'off', enabled: true, effect, since: rig.clock.now() });
  /** A sample a second. */
  const deliver = (from: number, to: number) => {
    for (let seq = from; seq <= to; seq += 1) {
      rig.append(dataFrame(seq, seq));
      rig.clock.pass(1_000);
    }
  };

  it('is there again after restarts, with the time of chaos, for ten minutes', () => {
    rig.connect();
    deliver(1, 25);
    const cut = rig.clock.now();
    chaos('down');
    rig.clock.pass(5_000);
    const before = shown();
    expect(before.ingest.length).toBeGreaterThanOrEqual(30);
    expect(before.chaosSpans).toEqual([{ effect: 'down', from: cut, to: null }]);
    rig.restart();
    expect(shown().ingest).toEqual(before.ingest);
    const last = before.ingest.at(-1)?.t;
    expect(shown().chaosSpans, 'until HQ ended').toEqual([{ effect: 'down', from: cut, to: last }]);
    deliver(26, 30);
    rig.restart();
    expect(shown().ingest.slice(0, before.ingest.length)).toEqual(before.ingest);
    expect(shown().ingest.filter(({ samples }) => samples > 0)).toHaveLength(30);
    rig.clock.pass(660_000);
    rig.restart();
    expect(shown().ingest.every(({ samples }) => samples === 0)).toBe(true);
    expect(shown().chaosSpans).toEqual([]);
  });

  it('costs a commit a minute while nothing comes, and a few small records whatever does', () => {
    const saved = vi.spyOn(rig.store, 'saveIngestHistory');
    rig.clock.pass(600_000);
    expect(saved.mock.calls.length).toBeLessThanOrEqual(10);
    rig.kill();
    expect(shown().ingest.length, 'quiet is not away').toBeGreaterThanOrEqual(500);
    rig.connect();
    for (let minute = 0; minute < 30; minute += 1) {
      rig.append(dataFrame(minute + 1, minute + 1));
      rig.clock.pass(60_000);
      chaos(minute % 2 === 0 ? 'down' : 'none');
    }
    const kept = now(rig.store.ingestHistory()) ?? new Map();
    expect(kept.size).toBeLessThanOrEqual(12);
    for (const { points, spans } of kept.values()) {
      expect(points.length).toBeLessThanOrEqual(60);
      expect(spans.length).toBeLessThanOrEqual(200);
    }
  });

  it('loses ten seconds at most when HQ is killed', () => {
    rig.connect();
    deliver(1, 45);
    rig.kill();
    expect(shown().ingest.filter(({ samples }) => samples > 0).length).toBeGreaterThanOrEqual(35);
  });
});

describe('why frames of an agent wait', () => {
  const say = (link: Partial<LinkReport>) =>
    rig.links.next({
      kind: 'heartbeat',
      agent: 'a1',
      heartbeat: { ...HEARTBEAT, link: { rate: 5, minRttMs: 6, queueMs: 7, live: 0, backlog: 0, ...link } },
      clockOffsetMs: 0,
      ts: rig.clock.now(),
    });
  const leave = () =>
    rig.links.next({ kind: 'disconnected', agent: 'a1', reason: 'gone', ts: rig.clock.now() });
  const waits = () => [
    now(rig.fleet.summary('a1'))?.link?.paused,
    now(rig.fleet.summary('a1'))?.link?.pausedUntil,
  ];

  it('is known after a restart, until the agent says otherwise', () => {
    rig.connect();
    const until = rig.clock.now() + 40_000_000;
    say({ paused: 'budget_day', pausedUntil: until });
    leave();
    rig.append(dataFrame(1, 7));
    for (let count = 0; count < 3; count += 1) {
      rig.clock.pass(300_000);
      rig.restart();
      expect(waits()).toEqual(['budget_day', until]);
      expect(now(rig.fleet.summary('a1'))).toMatchObject({ state: 'offline', link: { rate: null } });
    }
    rig.connect();
    expect(waits(), 'it has not said').toEqual([undefined, undefined]);
    rig.restart();
    rig.connect();
    say({});
    leave();
    rig.restart();
    expect(now(rig.fleet.summary('a1'))?.link).toBeNull();
  });

  it('costs a commit when it changes', () => {
    const commits = vi.spyOn(rig.store, 'savePauses');
    rig.connect();
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
    const days = (count: number) => rig.clock.now() + count * 86_400_000;
    const reason = 'budget_month';
    const records = {
      long: { reason, until: days(-6), ts: days(-30) },
      old: { reason, until: days(-8), ts: days(-30) },
      endless: { reason: 'way', until: null, ts: days(-6) },
    };
    for (const agent of Object.keys(records)) rig.connect(agent);
    rig.store.savePauses(new Map(Object.entries({ ...records, stranger: records.long }))).subscribe();
    rig.restart();
    expect(now(rig.fleet.summaries()).map(({ id, link }) => [id, link?.paused])).toEqual([
      ['endless', 'way'],
      ['long', reason],
      ['old', undefined],
    ]);
    expect(
      now(rig.store.agents())
        .flatMap(({ agent, paused }) => (paused ? [agent] : []))
        .sort(),
    ).toEqual(['endless', 'long']);
  });
});

describe('alarms', () => {
  const raise = (agent: string, alarm: 'duplicate_agent' | 'lost_at_hq', detail = 'told') =>
    rig.links.next({ kind: 'alarm', agent, alarm, detail, ts: rig.clock.now() });
  const kept = () => [...now(rig.store.alarms()).keys()];

  it('are there again after a restart, whatever the time in between, and end as new ones do', () => {
    rig.connect();
    const since = rig.clock.now();
    raise('a1', 'duplicate_agent');
    raise('a1', 'lost_at_hq', '5 samples');
    raise('other', 'duplicate_agent');
    for (let count = 0; count < 3; count += 1) {
      rig.clock.pass(300_000);
      rig.restart();
    }
    const alarm = { kind: 'lost_at_hq', since, detail: '5 samples' };
    expect(now(rig.fleet.summary('a1'))).toMatchObject({ connected: false, alarm });
    expect(now(rig.fleet.summary('other'))?.alarm).toMatchObject({ kind: 'duplicate_agent' });
    expect([...rig.fleet.alarms()].sort()).toEqual([
      ['duplicate_agent', 1],
      ['lost_at_hq', 1],
    ]);
    rig.clock.pass(1_199_000);
    expect(now(rig.fleet.summary('a1'))?.alarm).toEqual(alarm);
    raise('other', 'duplicate_agent');
    rig.clock.pass(2_000);
    expect(now(rig.fleet.summary('a1'))?.alarm).toBeNull();
    expect(kept(), 'nor is it there at the next').toEqual(['other']);
    expect([...rig.fleet.alarms()]).toEqual([['duplicate_agent', 1]]);
  });

  it('cost one commit a minute while they go on', () => {
    const commits = vi.spyOn(rig.store, 'saveAlarms');
    for (let second = 0; second < 150; second += 5) {
      raise('a1', 'duplicate_agent');
      rig.clock.pass(5_000);
    }
    expect(commits).toHaveBeenCalledTimes(3);
    raise('a1', 'lost_at_hq');
    expect(commits).toHaveBeenCalledTimes(4);
  });

  it('of an old backup are forgotten, and one of a kind that nobody knows harms nothing', () => {
    const alarm = { kind: 'lost_at_hq', since: START, detail: 'told' } as const;
    const lastTs = (days: number) => rig.clock.now() - days * 86_400_000;
    const records = new Map([
      ['old', { ...alarm, lastTs: lastTs(8) }],
      ['odd', { ...alarm, kind: 'unheard_of' as 'lost_at_hq', lastTs: lastTs(0) }],
      ['young', { ...alarm, lastTs: lastTs(6) }],
    ]);
    rig.store.saveAlarms(records).subscribe();
    rig.restart();
    expect(now(rig.fleet.summaries()).map((one) => [one.id, one.alarm])).toEqual([['young', alarm]]);
    expect(kept()).toEqual(['young']);
  });
});
