import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RefusalReason } from '../../protocol/api.ts';
import { AGENT_STATES, BREAKER_STATES } from '../../protocol/events.ts';
import {
  changesAt,
  DOUBT_MS,
  GONE,
  type Presence,
  type PresenceEvent,
  REFUSED_MS,
  restoredSender,
  transition,
  UNKNOWN,
  verdictOf,
} from './presence.ts';

type Word = Extract<PresenceEvent, { kind: 'said' }>['word'];

/** An agent to which things happen at times of its own, ms; wall time is 1,000,000 ms ahead of them. */
function agentOf(presence: Presence = UNKNOWN) {
  let now = presence;
  const happen = (event: PresenceEvent) => {
    now = transition(now, event);
  };
  const ts = (at: number) => 1_000_000 + at;
  return {
    connect: (at: number) => happen({ kind: 'connected', at, ts: ts(at) }),
    leave: () => happen({ kind: 'disconnected' }),
    refuse: (at: number) => happen({ kind: 'refused', at }),
    refuseHello: (at: number, reason: RefusalReason = 'forked_epoch') =>
      happen({ kind: 'hello_refused', reason, detail: 'why', at, ts: ts(at) }),
    arrive: (at: number, lane: 'live' | 'backlog' | 'http' = 'live') =>
      happen({ kind: 'arrived', lane, at, ts: ts(at) }),
    say: (at: number, state: Word['state'], more: Partial<Word> = {}) =>
      happen({
        kind: 'said',
        at,
        ts: ts(at),
        word: { state, breaker: state === 'offline' ? 'open' : 'closed', lagMs: 0, ...more },
      }),
    verdict: (at: number, pending = 0) => verdictOf(now, at, pending),
    state: (at: number, pending = 0) => verdictOf(now, at, pending).state,
    changesAt: (at: number) => changesAt(now, at),
  };
}

function liveAgent() {
  const agent = agentOf();
  agent.connect(0);
  agent.arrive(100);
  agent.say(200, 'live');
  return agent;
}

describe('an agent with a link', () => {
  it('is offline while HQ refuses all frames, and its link does not carry', () => {
    const agent = liveAgent();
    agent.arrive(10_000);
    agent.refuse(10_300);
    expect(agent.state(10_400), 'what was under way may still come').toBe('live');
    expect(agent.changesAt(10_400)).toBe(10_000 + DOUBT_MS);
    expect(agent.verdict(12_000, 20)).toMatchObject({
      ...{ state: 'offline', connected: false, connectedSince: null },
    });
  });

  it('is no longer offline once frames arrive, whatever it said last', () => {
    const agent = liveAgent();
    agent.say(20_000, 'offline', { lagMs: 19_000 });
    expect(agent.verdict(20_000, 300)).toMatchObject({ state: 'offline', breaker: 'open' });
    agent.arrive(60_000);
    expect(agent.verdict(60_000, 300)).toMatchObject({
      ...{ state: 'catching-up', connected: true, connectedSince: 1_060_000, breaker: 'half-open' },
    });
    agent.arrive(60_100, 'backlog');
    expect(agent.verdict(60_100, 0)).toMatchObject({ state: 'live', breaker: 'closed' });
  });

  it('that says it is offline while frames come is not, until none has come for a while', () => {
    const agent = liveAgent();
    agent.arrive(30_000);
    agent.say(30_100, 'offline');
    expect(agent.state(30_200)).toBe('live');
    expect(agent.state(32_000)).toBe('offline');
  });

  it('that never delivered is offline by its word, and back by it', () => {
    const agent = agentOf();
    agent.connect(0);
    agent.say(10, 'offline');
    expect(agent.state(10)).toBe('offline');
    agent.say(5_000, 'live');
    expect(agent.verdict(5_000)).toMatchObject({ state: 'live', connectedSince: 1_005_000 });
  });

  it('is starting until it delivers or says otherwise, and is what it says of itself', () => {
    const agent = agentOf();
    agent.connect(0);
    expect(agent.verdict(0)).toMatchObject({ state: 'starting', breaker: 'unknown', connected: true });
    agent.say(10, 'starting');
    expect(agent.state(10)).toBe('starting');
    agent.arrive(20);
    expect(agent.state(20, 4)).toBe('live');
    agent.arrive(30, 'backlog');
    expect(agent.state(30, 3)).toBe('catching-up');
    for (const word of ['degraded', 'stopping'] as const) {
      agent.say(40, word);
      expect(agent.state(40, 3)).toBe(word);
    }
    agent.connect(50);
    // What came over the connection before tells nothing of this one.
    expect(agent.state(50, 3)).toBe('starting');
  });

  it('catches up as long as something old is missing', () => {
    const agent = liveAgent();
    agent.say(1_000, 'catching-up', { lagMs: 60_000 });
    expect(agent.state(1_000, 500)).toBe('catching-up');
    agent.arrive(1_100, 'backlog');
    expect(agent.state(1_100, 0)).toBe('live');
    agent.say(1_200, 'catching-up', { lagMs: 300 });
    expect(agent.state(1_200, 2), 'the usual delay').toBe('live');
  });

  it('has no state but offline without its link', () => {
    const agent = liveAgent();
    agent.leave();
    agent.say(300, 'live');
    agent.arrive(300);
    expect(agent.verdict(300)).toMatchObject({ state: 'offline', connected: false, breaker: 'unknown' });
    expect(agentOf(GONE).state(0)).toBe('offline');
  });
});

describe('an agent whose hello is refused', () => {
  it.each([
    ['that HQ has never let in', UNKNOWN, 'unknown'],
    ['that had a link', GONE, 'offline'],
  ] as const)('%s is refused until it comes no more', (_what, before, after) => {
    const agent = agentOf(before);
    agent.refuseHello(100);
    agent.refuseHello(900);
    expect(agent.verdict(1_000)).toMatchObject({
      ...{ state: 'refused', connected: false, over: 'link' },
      refusal: { reason: 'forked_epoch', detail: 'why', since: 1_000_100 },
    });
    expect(agent.changesAt(1_000)).toBe(900 + REFUSED_MS);
    expect(agent.verdict(900 + REFUSED_MS)).toMatchObject({ state: after, refusal: null });
  });

  it('is no longer when it is let in, or delivers by HTTP', () => {
    const agent = agentOf();
    agent.refuseHello(100);
    agent.connect(200);
    expect(agent.verdict(200)).toMatchObject({ state: 'starting', refusal: null });
    const program = agentOf();
    program.refuseHello(100);
    program.arrive(200, 'http');
    expect(program.verdict(200)).toMatchObject({ state: 'reporting', refusal: null, over: 'http' });
  });

  it('takes nothing from the one that has its id and is in', () => {
    const agent = liveAgent();
    agent.refuseHello(300, 'duplicate_agent');
    expect(agent.verdict(300)).toMatchObject({ state: 'live', connected: true, refusal: null });
  });
});

describe('a sender by HTTP', () => {
  /** Delivers `count` times, `everyMs` apart; gives when it did last. */
  const deliver = (agent: ReturnType<typeof agentOf>, from: number, everyMs: number, count: number) => {
    for (let index = 0; index < count; index += 1) agent.arrive(from + index * everyMs, 'http');
    return from + (count - 1) * everyMs;
  };

  it.each([10_000, 60_000, 3_600_000])('is late and silent by its own rhythm of %i ms', (everyMs) => {
    const agent = agentOf();
    const last = deliver(agent, 0, everyMs, 6);
    expect(agent.verdict(last + everyMs)).toMatchObject({
      ...{ state: 'reporting', connected: false, breaker: 'unknown', deliversEveryMs: everyMs },
    });
    const late = agent.changesAt(last);
    expect(late).toBe(last + everyMs * 1.5 + 2_000);
    expect(agent.state(Number(late))).toBe('late');
    const silent = agent.changesAt(Number(late));
    expect(silent).toBe(last + everyMs * 5 + 10_000);
    expect(agent.state(Number(silent))).toBe('silent');
    expect(agent.changesAt(Number(silent))).toBeNull();
    agent.arrive(Number(silent) + 5, 'http');
    expect(agent.state(Number(silent) + 5)).toBe('reporting');
  });

  it('keeps its rhythm over one outage, and over bursts', () => {
    const agent = agentOf();
    let last = deliver(agent, 0, 10_000, 6);
    last = deliver(agent, last + 3_600_000, 10_000, 2);
    expect(agent.verdict(last).deliversEveryMs).toBe(10_000);
    for (let burst = 1; burst <= 4; burst += 1) deliver(agent, last + burst * 60_000, 50, 20);
    expect(agent.verdict(last + 4 * 60_000).deliversEveryMs).toBeGreaterThanOrEqual(59_000);
  });

  it('of before a restart is unknown until it delivers or is overdue', () => {
    const agent = agentOf(restoredSender([], null, 0));
    expect(agent.verdict(0)).toMatchObject({ state: 'unknown', over: 'http' });
    expect(agent.state(1_600_000)).toBe('silent');
    agent.arrive(1_700_000, 'http');
    expect(agent.state(1_700_000)).toBe('reporting');
  });

  it.each([1_000, 60_000, 3_600_000])('keeps its rhythm of %i ms over a restart of HQ', (everyMs) => {
    const rhythm = [everyMs, everyMs, everyMs];
    const agent = agentOf(restoredSender(rhythm, everyMs, 0));
    expect(agent.verdict(0)).toMatchObject({ state: 'reporting', deliversEveryMs: everyMs });
    const late = everyMs * 0.5 + 2_000;
    expect(agent.changesAt(0)).toBe(late);
    expect(agent.state(late)).toBe('late');
    agent.arrive(late, 'http');
    expect(agent.verdict(late)).toMatchObject({ state: 'reporting', deliversEveryMs: everyMs });
  });

  it.each([
    ['was due while HQ was away', 7_200_000],
    ['is dated after the start', -60_000],
  ])('whose delivery %s has until its next one', (_what, agoMs) => {
    const agent = agentOf(restoredSender([60_000, 60_000], agoMs, 0));
    expect(agent.verdict(0)).toMatchObject({ state: 'unknown', deliversEveryMs: 60_000 });
    expect(agent.state(91_999)).toBe('unknown');
    expect(agent.state(92_000)).toBe('late');
    agent.arrive(92_000, 'http');
    expect(agent.verdict(92_000)).toMatchObject({ state: 'reporting', deliversEveryMs: 60_000 });
  });

  it('that once had a link reports now', () => {
    const agent = liveAgent();
    agent.arrive(300, 'http');
    expect(agent.state(300)).toBe('live');
    agent.leave();
    agent.arrive(400, 'http');
    expect(agent.state(400)).toBe('reporting');
  });
});

it('never contradicts itself, and changes by itself only when it says so', () => {
  const step = fc.record({
    pass: fc.nat(8_000),
    what: fc.constantFrom('connect', 'leave', 'refuse', 'refuse hello', 'live', 'backlog', 'http', 'say'),
    state: fc.constantFrom(...AGENT_STATES),
    breaker: fc.constantFrom(...BREAKER_STATES),
    lagMs: fc.nat(20_000),
    pending: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const agent = agentOf();
      let at = 0;
      let isLinked = false;
      for (const { pass, what, state, breaker, lagMs, pending } of steps) {
        const before = agent.state(at, pending);
        const change = agent.changesAt(at);
        const until = change === null ? at + pass : Math.min(at + pass, change - 1);
        expect(agent.state(until, pending)).toBe(before);
        at += pass;
        if (what === 'connect') agent.connect(at);
        else if (what === 'leave') agent.leave();
        else if (what === 'refuse') agent.refuse(at);
        else if (what === 'refuse hello') agent.refuseHello(at);
        else if (what === 'say') agent.say(at, state, { breaker, lagMs });
        else agent.arrive(at, what);
        const verdict = agent.verdict(at, pending);
        const linked = ['starting', 'live', 'catching-up', 'degraded', 'stopping'].includes(verdict.state);
        expect(verdict.connected).toBe(linked);
        expect(verdict.connectedSince !== null).toBe(linked);
        if (verdict.state === 'catching-up') expect(pending).toBeGreaterThan(0);
        if (what === 'connect' || what === 'leave') isLinked = what === 'connect';
        expect(verdict.refusal !== null).toBe(verdict.state === 'refused');
        if (isLinked && (what === 'live' || what === 'backlog')) expect(verdict.connected).toBe(true);
        if (!isLinked && what === 'http') expect(verdict.state).toBe('reporting');
      }
    }),
  );
});
