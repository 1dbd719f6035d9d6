import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createDrainSlots, type TurnChange } from './drain-slots.ts';

const granted = (agent: string): TurnChange => ({ agent, drains: true });
const ended = (agent: string): TurnChange => ({ agent, drains: false });
const create = (slots: number) =>
  createDrainSlots({ slots, turnMs: 2_000, idleMs: 1_000, slotBytesPerSecond: 1_000 });

it('gives free slots at once, and lets the others wait in their order', () => {
  const slots = create(2);
  expect(['a', 'b', 'c', 'd', 'a', 'c'].flatMap((agent) => slots.want(agent, 0))).toEqual([
    granted('a'),
    granted('b'),
  ]);
  expect([slots.taken(), slots.waiting()]).toEqual([2, 2]);
  expect(slots.leave('a', 10)).toEqual([ended('a'), granted('c')]);
  expect(slots.leave('d', 10)).toEqual([]);
  expect(slots.leave('b', 20)).toEqual([ended('b')]);
  expect([slots.taken(), slots.waiting()]).toEqual([1, 0]);
});

it('ends turns after their time while others wait, and not otherwise', () => {
  const slots = create(1);
  slots.want('a', 0);
  expect(slots.rotate(60_000)).toEqual([]);
  slots.want('b', 60_000);
  expect(slots.rotate(60_000)).toEqual([ended('a'), granted('b')]);
  for (let now = 60_000; now < 62_000; now += 100) {
    slots.used('b', 1_000, now);
    expect(slots.rotate(now)).toEqual([]);
  }
  expect(slots.rotate(62_000)).toEqual([ended('b'), granted('a')]);
});

it('hands an idle slot on', () => {
  const slots = create(2);
  for (const agent of ['a', 'b', 'c']) slots.want(agent, 0);
  slots.used('a', 1_000, 900);
  expect(slots.rotate(999)).toEqual([]);
  expect(slots.rotate(1_000)).toEqual([ended('b'), granted('c')]);
  expect(slots.drains('a')).toBe(true);
});

it('counts an agent by what it takes: 64 on slow links hold one slot, and the others theirs', () => {
  const slots = create(64);
  const slow = Array.from({ length: 64 }, (_, index) => `slow-${index}`);
  const fast = Array.from({ length: 63 }, (_, index) => `fast-${index}`);
  for (const agent of slow) slots.want(agent, 0);
  for (const agent of fast) slots.want(agent, 0);
  // Nobody has been measured yet.
  expect([slots.taken(), slots.waiting()]).toEqual([64, 63]);
  const send = (now: number) => {
    for (const agent of slow) slots.used(agent, 3, now);
    for (const agent of fast) slots.used(agent, 500, now);
  };
  for (let now = 500; now < 2_000; now += 500) send(now);
  expect(slots.rotate(2_000)).toEqual(fast.map(granted));
  expect([slots.taken(), slots.waiting()]).toEqual([64, 0]);
  for (let now = 2_250; now < 60_000; now += 250) {
    send(now);
    expect(slots.rotate(now)).toEqual([]);
  }
  // One more: of those whose turn is over a fast one makes room, the slow ones stay.
  slots.want('new', 60_000);
  expect(slots.rotate(60_000)).toEqual([ended('fast-0'), granted('new')]);
});

it('counts an agent that becomes faster for more at once, and one that waits by its last turn', () => {
  const slots = create(1);
  slots.want('a', 0);
  slots.used('a', 20, 100);
  slots.rotate(2_000);
  slots.want('b', 2_000);
  // a is light, but b may need a whole slot.
  expect(slots.rotate(2_000)).toEqual([ended('a'), granted('b')]);
  slots.used('b', 20, 2_100);
  expect(slots.rotate(4_000)).toEqual([granted('a')]);
  expect([slots.taken(), slots.waiting()]).toEqual([1, 0]);
  slots.used('a', 2_000, 4_100);
  expect(slots.taken()).toBe(2);
});

it('counts what comes after the end of a turn: a long round trip makes nobody heavy', () => {
  const ROUND_TRIP_MS = 1_500;
  const slots = create(2);
  const agents = Array.from({ length: 32 }, (_, index) => `agent-${index}`);
  const arrivals = new Map<number, string[]>();
  const allow = (changes: readonly TurnChange[], now: number) => {
    const begin = changes.filter(({ drains }) => drains).map(({ agent }) => agent);
    arrivals.set(now + ROUND_TRIP_MS, begin);
  };
  const first = agents.flatMap((agent) => slots.want(agent, 0));
  allow(first, 0);
  let now = 0;
  while (slots.waiting() > 0 && now < 120_000) {
    now += 250;
    for (const agent of arrivals.get(now) ?? []) slots.used(agent, 40, now);
    allow(slots.rotate(now), now);
  }
  // Each had one turn as a whole slot; then all of them fit into two.
  expect(now).toBeLessThanOrEqual((agents.length / 2) * 1_000 + 2 * ROUND_TRIP_MS);
});

it('lets no more than one agent into each slot while HQ itself is slow', () => {
  let isHqSlow = false;
  const options = { slots: 2, turnMs: 2_000, idleMs: 1_000, slotBytesPerSecond: 1_000 };
  const slots = createDrainSlots({ ...options, isHqSlow: () => isHqSlow });
  const agents = Array.from({ length: 8 }, (_, index) => `agent-${index}`);
  for (const agent of agents) slots.want(agent, 0);
  const pass = (from: number, to: number) => {
    for (let now = from; now < to; now += 250) {
      for (const agent of [...slots.draining()]) slots.used(agent, 10, now);
      slots.rotate(now);
    }
  };
  pass(0, 10_000);
  expect(slots.waiting()).toBe(0);
  isHqSlow = true;
  slots.want('late', 10_000);
  pass(10_000, 20_000);
  expect([[...slots.draining()].length, slots.waiting()]).toEqual([2, 7]);
  isHqSlow = false;
  pass(20_000, 30_000);
  expect(slots.waiting()).toBe(0);
});

it('takes no turn from more agents than wait', () => {
  const slots = create(3);
  for (const agent of ['a', 'b', 'c', 'd']) slots.want(agent, 0);
  for (const agent of ['a', 'b', 'c']) slots.used(agent, 9_000, 100);
  expect(slots.rotate(5_000)).toEqual([ended('a'), granted('d')]);
});

it('leaves no slot free while somebody waits, and keeps nobody waiting beyond its share of turns', () => {
  const STEP_MS = 250;
  const TURN_MS = 2_000;
  const agents = Array.from({ length: 12 }, (_, index) => `agent-${index}`);
  const action = fc.record({
    agent: fc.constantFrom(...agents),
    does: fc.constantFrom('want', 'want', 'leave', 'use', 'use'),
    bytes: fc.constantFrom(10, 300, 2_000),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.array(action, { maxLength: 6 }), { maxLength: 200 }),
      (count, steps) => {
        const slots = createDrainSlots({
          slots: count,
          turnMs: TURN_MS,
          idleMs: 1_000,
          slotBytesPerSecond: 1_000,
        });
        const told = new Set<string>();
        const since = new Map<string, number>();
        const apply = (changes: readonly TurnChange[], now: number) => {
          for (const { agent, drains } of changes) {
            expect(told.has(agent)).toBe(!drains);
            if (drains) {
              told.add(agent);
              // At worst all others are before it, each with a whole turn that ends at a look.
              const bound = Math.ceil(agents.length / count) * (TURN_MS + STEP_MS);
              expect(now - (since.get(agent) ?? now)).toBeLessThanOrEqual(bound);
              since.delete(agent);
            } else {
              told.delete(agent);
              since.set(agent, now);
            }
          }
          expect([...slots.draining()].sort()).toEqual([...told].sort());
          if (slots.waiting() > 0) expect(slots.taken()).toBeGreaterThanOrEqual(count);
        };
        let now = 0;
        for (const step of [...steps, ...Array.from({ length: 100 }, () => [])]) {
          for (const { agent, does, bytes } of step) {
            if (does === 'want' && !told.has(agent) && !since.has(agent)) since.set(agent, now);
            if (does === 'want') apply(slots.want(agent, now), now);
            if (does === 'leave') {
              apply(slots.leave(agent, now), now);
              since.delete(agent);
            }
            if (does === 'use') slots.used(agent, bytes, now);
          }
          now += STEP_MS;
          apply(slots.rotate(now), now);
        }
        // Whoever still wants a slot has had one lately.
        const bound = Math.ceil(agents.length / count) * (TURN_MS + STEP_MS);
        for (const [agent, from] of since) expect(now - from, agent).toBeLessThanOrEqual(bound);
      },
    ),
  );
});
