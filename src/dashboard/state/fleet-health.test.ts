import { expect, test } from 'vitest';
import type { AgentSummary } from '../../protocol/fleet.ts';
import { healthOf } from './fleet-health.ts';

const entry = (changes: Partial<AgentSummary>) => ({
  summary: {
    id: 'a1',
    epoch: 'aaaaaaaaaaaa',
    connected: true,
    state: 'live',
    breaker: 'closed',
    version: null,
    connectedSince: null,
    lastSampleTs: null,
    lastArrivalTs: null,
    lagMs: null,
    clockOffsetMs: null,
    rttMs: null,
    samplesPerSecond: 0,
    sampled: 0,
    stored: 0,
    pending: 0,
    pendingBytes: 0,
    dropped: 0,
    completeness: 1,
    openAnomalies: 0,
    anomaliesTotal: 0,
    seriesCount: 0,
    ...changes,
  } satisfies AgentSummary,
});

test('what is pending is not complete yet', () => {
  const agents = [entry({ sampled: 100, stored: 40, pending: 60 }), entry({ sampled: 100, stored: 100 })];
  expect(healthOf(agents).completeness).toBe(0.7);
  expect(healthOf([]).completeness).toBe(1);
});

test('who sends by HTTP alone holds no link that could be missed', () => {
  const agents = [entry({}), entry({ connected: false }), entry({ epoch: null, connected: false })];
  expect(healthOf(agents).linked).toBe(2);
});
