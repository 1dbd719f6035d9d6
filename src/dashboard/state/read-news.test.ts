import { expect, test } from 'vitest';
import type { FleetDelta } from '../../protocol/api.ts';
import { NO_FLEET, reduceFleet } from './fleet-state.ts';
import { readDelta, readSnapshot } from './read-news.ts';
import { agent } from './testing/agent.ts';

const totals = {
  ...{ agents: 2, connected: 2, stored: 0, pending: 0, thinned: 0, dropped: 0 },
  ...{ samplesPerSecond: 0, bytesPerSecond: 0 },
};
const delta: FleetDelta = {
  ...{ ts: 5, totals, ingest: [], agents: [agent('a')] },
  chaos: { mode: 'off', enabled: false, effect: 'none', since: 0 },
};
const snapshot = { ...delta, hqVersion: '1', chaosSpans: [] };
const broken = { ...agent('b'), completeness: null };

test('an agent that cannot be read does not take the others', () => {
  const first = reduceFleet(NO_FLEET, readSnapshot({ ...snapshot, agents: [agent('a'), broken] }, 0));
  expect(first).toMatchObject({ ids: ['a'], unreadable: 1, damaged: null });
  const second = reduceFleet(first, readDelta(delta, 1));
  expect(second, 'nobody has said that it can be read now').toMatchObject({ ids: ['a'], unreadable: 1 });
  expect(reduceFleet(second, readSnapshot(snapshot, 2)).unreadable).toBe(0);
});

test.each([null, 'x', {}, { ...delta, totals: null }, { ...delta, agents: null }])(
  'what is no message is damaged: %j',
  (message) => {
    expect(readDelta(message, 0).kind).toBe('damaged');
    expect(readSnapshot(message, 0).kind).toBe('damaged');
  },
);
