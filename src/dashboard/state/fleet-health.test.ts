import { expect, test } from 'vitest';
import type { AgentSummary } from '../../protocol/api.ts';
import { healthOf } from './fleet-health.ts';
import { agent } from './testing/agent.ts';

const entry = (changes: Partial<AgentSummary>) => ({
  summary: agent('a1', { epoch: 'aaaaaaaaaaaa', over: 'link', ...changes }),
});

test('what is pending is not complete yet', () => {
  const agents = [entry({ sampled: 100, stored: 40, pending: 60 }), entry({ sampled: 100, stored: 100 })];
  expect(healthOf(agents).completeness).toBe(0.7);
  expect(healthOf([]).completeness).toBe(1);
});

test('what came thinned is neither missing nor whole', () => {
  const health = healthOf([entry({ sampled: 100, stored: 40, thinned: 50, dropped: 10 })]);
  expect(health).toMatchObject({ completeness: 0.9, stored: 40 });
});

test('who sends by HTTP alone holds no link that could be missed', () => {
  const apart = { epoch: null, connected: false } as const;
  const agents = [entry({}), entry({ connected: false }), entry({ ...apart, over: 'http' })];
  expect(healthOf(agents)).toMatchObject({ linked: 2, overHttp: 1 });
});

test('an agent whose first hello is refused holds no link, and does not deliver by HTTP', () => {
  const refused = entry({ epoch: null, connected: false, state: 'refused', over: 'link' });
  expect(healthOf([refused])).toMatchObject({ linked: 1, overHttp: 0 });
  expect(healthOf([entry({ epoch: null, over: null, state: 'unknown' })])).toMatchObject({
    linked: 0,
    overHttp: 0,
  });
});
