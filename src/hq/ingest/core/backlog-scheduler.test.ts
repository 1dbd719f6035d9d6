import { beforeEach, describe, expect, it } from 'vitest';
import { type BacklogScheduler, createBacklogScheduler } from './backlog-scheduler.ts';
import type { Credit } from './credit-window.ts';

let now: number;
let load: number;
let turns: BacklogScheduler;
let told: [agent: string, frames: number][];
let events: unknown[];

function start(slots: number): void {
  now = 0;
  load = 0;
  told = [];
  events = [];
  turns = createBacklogScheduler({
    slots,
    creditFrames: 8,
    creditBytes: { perAgent: 8_000, total: 64_000, least: 1_000 },
    clock: { precise: () => now },
    load: () => load,
    emit: (event) => events.push(event),
  });
}
/** The credit in the answer to hello. */
function accept(agent: string, { sampled = 100, contiguous = 0 } = {}): number {
  const tell = ({ frames }: Credit) => void told.push([agent, frames]);
  turns.accepted(agent, { sampled, contiguous, knowsBytes: false, tell });
  return frames(agent);
}
const frames = (agent: string) => turns.credit(agent).frames;
/** Whether a backlog frame is taken; it is answered at once. */
function admit(agent: string, lastSeq: number): boolean {
  const admission = turns.admit(agent, { lastSeq, bytes: 2 ** 20 });
  if (admission.isTaken) admission.answered();
  return admission.isTaken;
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
    expect(accept('a')).toBe(8);
    expect(accept('live', { sampled: 5, contiguous: 5 })).toBe(8);
    expect(admit('a', 50)).toBe(true);
    pass(60_000);
    expect(frames('a')).toBe(8);
    expect(told).toEqual([]);
  });

  it('is given to no more agents than there are slots while HQ answers slowly, and to slow agents side by side else', () => {
    const agents = ['a', 'b', 'c', 'd'];
    const drainWith = (answerMs: number) => {
      start(1);
      for (const agent of agents) accept(agent);
      let most = 0;
      for (let step = 0; step < 80; step += 1) {
        const admissions = agents.map((agent) => turns.admit(agent, { lastSeq: 50, bytes: 100 }));
        now += answerMs;
        for (const admission of admissions) if (admission.isTaken) admission.answered();
        pass(500);
        most = Math.max(most, agents.filter((agent) => frames(agent) > 0).length);
      }
      return most;
    };
    expect(drainWith(20)).toBe(agents.length);
    expect(drainWith(1_000)).toBe(1);
  });

  it('is 0 for those who wait, until their turn', () => {
    accept('a');
    expect(accept('b')).toBe(0);
    expect(admit('b', 10)).toBe(false);
    turns.covered('a', 99);
    expect(told).toEqual([]);
    turns.covered('a', 100);
    expect(told).toEqual([['b', 8]]);
    expect(admit('b', 10)).toBe(true);
    expect(events.at(-1)).toEqual({ type: 'drain_slots', taken: 1, waiting: 0 });
  });

  it('is 0 while somebody waits also for those who are not behind', () => {
    accept('a');
    accept('b');
    expect(accept('live', { sampled: 5, contiguous: 5 })).toBe(0);
    turns.covered('a', 100);
    expect(frames('live')).toBe(8);
  });

  it('goes round while several drain for long, and is told each time', () => {
    for (const agent of ['a', 'b', 'c']) accept(agent);
    for (let step = 0; step < 24; step += 1) {
      for (const agent of ['a', 'b', 'c']) if (frames(agent) > 0) admit(agent, 50);
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
    for (let index = 0; index < 256; index += 1) accept(`agent-${index}`);
    expect(frames('agent-3')).toBe(2);
    load = 1;
    pass(250);
    expect(new Set(told.slice(-256).map(([, frames]) => frames))).toEqual(new Set([1]));
  });
});

describe('credit in flight', () => {
  it('that was given is good for frames that come after the turn, and for no more', () => {
    accept('a');
    accept('b');
    pass(1_000);
    expect(told).toEqual([
      ['a', 0],
      ['b', 8],
    ]);
    const late = Array.from({ length: 10 }, (_, index) => admit('a', index + 1));
    expect(late.filter(Boolean)).toHaveLength(8);
    expect(late.slice(8)).toEqual([false, false]);
  });

  it('is all that one connection may have in flight, however many frames come at once', () => {
    accept('a');
    const all = Array.from({ length: 250 }, () => turns.admit('a', { lastSeq: 50, bytes: 100 }));
    expect(all.filter(({ isTaken }) => isTaken)).toHaveLength(8);
    for (const admission of all.slice(0, 2)) if (admission.isTaken) admission.answered();
    expect([1, 2, 3].map(() => turns.admit('a', { lastSeq: 50, bytes: 100 }).isTaken)).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('counts bytes too for an agent that knows of them, by its share of the room', () => {
    start(64);
    const told: Credit[] = [];
    const one = {
      sampled: 100,
      contiguous: 0,
      knowsBytes: true,
      tell: (credit: Credit) => void told.push(credit),
    };
    turns.accepted('a', one);
    expect(turns.credit('a')).toEqual({ frames: 8, bytes: 8_000 });
    const all = Array.from({ length: 8 }, () => turns.admit('a', { lastSeq: 50, bytes: 3_000 }).isTaken);
    expect(all).toEqual([true, true, false, false, false, false, false, false]);
    for (let index = 0; index < 31; index += 1) accept(`agent-${index}`);
    pass(250);
    expect(told).toEqual([{ frames: 8, bytes: 2_000 }]);
    load = 1;
    pass(250);
    expect(told.at(-1)).toEqual({ frames: 1, bytes: 1_000 });
  });
});

describe('an agent is behind', () => {
  it('until HQ holds what it had given out at hello, and not for what it has given out since', () => {
    accept('a', { sampled: 100, contiguous: 100 });
    accept('b');
    expect(frames('b')).toBe(8);
    turns.heard('a', 101);
    expect(frames('b')).toBe(8);
  });

  it('when what it had given out one heartbeat ago has not come', () => {
    accept('a', { sampled: 100, contiguous: 100 });
    turns.heard('a', 150);
    accept('b');
    turns.heard('a', 200);
    // It waits for b now.
    expect(frames('a')).toBe(0);
    turns.covered('b', 100);
    expect(told).toEqual([['a', 8]]);
  });

  it('when it sends in the backlog lane', () => {
    accept('a', { sampled: 0, contiguous: 0 });
    accept('b', { sampled: 0, contiguous: 0 });
    expect(admit('a', 5)).toBe(true);
    // Credit that it had been given.
    expect(admit('b', 5)).toBe(true);
    expect(frames('b')).toBe(0);
    turns.gone('a');
    expect(told).toEqual([['b', 8]]);
  });

  it('no more when its connection has ended', () => {
    accept('a');
    accept('b');
    turns.gone('b');
    turns.gone('a');
    expect(events.at(-1)).toEqual({ type: 'drain_slots', taken: 0, waiting: 0 });
    expect(told).toEqual([]);
  });
});
