import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { agentLabelsSchema, agentSummarySchema } from '../../../protocol/api.ts';
import { ask, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

let gateway: Awaited<ReturnType<typeof createTestGateway>>;
const get = (url: string) => ask(gateway.app, url);
const put = (agent: string, body: unknown) =>
  ask(gateway.app, `/api/v1/agents/${agent}/labels`, { method: 'PUT', body });

beforeAll(async () => {
  gateway = await createTestGateway();
  const records = ['a1', 'a2', 'a3'].map((agent) => ({ agent, timestamp: Date.now(), metrics: { x: 1 } }));
  expect((await post(gateway.app, '/telemetry', records)).status).toBe(202);
  const labels = { a1: { site: 'nord', rack: '1' }, a2: { site: 'nord', rack: '2' }, a3: { site: 'a:b' } };
  for (const [agent, of] of Object.entries(labels))
    expect((await put(agent, { labels: of })).status).toBe(200);
});
afterAll(() => gateway.app.close());

async function idsWith(query: string): Promise<string[]> {
  const answer = await get(`/api/v1/agents?${query}`);
  expect(answer.status).toBe(200);
  return z
    .object({ items: z.array(agentSummarySchema) })
    .parse(answer.json())
    .items.map(({ id }) => id);
}

describe('agents by label', () => {
  it.each([
    ['label=site:nord', ['a1', 'a2']],
    ['label=site:nord&label=rack:2', ['a2']],
    ['label=rack:1&label=rack:2', ['a1', 'a2']],
    ['label=site', ['a1', 'a2', 'a3']],
    ['label=site:a:b', ['a3']],
    ['label=site:none', []],
    ['label=constructor', []],
    ['', ['a1', 'a2', 'a3']],
  ])('%s', async (query, ids) => {
    expect(await idsWith(query)).toEqual(ids);
  });

  it.each(['label=', 'label=site:', 'label=1st', 'label=%3Anord', `label=${'x'.repeat(200)}`])(
    'refuses %s and says what is expected',
    async (query) => {
      const answer = await get(`/api/v1/agents?${query}`);
      expect(answer.status).toBe(400);
      expect(answer.problem().detail).toContain('site:nord');
    },
  );

  it('are paged as all agents are', async () => {
    const first = z
      .object({ items: z.array(z.looseObject({ id: z.string() })), cursor: z.string() })
      .parse((await get('/api/v1/agents?label=site:nord&limit=1')).json());
    expect(first.items.map(({ id }) => id)).toEqual(['a1']);
    expect(await idsWith(`label=site:nord&limit=1&cursor=${first.cursor}`)).toEqual(['a2']);
  });
});

describe('labels that HQ sets', () => {
  it('take the place of those before, and say where each is from', async () => {
    const answer = await put('a3', { labels: { site: 'west', old: null } });
    const expected = { id: 'a3', labels: { site: 'west' }, told: {}, set: { site: 'west', old: null } };
    expect(agentLabelsSchema.strict().parse(answer.json())).toEqual(expected);
    expect((await get('/api/v1/agents/a3/labels')).json()).toEqual(expected);
    const summary = agentSummarySchema.parse((await get('/api/v1/agents/a3')).json());
    expect(summary.labels).toEqual({ site: 'west' });
  });

  it.each([
    [{ labels: { '1st': 'x' } }, 'labels.1st'],
    [{ labels: { site: '' } }, 'labels.site'],
    [{ labels: { site: 7 } }, 'labels.site'],
    [{ labels: Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`l${at}`, 'x'])) }, 'labels'],
    [{ label: {} }, 'labels'],
  ])('%j is refused by field', async (body, field) => {
    const answer = await put('a1', body);
    expect(answer.status).toBe(422);
    expect(answer.fields()).toContain(field);
    expect((await get('/api/v1/agents/a1/labels')).json()).toMatchObject({
      set: { site: 'nord', rack: '1' },
    });
  });

  it('are of agents that HQ knows', async () => {
    expect((await put('nobody', { labels: {} })).status).toBe(404);
    expect((await get('/api/v1/agents/nobody/labels')).status).toBe(404);
  });
});
