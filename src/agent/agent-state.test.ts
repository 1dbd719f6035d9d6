import { describe, expect, it } from 'vitest';
import type { AgentState } from '../protocol/events.ts';
import { type AgentCircumstances, createSteadyState, deriveAgentState, SETTLE_MS } from './agent-state.ts';

const live: AgentCircumstances = {
  stopping: false,
  started: true,
  degraded: false,
  uplink: 'online',
  refused: false,
  backlog: false,
  lagMs: 0,
};

describe('deriveAgentState', () => {
  it.each<[string, Partial<AgentCircumstances>, string]>([
    ['all is well', {}, 'live'],
    ['a backlog that is only just there', { backlog: true, lagMs: 5_000 }, 'live'],
    ['old samples that are on their way', { backlog: false, lagMs: 60_000 }, 'live'],
    ['an old backlog', { backlog: true, lagMs: 5_001 }, 'catching-up'],
    ['waiting', { uplink: 'waiting' }, 'offline'],
    ['connecting', { uplink: 'connecting' }, 'offline'],
    ['hello', { uplink: 'hello' }, 'offline'],
    ['a connection that carries nothing', { refused: true, backlog: true }, 'offline'],
    ['not yet begun', { started: false, uplink: 'connecting' }, 'starting'],
    ['a journal in trouble while offline', { degraded: true, uplink: 'waiting' }, 'degraded'],
    ['a journal in trouble from the beginning', { degraded: true, started: false }, 'degraded'],
    ['stopping, whatever else', { stopping: true, degraded: true, uplink: 'leaving' }, 'stopping'],
  ])('%s', (_what, change, state) => {
    expect(deriveAgentState({ ...live, ...change })).toBe(state);
  });
});

describe('a steady state', () => {
  const shownOf = (...seen: readonly (readonly [at: number, state: AgentState])[]) => {
    const steady = createSteadyState();
    return seen.map(([at, state]) => steady(state, at));
  };

  it('ends catching up once that has been over for a while', () => {
    const end = 10 + SETTLE_MS;
    expect(
      shownOf([0, 'catching-up'], [10, 'live'], [end - 1, 'live'], [end, 'live'], [end + 1, 'live']),
    ).toEqual(['catching-up', 'catching-up', 'catching-up', 'live', 'live']);
  });

  it('does not flicker where backlog comes and goes', () => {
    const flicker = Array.from(
      { length: 10 },
      (_, index) => [index * (SETTLE_MS - 1), index % 2 === 0 ? 'catching-up' : 'live'] as const,
    );
    expect(new Set(shownOf(...flicker))).toEqual(new Set(['catching-up']));
  });

  it('keeps nothing else back', () => {
    const states = [
      'starting',
      'live',
      'catching-up',
      'offline',
      'live',
      'degraded',
      'live',
      'stopping',
    ] as const;
    expect(shownOf(...states.map((state, at) => [at, state] as const))).toEqual(states);
  });
});
