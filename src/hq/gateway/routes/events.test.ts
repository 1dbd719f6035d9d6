import { expect, it } from 'vitest';
import { z } from 'zod';
import { type AgentEvent, agentEventSchema } from '../../../protocol/agent-event.ts';
import { ask, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const URL = '/api/v1/agents/edge/events';

it('lists what has happened to an agent within a range', async () => {
  const { app, store } = await createTestGateway();
  await post(app, '/telemetry', [{ agent: 'edge', timestamp: T0, metrics: { x: 1 } }]);
  const events: AgentEvent[] = [
    { ts: T0, of: 'hq', kind: 'hq_started', version: '1.2.3' },
    { ts: T0 + 1, of: 'agent', kind: 'state', state: 'live', before: 'offline' },
    { ts: T0 + 2, of: 'agent', kind: 'labels_set', labels: { site: 'nord', old: null } },
    { ts: T0 + 3, of: 'agent', kind: 'paused', reason: 'window', until: T0 + 9 },
  ];
  store.eventList.push(...events);
  const list = z.object({ items: z.array(agentEventSchema.strict()), cursor: z.null() });
  const answer = list.parse((await ask(app, `${URL}?from=${T0}&to=${T0 + 3}`)).json());
  expect(answer.items).toEqual(events.slice(0, 3));
  expect(list.parse((await ask(app, `${URL}?from=${T0}&limit=1`)).json()).items).toEqual(events.slice(0, 1));
  expect((await ask(app, '/api/v1/agents/nobody/events')).status).toBe(404);
  await app.close();
});
