/** What HQ writes down of what happens to its agents. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EVENTS_AT_ONCE } from '../../src/hq/aggregate/event-keeper.ts';
import { dataFrame, EPOCH } from '../../src/hq/store/testing/frames.ts';
import type { AgentEvent } from '../../src/protocol/agent-event.ts';
import { createFleetRig, type FleetRig, HEARTBEAT } from './support/fleet-rig.ts';
import { now } from './support/now.ts';

let rig: FleetRig;
beforeEach(() => {
  rig = createFleetRig();
});

const all = (agent = 'a1'): readonly AgentEvent[] => {
  const query = { agent, from: 0, to: Number.MAX_SAFE_INTEGER, limit: 10_000, cursor: null };
  return now(rig.store.events(query)).items;
};
/** What is told of the agent, without times. */
const told = (agent = 'a1') =>
  all(agent)
    .filter((event) => event.of === 'agent')
    .map(({ ts: _, of: __, ...event }) => event);
const kinds = (agent = 'a1') => told(agent).map(({ kind }) => kind);
const say = (more: object, clockOffsetMs = 0) =>
  rig.links.next({
    ...{ kind: 'heartbeat', agent: 'a1', clockOffsetMs, ts: rig.clock.now() },
    heartbeat: { ...HEARTBEAT, ...more },
  });

describe('events of an agent', () => {
  it('tell its link and its states in order, each at its time', () => {
    rig.connect();
    rig.clock.pass(250);
    rig.append(dataFrame(1, 3, { lane: 'live' }));
    rig.clock.pass(2_000);
    const ts = rig.clock.now();
    rig.links.next({ kind: 'disconnected', agent: 'a1', reason: 'ping timeout', ts });
    rig.clock.pass(2_000);
    expect(told()).toEqual([
      { kind: 'connected', epoch: EPOCH, version: '9' },
      { kind: 'epoch', epoch: EPOCH },
      { kind: 'state', state: 'starting' },
      { kind: 'state', state: 'live', before: 'starting' },
      { kind: 'disconnected', reason: 'ping timeout' },
      { kind: 'state', state: 'offline', before: 'live' },
    ]);
    expect(all().find(({ kind }) => kind === 'disconnected')?.ts).toBe(ts);
    const times = all().map((event) => event.ts);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
  });

  it('tell of another epoch, and that the clock was set', () => {
    rig.connect();
    say({});
    say({}, 4_000);
    say({}, 3_604_000);
    const ts = rig.clock.now();
    const epoch = 'bbbbbbbbbbbb';
    rig.links.next({
      ...{ kind: 'connected', agent: 'a1', epoch, version: '9', ts },
      sampled: 0,
      clockOffsetMs: 0,
    });
    rig.clock.pass(1_000);
    expect(told().filter(({ kind }) => kind === 'epoch' || kind === 'clock_jump')).toEqual([
      { kind: 'epoch', epoch: EPOCH },
      { kind: 'clock_jump', byMs: 3_600_000 },
      { kind: 'epoch', epoch, before: EPOCH },
      { kind: 'clock_jump', byMs: -3_604_000 },
    ]);
  });

  it('tell of pauses and of alarms, once each', () => {
    const link = { way: 0, transport: 'websocket', pausedUntil: 5, paused: 'budget_day' };
    rig.connect();
    say({ link });
    say({ link });
    say({ link: { ...link, paused: null, pausedUntil: null } });
    const alarm = { kind: 'alarm', agent: 'a1', alarm: 'duplicate_agent', detail: 'twice' } as const;
    rig.links.next({ ...alarm, ts: rig.clock.now() });
    rig.links.next({ ...alarm, ts: rig.clock.now() });
    rig.clock.pass(1_300_000);
    expect(
      told()
        .filter(({ kind }) => kind !== 'state')
        .slice(2),
    ).toEqual([
      { kind: 'paused', reason: 'budget_day', until: 5 },
      { kind: 'resumed' },
      { kind: 'alarm_raised', alarm: 'duplicate_agent', detail: 'twice' },
      { kind: 'alarm_over', alarm: 'duplicate_agent' },
    ]);
  });

  it('tell what operators do', () => {
    rig.append(dataFrame(1, 1, { lane: 'live' }));
    rig.fleet.setLabels('a1', { site: 'nord' }).subscribe();
    rig.fleet.retire('a1');
    rig.clock.pass(1_000);
    expect(told().filter(({ kind }) => kind !== 'state')).toEqual([
      { kind: 'labels_set', labels: { site: 'nord' } },
      { kind: 'retired' },
    ]);
  });

  it('are there after a restart of HQ, with those of HQ itself between them', () => {
    rig.connect();
    rig.clock.pass(1_000);
    rig.chaos.next({ ...rig.chaos.value, effect: 'down' });
    rig.restart();
    rig.connect();
    rig.clock.pass(1_000);
    rig.kill();
    rig.clock.pass(1_000);
    const line = all().map(({ of, kind, effect }) => (of === 'hq' ? `hq ${effect ?? kind}` : kind));
    expect(line.filter((one) => one !== 'state')).toEqual([
      ...['hq hq_started', 'connected', 'epoch', 'hq down', 'hq hq_stopped'],
      ...['hq hq_started', 'connected', 'hq hq_started'],
    ]);
    expect(all('other').map(({ of }) => of)).toEqual(expect.not.arrayContaining(['agent']));
  });

  it('are left out when they are too many, and the next one says how many', () => {
    for (let round = 0; round < EVENTS_AT_ONCE; round += 1) {
      rig.connect();
      rig.links.next({ kind: 'disconnected', agent: 'a1', reason: 'gone', ts: rig.clock.now() });
    }
    rig.clock.pass(1_000);
    const before = kinds().length;
    expect(before).toBe(EVENTS_AT_ONCE);
    rig.clock.pass(600_000);
    rig.connect();
    rig.clock.pass(1_000);
    const [leftOut, ...others] = told().slice(before);
    expect(leftOut?.kind).toBe('left_out');
    expect(leftOut?.count).toBeGreaterThan(EVENTS_AT_ONCE);
    expect(others.map(({ kind }) => kind)).toContain('connected');
    rig.connect('a2');
    rig.clock.pass(1_000);
    expect(kinds('a2')).toContain('connected');
  });
});
