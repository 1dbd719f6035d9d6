import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  type AnomalyDocument,
  agentSummarySchema,
  anomalyDocumentSchema,
  ledgerEntrySchema,
  sampleDocumentSchema,
  seriesDocumentSchema,
} from '../../../protocol/api.ts';
import { bucketSchema } from '../../../protocol/bucket.ts';
import { StorageError } from '../../../storage/storage.ts';
import { ask, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const IO = 'system.network.io{device=eth0,direction=receive}';

let gateway: Awaited<ReturnType<typeof createTestGateway>>;
const get = (url: string) => ask(gateway.app, url);
const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), cursor: z.string().nullable() });

beforeAll(async () => {
  gateway = await createTestGateway();
  const metrics = [
    { name: 'system.network.io', attributes: { direction: 'receive', device: 'eth0' }, value: 1, unit: 'By' },
    { name: 'a b'.replace(' ', '.'), value: 2 },
    { name: 'z', value: 3 },
  ];
  const records = Array.from({ length: 5 }, (_, index) => ({
    agent: 'edge-1',
    timestamp: T0 + index * 1000,
    metrics,
  }));
  const others = ['edge-2', 'edge-10', 'Edge-3'].map((agent) => ({
    agent,
    timestamp: T0,
    metrics: { x: 1 },
  }));
  expect((await post(gateway.app, '/telemetry', [...records, ...others])).status).toBe(202);
  gateway.store.anomalyList.push(...[3, 1, 2].map((at) => anomalyAt(T0 + at)));
});
afterAll(() => gateway.app.close());

function anomalyAt(startTs: number): AnomalyDocument {
  return {
    series: IO,
    unit: 'By',
    state: 'open',
    startTs,
    endTs: null,
    peakTs: startTs,
    peakValue: 'Infinity',
    peakZ: 4,
    mean: 1,
    stddev: 1,
  };
}

/** Every page of a list, two items at a time. */
async function everyPage<T extends z.ZodType>(url: string, item: T): Promise<z.output<T>[]> {
  const found: z.output<T>[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query = `${url}${url.includes('?') ? '&' : '?'}limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const answer = listOf(item).parse((await get(query)).json());
    expect(answer.items.length).toBeLessThanOrEqual(2);
    found.push(...answer.items);
    cursor = answer.cursor;
  }
  return found;
}

describe('lists', () => {
  it('come whole, page by page, in the order of their keys', async () => {
    const agents = await everyPage('/api/v1/agents', agentSummarySchema.strict());
    expect(agents.map(({ id }) => id)).toEqual(['Edge-3', 'edge-1', 'edge-10', 'edge-2']);
    const series = await everyPage('/api/v1/agents/edge-1/series', seriesDocumentSchema.strict());
    expect(series.map((one) => one.series)).toEqual(['a.b', IO, 'z']);
    const anomalies = await everyPage(
      `/api/v1/agents/edge-1/anomalies?from=0`,
      anomalyDocumentSchema.strict(),
    );
    expect(anomalies.map(({ startTs }) => startTs - T0)).toEqual([1, 2, 3]);
    const samples = await everyPage(`/api/v1/agents/edge-1/samples?from=0`, sampleDocumentSchema.strict());
    expect(samples.map(({ ts }) => ts - T0)).toEqual([0, 1000, 2000, 3000, 4000]);
  });

  it('keep their place when something is added before the cursor', async () => {
    const first = listOf(agentSummarySchema).parse((await get('/api/v1/agents?limit=2')).json());
    expect(
      (await post(gateway.app, '/telemetry', { agent: 'AAA', timestamp: T0, metrics: { x: 1 } })).status,
    ).toBe(202);
    const second = listOf(agentSummarySchema).parse(
      (await get(`/api/v1/agents?limit=2&cursor=${first.cursor}`)).json(),
    );
    expect(second.items.map(({ id }) => id)).toEqual(['edge-10', 'edge-2']);
  });

  it.each([
    'limit=0',
    'limit=-1',
    'limit=1001',
    'limit=x',
    'limit=1.5',
    'limit=1&limit=2',
    'cursor=',
    'cursor=%20',
    'cursor=bm8',
    'cursor=a&cursor=b',
  ])('refuse ?%s and name the parameter', async (query) => {
    const answer = await get(`/api/v1/agents?${query}`);
    expect([answer.status, answer.fields()]).toEqual([400, [query.split('=', 1)[0]]]);
  });
});

describe('one agent', () => {
  it('is summed up', async () => {
    expect(agentSummarySchema.parse((await get('/api/v1/agents/edge-1')).json()).id).toBe('edge-1');
  });

  it.each([
    '',
    '/samples',
    '/series',
    `/series/${encodeURIComponent(IO)}`,
    '/query?series=x',
    '/anomalies',
    '/ledger',
  ])('that nobody knows gives 404 at %s', async (rest) => {
    for (const id of ['nobody', '__proto__', 'a%2F..%2Fb', 'constructor']) {
      const answer = await get(`/api/v1/agents/${id}${rest}`);
      expect([answer.status, answer.problem().type]).toEqual([404, 'urn:holdfast:problem:not_found']);
    }
  });

  it('has a ledger', async () => {
    const { items } = listOf(ledgerEntrySchema.strict()).parse(
      (await get('/api/v1/agents/edge-1/ledger')).json(),
    );
    expect(items).toMatchObject([{ sampled: 3, stored: 2, dropped: { damaged: 1 } }]);
  });
});

describe('times', () => {
  const times = async (query: string) =>
    listOf(sampleDocumentSchema)
      .parse((await get(`/api/v1/agents/edge-1/samples?${query}`)).json())
      .items.map(({ ts }) => ts - T0);

  it('may be RFC 3339 or epoch ms, from inclusive, to exclusive', async () => {
    expect(await times(`from=${T0 + 1000}&to=${T0 + 3000}`)).toEqual([1000, 2000]);
    expect(await times('from=2026-01-31T12:00:01Z&to=2026-01-31T13:00:03%2B01:00')).toEqual([1000, 2000]);
  });

  it('end now and begin one hour earlier when they are left out', async () => {
    const now = gateway.clock.now();
    const recent = { agent: 'recent', timestamp: now - 60_000, metrics: { x: 1 } };
    const old = { agent: 'recent', timestamp: now - 2 * 3_600_000, metrics: { x: 1 } };
    await post(gateway.app, '/telemetry', [recent, old]);
    const seen = async (query: string) =>
      listOf(sampleDocumentSchema).parse((await get(`/api/v1/agents/recent/samples${query}`)).json()).items
        .length;
    expect(await seen('')).toBe(1);
    expect(await seen(`?to=${now - 3_600_000 * 0.5}`)).toBe(0);
    expect(await seen(`?to=${now - 3_600_000 * 1.5}`)).toBe(1);
    expect(await seen('?from=0')).toBe(2);
  });

  it.each([
    ['from=yesterday', 'from'],
    ['to=1e3', 'to'],
    ['from=', 'from'],
    ['from=5&to=5', 'from'],
    ['from=6&to=5', 'from'],
    ['from=99999999999999999', 'from'],
    ['from=1&from=2', 'from'],
    ['limit=10001', 'limit'],
  ])('refuse ?%s', async (query, field) => {
    const answer = await get(`/api/v1/agents/edge-1/samples?${query}`);
    expect([answer.status, answer.fields()]).toEqual([400, [field]]);
  });
});

describe('buckets of a series', () => {
  const url = `/api/v1/agents/edge-1/series/${encodeURIComponent(IO)}`;
  const schema = listOf(bucketSchema.strict()).extend({
    series: z.literal(IO),
    source: z.literal('http'),
    unit: z.literal('By'),
    from: z.number(),
    to: z.number(),
    stepMs: z.number(),
  });

  it.each([
    ['10s', 10_000],
    ['500ms', 500],
    ['1m', 60_000],
    ['2500', 2500],
  ])('have the step %s', async (step, stepMs) => {
    const answer = schema.parse((await get(`${url}?from=${T0}&to=${T0 + 600_000}&step=${step}`)).json());
    expect(answer).toMatchObject({ from: T0, to: T0 + 600_000, stepMs });
    expect(answer.items).toHaveLength(600_000 / stepMs);
  });

  it.each([
    [60_000, 1000],
    [3_600_000, 10_000],
    [86_400_000, 300_000],
    [400 * 86_400_000, 86_400_000],
  ])('over %i ms have a round step of their own', async (span, stepMs) => {
    expect(schema.parse((await get(`${url}?from=${T0}&to=${T0 + span}`)).json()).stepMs).toBe(stepMs);
  });

  it.each(['step=0', 'step=-1s', 'step=x', 'step=1y', 'step=', 'step=1ms&from=0'])(
    'refuse ?%s',
    async (query) => {
      const answer = await get(`${url}?${query}`);
      expect([answer.status, answer.fields()]).toEqual([400, ['step']]);
    },
  );

  it('are of one source: which one must be said when several have the series', async () => {
    const of = (source: string, unit: string) => ({
      agent: 'two-sources',
      source,
      timestamp: T0,
      metrics: [{ name: 'level', value: 1, unit }],
    });
    await post(gateway.app, '/telemetry', [of('left', 'm'), of('right', 'V')]);
    const level = '/api/v1/agents/two-sources/series/level';
    const ambiguous = await get(level);
    expect([ambiguous.status, ambiguous.fields()]).toEqual([400, ['source']]);
    expect(ambiguous.json()).toMatchObject({ detail: expect.stringContaining('left, right') });
    expect((await get(`${level}?source=left`)).json()).toMatchObject({ source: 'left', unit: 'm' });
    expect((await get(`${level}?source=right`)).json()).toMatchObject({ source: 'right', unit: 'V' });
    const wrong = await get(`${level}?source=middle`);
    expect([wrong.status, wrong.json()]).toMatchObject([404, { detail: expect.stringContaining('middle') }]);
    expect((await get(`${url}?source=http`)).json()).toMatchObject({ source: 'http' });
    expect((await get(`${url}?source=`)).fields()).toEqual(['source']);
  });

  it('of a series that the agent lacks give 404', async () => {
    expect((await get('/api/v1/agents/edge-1/series/nothing')).status).toBe(404);
    expect((await get('/api/v1/agents/edge-1/query?series=nothing')).status).toBe(404);
  });

  it('are the same by a query, in which a slash needs no escape that proxies decode', async () => {
    const disk = { name: 'disk', value: 7, unit: 'By', attributes: { mountpoint: '/' } };
    await post(gateway.app, '/telemetry', [{ agent: 'slash', timestamp: T0, metrics: [disk] }]);
    const range = `from=${T0}&to=${T0 + 60_000}&step=60s`;
    const answer = await get(`/api/v1/agents/slash/query?series=disk{mountpoint=/}&source=http&${range}`);
    expect(answer.json()).toMatchObject({ series: 'disk{mountpoint=/}', unit: 'By', stepMs: 60_000 });
    const path = `/api/v1/agents/slash/series/${encodeURIComponent('disk{mountpoint=/}')}?${range}`;
    expect((await get(path)).json()).toEqual(answer.json());
  });

  it.each(['/', '/mnt/a/b', '//x', '/a%b', '/a+b', '/a b/'])(
    'are the same in a path that a proxy has decoded: %s',
    async (mountpoint) => {
      const disk = { name: 'disk', value: 7, unit: 'By', attributes: { mountpoint } };
      await post(gateway.app, '/telemetry', [{ agent: 'decoded', timestamp: T0, metrics: [disk] }]);
      const key = `disk{mountpoint=${mountpoint}}`;
      const range = `from=${T0}&to=${T0 + 60_000}&step=60s`;
      const asked = await get(`/api/v1/agents/decoded/query?series=${encodeURIComponent(key)}&${range}`);
      expect(asked.json()).toMatchObject({ series: key, unit: 'By' });
      // As nginx with an URI in proxy_pass: what must be escaped still is, slashes are not.
      const path = encodeURIComponent(key).replaceAll('%2F', '/');
      expect((await get(`/api/v1/agents/decoded/series/${path}?${range}`)).json()).toEqual(asked.json());
      expect((await get(`/api/v1/agents/decoded/series/no${path}`)).status).toBe(404);
      const posted = await post(gateway.app, `/api/v1/agents/decoded/series/${path}`, {});
      expect([posted.status, posted.headers.allow]).toEqual([405, 'GET, HEAD']);
    },
  );

  it.each([
    ['', 'series'],
    ['series=', 'series'],
    ['series=a&series=', 'series.1'],
  ])('by a query refuse ?%s', async (query, field) => {
    const answer = await get(`/api/v1/agents/edge-1/query?${query}`);
    expect([answer.status, answer.fields()]).toEqual([400, [field]]);
  });
});

describe('reading while the storage fails', () => {
  it('is answered 503 with Retry-After', async () => {
    gateway.store.fault = new StorageError('deadline', 'slow disk');
    const answer = await get('/api/v1/agents/edge-1/samples');
    gateway.store.fault = null;
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
  });
});
