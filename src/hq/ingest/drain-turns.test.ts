import { beforeEach, describe, expect, it } from 'vitest';
import { createDrainTurns, type DrainTurns } from './drain-turns.ts';

let now: number;
let load: number;
let turns: DrainTurns;
let told: [agent: string, frames: number][];
let events: unknown[];

function start(slots: number): void {
  now = 0;
  load = 0;
  told = [];
  events = [];
  turns = createDrainTurns({
    slots,
    creditFrames: 8,
    clock: { precise: () => now },
    load: () => load,
    emit: (event) => events.push(event),
  });
}
/** The credit in the answer to hello. */
function greet(agent: string, { sampled = 100, contiguous = 0 } = {}): number {
  turns.greeted(agent, { sampled, contiguous, tell: (frames) => told.push([agent, frames]) });
  return turns.credit(agent);
}
function pass(ms: number): void {
  for (const end = now + ms; now < end; ) {
    now += 250;
    turns.tick();
  }
}
beforeEach(() => start(1));

describe('credit', () => {
  it('is the usual one for all while nobody waits', () => {
    expect(greet('a')).toBe(8);
    expect(greet('live', { sampled: 5, contiguous: 5 })).toBe(8);
    expect(turns.admit('a', 50)).toBe(0);
    pass(60_000);
    expect(turns.credit('a')).toBe(8);
    expect(told).toEqual([]);
  });

  it('is 0 for those who wait, until their turn', () => {
    greet('a');
    expect(greet('b')).toBe(0);
    expect(turns.admit('b', 10)).toBeGreaterThan(0);
    turns.covered('a', 99);
    expect(told).toEqual([]);
    turns.covered('a', 100);
    expect(told).toEqual([['b', 8]]);
    expect(turns.admit('b', 10)).toBe(0);
    expect(events.at(-1)).toEqual({ type: 'drain_turns', taken: 1, waiting: 0 });
  });

  it('is 0 while somebody waits also for those who are not behind', () => {
    greet('a');
    greet('b');
    expect(greet('live', { sampled: 5, contiguous: 5 })).toBe(0);
    turns.covered('a', 100);
    expect(turns.credit('live')).toBe(8);
  });

  it('goes round while several drain for long, and is told each time', () => {
    for (const agent of ['a', 'b', 'c']) greet(agent);
    for (let step = 0; step < 24; step += 1) {
      for (const agent of ['a', 'b', 'c']) if (turns.credit(agent) > 0) turns.admit(agent, 50);
      pass(250);
    }
    expect(told).toEqual([
      ['a', 0],
      ['b', 8],
      ['b', 0],
      ['c', 8],
      ['c', 0],
      ['a', 8],
    ]);
  });

  it('is shared among those who drain, and follows the load', () => {
    start(512);
    for (let index = 0; index < 256; index += 1) greet(`agent-${index}`);
    expect(turns.credit('agent-3')).toBe(2);
    load = 1;
    pass(250);
    expect(new Set(told.slice(-256).map(([, frames]) => frames))).toEqual(new Set([1]));
  });

  it('that was given is good for frames that come after the turn, and for no more', () => {
    greet('a');
    greet('b');
    pass(1_000);
    expect(told).toEqual([
      ['a', 0],
      ['b', 8],
    ]);
    const late = Array.from({ length: 10 }, (_, index) => turns.admit('a', index + 1));
    expect(late.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => 0));
    expect(late.slice(8).every((ms) => ms > 0)).toBe(true);
  });

  it('is not needed for what HQ holds already', () => {
    greet('a');
    expect(greet('b', { sampled: 100, contiguous: 50 })).toBe(0);
    expect(turns.admit('b', 50)).toBe(0);
  });
});

describe('an agent is behind', () => {
  it('until HQ holds what it had given out at hello, and not for what it has given out since', () => {
    greet('a', { sampled: 100, contiguous: 100 });
    greet('b');
    expect(turns.credit('b')).toBe(8);
    turns.heard('a', 101);
    expect(turns.credit('b')).toBe(8);
  });

  it('when what it had given out one heartbeat ago has not come', () => {
    greet('a', { sampled: 100, contiguous: 100 });
    turns.heard('a', 150);
    greet('b');
    turns.heard('a', 200);
    // It waits for b now.
    expect(turns.credit('a')).toBe(0);
    turns.covered('b', 100);
    expect(told).toEqual([['a', 8]]);
  });

  it('when it sends in the backlog lane', () => {
    greet('a', { sampled: 0, contiguous: 0 });
    greet('b', { sampled: 0, contiguous: 0 });
    expect(turns.admit('a', 5)).toBe(0);
    // Credit that it had been given.
    expect(turns.admit('b', 5)).toBe(0);
    expect(turns.credit('b')).toBe(0);
    turns.gone('a');
    expect(told).toEqual([['b', 8]]);
  });

  it('no more when its connection has ended', () => {
    greet('a');
    greet('b');
    turns.gone('b');
    turns.gone('a');
    expect(events.at(-1)).toEqual({ type: 'drain_turns', taken: 0, waiting: 0 });
    expect(told).toEqual([]);
  });
});
