import { of } from 'rxjs';
import { expect, it } from 'vitest';
import type { ArrivalQuery } from '../../store/store.ts';
import { ask, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const URL = '/api/v1/agents/edge/arrivals';

it('asks for the runs of a range, with a gap that fits it', async () => {
  const { app, store } = await createTestGateway();
  await post(app, '/telemetry', [{ agent: 'edge', timestamp: T0, metrics: { x: 1 } }]);
  const asked: ArrivalQuery[] = [];
  const run = { tsMin: T0, tsMax: T0 + 1, at0: T0 + 2, at1: T0 + 3, count: 2, lane: 'live' as const };
  store.arrivals = (query) => {
    asked.push(query);
    return of({ items: [run], cursor: 'bmV4dA' });
  };
  const answer = await ask(app, `${URL}?from=${T0}&to=${T0 + 60_000}&limit=7`);
  expect(answer.json()).toEqual({ items: [run], cursor: 'bmV4dA' });
  await ask(app, `${URL}?from=${T0}&to=${T0 + 86_400_000}&cursor=bmV4dA`);
  await ask(app, `${URL}?from=${T0}&to=${T0 + 60_000}&gap=30s`);
  const common = { agent: 'edge', from: T0 };
  expect(asked).toEqual([
    { ...common, to: T0 + 60_000, gapMs: 10_000, limit: 7, cursor: null },
    { ...common, to: T0 + 86_400_000, gapMs: 172_800, limit: 100, cursor: 'bmV4dA' },
    { ...common, to: T0 + 60_000, gapMs: 30_000, limit: 100, cursor: null },
  ]);
  expect((await ask(app, `${URL}?gap=0`)).fields()).toEqual(['gap']);
  expect((await ask(app, '/api/v1/agents/nobody/arrivals')).status).toBe(404);
  await app.close();
});
