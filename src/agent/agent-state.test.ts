import { describe, expect, it } from 'vitest';
import { type AgentCircumstances, deriveAgentState } from './agent-state.ts';

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
    ['greeting', { uplink: 'greeting' }, 'offline'],
    ['a connection that carries nothing', { refused: true, backlog: true }, 'offline'],
    ['not yet begun', { started: false, uplink: 'connecting' }, 'starting'],
    ['a journal in trouble while offline', { degraded: true, uplink: 'waiting' }, 'degraded'],
    ['a journal in trouble from the beginning', { degraded: true, started: false }, 'degraded'],
    ['stopping, whatever else', { stopping: true, degraded: true, uplink: 'leaving' }, 'stopping'],
  ])('%s', (_what, change, state) => {
    expect(deriveAgentState({ ...live, ...change })).toBe(state);
  });
});
