import { beforeEach, describe, expect, it } from 'vitest';
import { dataFrame, delivery, downsampledFrame, EPOCH, gapFrame } from '../../src/hq/store/testing/frames.ts';
import type { Heartbeat } from '../../src/protocol/events.ts';
import { createFleetRig, type FleetRig, HEARTBEAT } from './support/fleet-rig.ts';
import { now } from './support/now.ts';
import { START } from './support/virtual-clock.ts';

let rig: FleetRig;
beforeEach(() => {
  rig = createFleetRig();
});

describe('fleet state', () => {
  it('follows an agent from connecting to going', () => {
    rig.connect();
    expect(now(rig.fleet.summary('a1'))).toMatchObject({
      connected: true,
      state: 'starting',
      breaker: 'unknown',
      version: '9',
    });
    rig.store.observeSampled('a1', EPOCH, HEARTBEAT.sampled);
    rig.links.next({
      kind: 'heartbeat',
      agent: 'a1',
      heartbeat: HEARTBEAT,
      clockOffsetMs: 7,
      ts: rig.clock.now(),
    });
    expect(now(rig.fleet.summary('a1'))).toMatchObject({
      state: 'catching-up',
      breaker: 'half-open',
      rttMs: 20,
      sampled: 100,
      pending: 100,
      completeness: 0,
      pendingBytes: 1234,
      clockOffsetMs: 7,
    });
    rig.links.next({ kind: 'disconnected', agent: 'a1', reason: 'gone', ts: rig.clock.now() });
    expect(now(rig.fleet.summary('a1'))).toMatchObject({
      connected: false,
      connectedSince: null,
      state: 'offline',
      breaker: 'unknown',
      pending: 100,
    });
  });

  it('raises an alarm when another one claims an id, and ends it twenty minutes after the last attempt', () => {
    rig.connect();
    const since = rig.clock.now();
    const conflict = (alarm: 'duplicate_agent' | 'forked_epoch') =>
      rig.links.next({ kind: 'alarm', agent: 'a1', alarm, detail: 'a second one', ts: rig.clock.now() });
    conflict('duplicate_agent');
    expect(now(rig.fleet.summary('a1'))?.alarm).toEqual({
      kind: 'duplicate_agent',
      since,
      detail: 'a second one',
    });
    rig.clock.pass(900_000);
    conflict('forked_epoch');
    rig.clock.pass(1_199_000);
    expect(now(rig.fleet.summary('a1'))).toMatchObject({
      connected: true,
      alarm: { kind: 'forked_epoch', since },
    });
    rig.deltas.length = 0;
    rig.clock.pass(2_000);
    const told = rig.deltas.flatMap(({ agents }) => agents).filter(({ id }) => id === 'a1');
    expect(told.at(-1)?.alarm, 'viewers are told of the end, too').toBeNull();
  });

  it('keeps what an agent last said of its link until the next connection', () => {
    const link = { rate: 8_000, minRttMs: 600, queueMs: 20, live: 1, backlog: 2, paused: 'budget_day' };
    const says = (heartbeat: Heartbeat) =>
      rig.links.next({ kind: 'heartbeat', agent: 'a1', heartbeat, clockOffsetMs: 0, ts: rig.clock.now() });
    rig.connect();
    expect(now(rig.fleet.summary('a1'))?.link).toBeNull();
    says({ ...HEARTBEAT, link });
    says(HEARTBEAT);
    expect(now(rig.fleet.summary('a1'))?.link).toEqual(link);
    rig.links.next({ kind: 'disconnected', agent: 'a1', reason: 'gone', ts: rig.clock.now() });
    expect(now(rig.fleet.summary('a1'))?.link, 'it is why the agent went').toEqual(link);
    rig.connect();
    expect(now(rig.fleet.summary('a1'))?.link).toBeNull();
  });

  it('counts what came thinned neither as stored nor as dropped', () => {
    rig.connect();
    rig.store.observeSampled('a1', EPOCH, 100);
    rig.append(
      downsampledFrame(1, 64, { window: 8 }),
      gapFrame(65, 74, 'overflow_oldest'),
      dataFrame(75, 90),
    );
    rig.links.next({
      ...{ kind: 'heartbeat', agent: 'a1', clockOffsetMs: 0, ts: rig.clock.now() },
      heartbeat: { ...HEARTBEAT, thinned: 6 },
    });
    expect(now(rig.fleet.summary('a1'))).toMatchObject({
      ...{ sampled: 100, stored: 16, thinned: 64, dropped: 10, pending: 10, pendingThinned: 6 },
      completeness: 0.8,
      lastSampleTs: START + 90_000,
    });
    rig.clock.pass(250);
    expect(now(rig.fleet.totals())).toMatchObject({ stored: 16, thinned: 64, dropped: 10, pending: 10 });
    // 64 thinned samples are no rate of samples that come.
    expect(now(rig.fleet.summary('a1'))?.samplesPerSecond).toBeLessThanOrEqual(16);
    rig.links.next({
      ...{ kind: 'heartbeat', agent: 'a1', clockOffsetMs: 0, ts: rig.clock.now() },
      heartbeat: HEARTBEAT,
    });
    expect(now(rig.fleet.summary('a1'))?.pendingThinned, 'an agent that does not say so has none').toBe(0);
  });

  it('counts what is stored, pending and dropped, and how complete that is', () => {
    rig.connect();
    rig.store.observeSampled('a1', EPOCH, 40);
    rig.append(dataFrame(1, 20), gapFrame(21, 30, 'overflow_oldest'));
    expect(now(rig.fleet.summary('a1'))).toMatchObject({
      sampled: 40,
      stored: 20,
      pending: 10,
      dropped: 10,
      seriesCount: 2,
      labels: {},
    });
    expect(now(rig.fleet.summary('a1'))?.completeness).toBeCloseTo(20 / 40);
    expect(now(rig.fleet.totals())).toMatchObject({
      agents: 1,
      connected: 1,
      stored: 20,
      pending: 10,
      dropped: 10,
    });
  });

  it("tells the lag of live frames by the agent's clock, corrected", () => {
    rig.connect('a1', -3_000);
    rig.clock.pass(10_000);
    // Seq 5 was measured at START + 5 s by a clock that is 3 s behind: at START + 8 s in truth; stored at START + 10.25
    // s.
    rig.append(dataFrame(5, 5, { lane: 'live' }));
    expect(now(rig.fleet.summary('a1'))?.lagMs).toBe(2_250);
    rig.append(dataFrame(1, 2, { lane: 'backlog' }));
    expect(now(rig.fleet.summary('a1'))?.lagMs).toBe(2_250);
  });

  it('does not take a sample that is dated ahead for the latest, and says so until one is dated right', () => {
    rig.connect();
    rig.append(dataFrame(1, 5, { lane: 'live', arrivalTs: START + 5_000 }));
    expect(now(rig.fleet.summary('a1'))).toMatchObject({ lastSampleTs: START + 5_000, alarm: null });
    rig.append(dataFrame(90_000, 90_000, { lane: 'live', arrivalTs: START + 6_000 }));
    expect(now(rig.fleet.summary('a1'))).toMatchObject({
      lastSampleTs: START + 5_000,
      alarm: { kind: 'clock_ahead', detail: expect.stringContaining('2026-01-02T01:00:00.000Z') },
    });
    rig.append(dataFrame(6, 6, { lane: 'backlog', arrivalTs: START + 7_000 }));
    expect(now(rig.fleet.summary('a1'))?.alarm).not.toBeNull();
    rig.append(dataFrame(8, 8, { lane: 'live', arrivalTs: START + 8_000 }));
    expect(now(rig.fleet.summary('a1'))).toMatchObject({ lastSampleTs: START + 8_000, alarm: null });
  });

  it('sends changed agents only, at most four times a second', () => {
    rig.connect('a1');
    rig.connect('a2');
    rig.clock.pass(1_000);
    rig.deltas.length = 0;
    for (let index = 1; index <= 40; index += 1) {
      rig.append(dataFrame(index, index, { lane: 'live' }));
      rig.clock.pass(25);
    }
    expect(rig.deltas.length).toBeLessThanOrEqual(4);
    expect(new Set(rig.deltas.flatMap(({ agents }) => agents.map(({ id }) => id)))).toEqual(new Set(['a1']));
    expect(rig.deltas.at(-1)?.agents[0]).toMatchObject({ id: 'a1', stored: 40 });
  });

  it('says nothing while nothing changes but the ingest points, one a second', () => {
    rig.clock.pass(3_000);
    expect(rig.deltas.flatMap(({ agents }) => agents)).toEqual([]);
    expect(rig.deltas.flatMap(({ ingest }) => ingest)).toHaveLength(3);
    expect(now(rig.fleet.snapshot()).ingest.length).toBeGreaterThanOrEqual(3);
  });

  it('lets the rate of an agent that stopped fall to nothing', () => {
    rig.connect();
    rig.append(dataFrame(1, 50));
    expect(now(rig.fleet.summary('a1'))?.samplesPerSecond).toBe(5);
    rig.clock.pass(15_000);
    expect(now(rig.fleet.summary('a1'))?.samplesPerSecond).toBe(0);
    expect(rig.deltas.at(-1)?.totals.samplesPerSecond).toBe(0);
  });

  it('knows agents by HTTP without a link', () => {
    rig.store.append([delivery('k', { seqs: [1], arrivalTs: rig.clock.now() })]).subscribe();
    expect(now(rig.fleet.summary('web'))).toMatchObject({
      epoch: null,
      connected: false,
      state: 'reporting',
      stored: 1,
      pending: 0,
      completeness: 1,
      lagMs: null,
    });
    expect(now(rig.fleet.totals()).connected).toBe(0);
  });

  it('shows the same of an agent everywhere while its link is cut, and after it', () => {
    rig.connect();
    rig.store.observeSampled('a1', EPOCH, 3);
    rig.append(dataFrame(1, 3));
    rig.clock.pass(1_000);
    rig.links.next({ kind: 'refused', agent: 'a1', ts: rig.clock.now() });
    const refusedAt = rig.clock.now();
    rig.clock.pass(5_000);
    const shown = () => {
      const told = rig.deltas.flatMap(({ agents }) => agents).findLast(({ id }) => id === 'a1');
      expect(told, 'whom HQ has told has what HQ knows').toEqual(now(rig.fleet.summary('a1')));
      return told;
    };
    expect(shown()).toMatchObject({ state: 'offline', connected: false, connectedSince: null });
    // Two seconds after the last arrival, at the next look.
    expect(Number(shown()?.stateSince) - refusedAt).toBeLessThanOrEqual(2_000);
    expect(now(rig.fleet.totals()).connected).toBe(0);
    const back = rig.clock.now();
    rig.append(dataFrame(4, 4));
    rig.clock.pass(250);
    expect(shown()).toMatchObject({ state: 'live', connected: true, connectedSince: back });
    expect(now(rig.fleet.totals()).connected).toBe(1);
  });

  it('tells by itself that a sender has become late and silent', () => {
    const send = (seq: number) =>
      rig.store.append([delivery(`k${seq}`, { seqs: [seq], arrivalTs: rig.clock.now() })]).subscribe();
    for (let seq = 1; seq <= 4; seq += 1) {
      send(seq);
      rig.clock.pass(20_000);
    }
    const states = () => [...new Set(rig.deltas.flatMap(({ agents }) => agents).map(({ state }) => state))];
    expect(states()).toEqual(['reporting']);
    rig.clock.pass(300_000);
    expect(states()).toEqual(['reporting', 'late', 'silent']);
  });

  it('has its agents back after a restart, offline, with their counts', () => {
    rig.connect();
    rig.append(dataFrame(1, 7));
    rig.clock.pass(2_000);
    rig.restart();
    expect(now(rig.fleet.summaries())).toMatchObject([
      { id: 'a1', connected: false, state: 'offline', stored: 7, lastSampleTs: START + 7_000 },
    ]);
    expect(now(rig.fleet.totals())).toMatchObject({ agents: 1, stored: 7 });
  });

  it('follows one agent and the totals as states, and tells of chaos', () => {
    rig.connect();
    const stored: number[] = [];
    rig.fleet.agent$('a1').subscribe((summary) => stored.push(summary.stored));
    rig.append(dataFrame(1, 3));
    rig.clock.pass(250);
    expect(stored).toEqual([0, 3]);
    expect(rig.fleet.totals$.getValue()).toMatchObject({ stored: 3 });
    rig.deltas.length = 0;
    rig.chaos.next({ mode: 'down', enabled: true, effect: 'down', since: rig.clock.now() });
    rig.clock.pass(250);
    expect(rig.deltas[0]?.chaos.effect).toBe('down');
  });
});
