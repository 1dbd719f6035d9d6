import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { bucketSchema } from '../../../protocol/bucket.ts';
import { ask, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const RANGE = `from=${T0}&to=${T0 + 10_000}&step=10s`;

const answerSchema = z.strictObject({
  from: z.number(),
  to: z.number(),
  stepMs: z.number(),
  items: z.array(
    z.strictObject({
      agent: z.string().optional(),
      source: z.string().optional(),
      series: z.string().optional(),
      labels: z.record(z.string(), z.string().nullable()).optional(),
      unit: z.string(),
      members: z.number(),
      buckets: z.array(bucketSchema.strict()),
    }),
  ),
  cursor: z.null(),
});

let gateway: Awaited<ReturnType<typeof createTestGateway>>;
const get = (query: string) => ask(gateway.app, `/api/v1/query?${query}`);
const rowsOf = async (query: string) => answerSchema.parse((await get(`${query}&${RANGE}`)).json()).items;
/** Each row without its buckets, and what its only bucket says. */
const shown = async (query: string, figure: 'count' | 'mean' | 'max' = 'mean') =>
  (await rowsOf(query)).map(({ buckets, ...head }) => [head, buckets[0]?.[figure]]);

beforeAll(async () => {
  gateway = await createTestGateway();
  const values: Readonly<Record<string, readonly number[]>> = {
    n1: [1, 2, 3],
    n2: [5],
    s1: [7, 9],
    x1: [100],
  };
  const records = Object.entries(values).flatMap(([agent, all]) =>
    all.map((value, index) => ({
      agent,
      timestamp: T0 + index * 1000,
      metrics: [
        { name: 'load', value, unit: '1' },
        { name: 'temp', attributes: { zone: 'a' }, value: 20, unit: 'Cel' },
        { name: 'temp', attributes: { zone: 'b' }, value: 30, unit: 'Cel' },
      ],
    })),
  );
  const other = {
    agent: 'x1',
    source: 'other',
    timestamp: T0,
    metrics: [{ name: 'load', value: 4, unit: '%' }],
  };
  expect((await post(gateway.app, '/telemetry', [...records, other])).status).toBe(202);
  for (const [agent, labels] of Object.entries({
    n1: { site: 'nord', rack: '1' },
    n2: { site: 'nord', rack: '2' },
    s1: { site: 'south' },
  }))
    await ask(gateway.app, `/api/v1/agents/${agent}/labels`, { method: 'PUT', body: { labels } });
});
afterAll(() => gateway.app.close());

describe('a query of many agents', () => {
  it('has a row for each agent, source and series', async () => {
    const head = { series: 'load', unit: '1', members: 1, source: 'http' };
    expect(await shown('series=load')).toEqual([
      [{ ...head, agent: 'n1' }, 2],
      [{ ...head, agent: 'n2' }, 5],
      [{ ...head, agent: 's1' }, 8],
      [{ ...head, agent: 'x1' }, 100],
      [{ ...head, agent: 'x1', source: 'other', unit: '%' }, 4],
    ]);
  });

  it('is of the agents that are named, and of those with labels', async () => {
    const agents = async (query: string) => (await rowsOf(`series=load&${query}`)).map(({ agent }) => agent);
    expect(await agents('agent=s1&agent=n2')).toEqual(['n2', 's1']);
    expect(await agents('label=site:nord')).toEqual(['n1', 'n2']);
    expect(await agents('label=site:nord&label=site:south&label=rack')).toEqual(['n1', 'n2']);
    expect(await agents('label=site:nord&label=rack:2')).toEqual(['n2']);
    expect(await agents('agent=x1&label=site')).toEqual([]);
    const unknown = await get('series=load&agent=n1&agent=nobody');
    expect([unknown.status, unknown.json()]).toMatchObject([
      404,
      { detail: expect.stringContaining('nobody') },
    ]);
  });

  it('takes series by metric, key or beginning', async () => {
    const series = async (query: string) => (await rowsOf(`agent=n1&${query}`)).map((row) => row.series);
    expect(await series('series=temp')).toEqual(['temp{zone=a}', 'temp{zone=b}']);
    expect(await series('series=temp{zone=b}')).toEqual(['temp{zone=b}']);
    expect(await series('series=te*&series=load')).toEqual(['load', 'temp{zone=a}', 'temp{zone=b}']);
    expect(await series('series=nothing')).toEqual([]);
    const none = await get('agent=n1');
    expect([none.status, none.fields()]).toEqual([400, ['series']]);
  });

  it('counts together what falls in one row, value by value', async () => {
    const load = 'series=load&source=http';
    expect(await shown(`${load}&by=label:site`)).toEqual([
      [{ labels: { site: 'nord' }, unit: '1', members: 2 }, 2.75],
      [{ labels: { site: 'south' }, unit: '1', members: 1 }, 8],
      [{ labels: { site: null }, unit: '1', members: 1 }, 100],
    ]);
    expect(await shown(`${load}&by=series,label:rack&label=rack`)).toEqual([
      [{ series: 'load', labels: { rack: '1' }, unit: '1', members: 1 }, 2],
      [{ series: 'load', labels: { rack: '2' }, unit: '1', members: 1 }, 5],
    ]);
    expect(await shown(`${load}&by=all`, 'count')).toEqual([[{ unit: '1', members: 4 }, 7]]);
    expect(await shown('series=temp&by=agent&agent=n1', 'max')).toEqual([
      [{ agent: 'n1', unit: 'Cel', members: 2 }, 30],
    ]);
  });

  it('never counts different units together', async () => {
    const answer = await get('series=load&by=series');
    expect([answer.status, answer.fields()]).toEqual([400, ['by']]);
    expect(answer.json()).toMatchObject({
      detail: expect.stringMatching(/x1.*"1".*x1.*"%"|n1.*"1".*x1.*"%"/),
    });
  });

  it.each(['by=site', 'by=label:', 'by=agent,all', 'by=', 'by=label:1x', 'by=__proto__'])(
    'refuses ?%s',
    async (by) => {
      const answer = await get(`series=load&${by}`);
      expect([answer.status, answer.fields()]).toEqual([400, ['by']]);
    },
  );

  it('bounds the buckets over all rows', async () => {
    const small = await createTestGateway({ settings: { limits: { bucketsPerQuery: 100 } } });
    const records = Array.from({ length: 101 }, (_, index) => ({
      ...{ agent: `a${index}`, timestamp: T0, metrics: { x: 1 } },
    }));
    await post(small.app, '/telemetry', records.slice(0, 50));
    const asked = `/api/v1/query?series=x&from=${T0}&to=${T0 + 60_000}`;
    const tooMany = await ask(small.app, `${asked}&step=10s`);
    expect([tooMany.status, tooMany.fields()]).toEqual([400, ['step']]);
    expect((await ask(small.app, asked)).json()).toMatchObject({ stepMs: 30_000 });
    await post(small.app, '/telemetry', records.slice(50));
    const rows = await ask(small.app, asked);
    expect([rows.status, rows.fields()]).toEqual([400, ['series']]);
    expect((await ask(small.app, `${asked}&by=all&step=10s`)).status).toBe(200);
    await small.app.close();
  });

  it('has a column for each label in CSV', async () => {
    const answer = await get(
      `series=load&source=http&by=label:site,label:rack&stat=mean&format=csv&${RANGE}`,
    );
    expect(answer.body.split('\r\n').slice(0, 4)).toEqual([
      'label:site,label:rack,unit,members,time,t,count,mean,approx,thinned,until',
      `nord,1,1,1,2026-01-31T12:00:00.000Z,${T0},3,2,,,`,
      `nord,2,1,1,2026-01-31T12:00:00.000Z,${T0},1,5,,,`,
      `south,,1,1,2026-01-31T12:00:00.000Z,${T0},2,8,,,`,
    ]);
    const none = await get(`series=nothing&format=csv&stat=count&${RANGE}`);
    expect(none.body).toBe('agent,source,series,unit,members,time,t,count,approx,thinned,until\r\n');
  });
});
