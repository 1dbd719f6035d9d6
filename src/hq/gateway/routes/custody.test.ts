import { of } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CustodyQuery } from '../../store/store.ts';
import { ask, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const RANGE = `from=${T0}&to=${T0 + 20_000}&step=10s`;

let gateway: Awaited<ReturnType<typeof createTestGateway>>;
const get = async (path: string) => {
  const answer = await ask(gateway.app, path);
  return { status: answer.status, body: answer.json() };
};

beforeAll(async () => {
  gateway = await createTestGateway({ settings: { limits: { bucketsPerQuery: 100 } } });
  const records = ['a', 'b', 'c'].flatMap((agent, at) =>
    Array.from({ length: 5 + at }, (_, second) => ({
      agent,
      timestamp: T0 + second * 2_000,
      metrics: [{ name: 'level', value: second }],
    })),
  );
  expect((await post(gateway.app, '/telemetry', records)).status).toBe(202);
  for (const [agent, site] of [
    ['a', 'nord'],
    ['b', 'nord'],
  ] as const) {
    const set = { method: 'PUT', body: { labels: { site } } } as const;
    expect((await ask(gateway.app, `/api/v1/agents/${agent}/labels`, set)).status).toBe(200);
  }
});
afterAll(() => gateway.app.close());

describe('custody', () => {
  it('says by steps where the samples of an agent are', async () => {
    const { status, body } = await get(`/api/v1/agents/b/custody?${RANGE}`);
    expect(status).toBe(200);
    const rest = { thinned: 0, dropped: 0, journal: 0, inFlight: 0, sinks: {} };
    expect(body).toEqual({
      ...{ from: T0, to: T0 + 20_000, stepMs: 10_000, withinMs: 60_000, cursor: null },
      items: [
        { t: T0, sampled: 5, stored: 5, onTime: 5, ...rest },
        { t: T0 + 10_000, sampled: 1, stored: 1, onTime: 1, ...rest },
      ],
    });
  });

  it('knows no agent that HQ does not know, and no step that makes too many', async () => {
    expect((await get(`/api/v1/agents/nobody/custody?${RANGE}`)).status).toBe(404);
    expect((await get(`/api/v1/agents/a/custody?from=${T0}&to=${T0 + 200_000}&step=1s`)).status).toBe(400);
  });
});

describe('completeness', () => {
  it('is told by agent', async () => {
    const { body } = await get(`/api/v1/completeness?${RANGE}`);
    expect(body).toMatchObject({ asOf: null, stepMs: 10_000, withinMs: 60_000 });
    expect(body).toMatchObject({
      items: ['a', 'b', 'c'].map((agent, at) => ({
        agent,
        agents: 1,
        steps: [
          { stored: 5, onTimeRatio: 1, eventualRatio: 1 },
          { stored: at, onTimeRatio: at === 0 ? null : 1, eventualRatio: at === 0 ? null : 1 },
        ],
      })),
    });
  });

  it('is told by label, and of all together', async () => {
    const byLabel = await get(`/api/v1/completeness?by=label:site&${RANGE}`);
    expect(byLabel.body).toMatchObject({
      items: [
        { labels: { site: 'nord' }, agents: 2, steps: [{ sampled: 10 }, { sampled: 1 }] },
        { labels: { site: null }, agents: 1, steps: [{ sampled: 5 }, { sampled: 2 }] },
      ],
    });
    const all = await get(`/api/v1/completeness?by=all&label=site:nord&${RANGE}`);
    expect(all.body).toMatchObject({ items: [{ agents: 2, steps: [{ sampled: 10 }, { sampled: 1 }] }] });
  });

  it('asks the store for what had come then, and takes no other word', async () => {
    const asked: CustodyQuery[] = [];
    const { custody } = gateway.store;
    const cells = () => new Float64Array(6);
    gateway.store.custody = (query) => {
      asked.push(query);
      const counts = {
        stored: cells(),
        onTime: cells(),
        thinned: cells(),
        dropped: cells(),
        pending: cells(),
      };
      return of({ length: 2, ...counts });
    };
    await get(`/api/v1/completeness?asOf=${T0 + 5}&within=5m&${RANGE}`);
    gateway.store.custody = custody;
    expect(asked).toMatchObject([{ asOf: T0 + 5, withinMs: 300_000, rows: 3 }]);
    expect((await get(`/api/v1/completeness?by=site&${RANGE}`)).status).toBe(400);
    expect((await get(`/api/v1/completeness?asOf=soon&${RANGE}`)).status).toBe(400);
  });
});
