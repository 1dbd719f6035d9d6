import { get as httpGet } from 'node:http';
import { finalize, NEVER } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventually } from '../../../../tests/support/eventually.ts';
import { BUCKET_STATISTICS, bucketSchema } from '../../../protocol/bucket.ts';
import { ask, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const RANGE = `from=${T0}&to=${T0 + 20_000}&step=10s`;
const IO = 'io{device=a}';
const manySchema = z.strictObject({
  from: z.number(),
  to: z.number(),
  stepMs: z.number(),
  items: z.array(
    z.strictObject({
      series: z.string(),
      source: z.string(),
      unit: z.string(),
      buckets: z.array(bucketSchema.strict()),
    }),
  ),
  cursor: z.null(),
});

let gateway: Awaited<ReturnType<typeof createTestGateway>>;
const get = (query: string) => ask(gateway.app, `/api/v1/agents/edge/query?${query}`);

beforeAll(async () => {
  gateway = await createTestGateway({ settings: { limits: { bucketsPerQuery: 1000 } } });
  const records = Array.from({ length: 10 }, (_, index) => ({
    agent: 'edge',
    timestamp: T0 + index * 1000,
    metrics: [
      { name: 'level', value: index, unit: 'm' },
      { name: 'io', attributes: { device: 'a' }, value: 7, unit: 'By' },
    ],
  }));
  const odd = { name: 'a "b", c', value: 1, unit: '' };
  const others = [
    { agent: 'quoted', timestamp: T0, metrics: [odd] },
    { agent: 'edge', source: 'other', timestamp: T0, metrics: [{ name: 'level', value: 99, unit: 'V' }] },
  ];
  expect((await post(gateway.app, '/telemetry', [...records, ...others])).status).toBe(202);
});
afterAll(() => gateway.app.close());

describe('buckets of several series', () => {
  it('come in the order in which they were asked for, each once', async () => {
    const asked = `series=${IO}&series=level&series=${IO}&source=http&${RANGE}`;
    const { items, ...rest } = manySchema.parse((await get(asked)).json());
    expect(rest).toEqual({ from: T0, to: T0 + 20_000, stepMs: 10_000, cursor: null });
    expect(items.map(({ series, source, unit }) => [series, source, unit])).toEqual([
      [IO, 'http', 'By'],
      ['level', 'http', 'm'],
    ]);
    const [io, level] = items.map(({ buckets }) => buckets);
    expect(io?.[0]).toMatchObject({ t: T0, count: 10, min: 7, max: 7, mean: 7, stddev: 0 });
    expect(level?.[0]).toMatchObject({ t: T0, count: 10, min: 0, max: 9, mean: 4.5 });
    expect(level?.[1]).toEqual({
      ...{ t: T0 + 10_000, count: 0, min: null, max: null, mean: null },
      ...{ stddev: null, p50: null, p95: null, p99: null },
    });
  });

  it('say of one series what they say of it among others', async () => {
    const one = z.object({ items: z.array(bucketSchema) }).parse((await get(`series=${IO}&${RANGE}`)).json());
    const many = manySchema.parse((await get(`series=level&series=${IO}&source=http&${RANGE}`)).json());
    expect(one.items).toEqual(many.items[1]?.buckets);
  });

  it('need the source of one that several sources have', async () => {
    const answer = await get(`series=${IO}&series=level`);
    expect([answer.status, answer.fields()]).toEqual([400, ['source']]);
    expect((await get(`series=${IO}&series=nothing&source=http`)).status).toBe(404);
  });

  it('have fewer buckets each the more they are, unless a step is asked for', async () => {
    const long = `from=${T0}&to=${T0 + 86_400_000}`;
    const alone = z.object({ stepMs: z.number() }).parse((await get(`series=${IO}&${long}`)).json());
    expect(alone.stepMs).toBe(300_000);
    const asked = `series=${IO}&series=level&source=http&${long}`;
    expect(manySchema.parse((await get(asked)).json()).stepMs).toBe(300_000);
    const tooMany = await get(`${asked}&step=2m`);
    expect([tooMany.status, tooMany.fields()]).toEqual([400, ['step']]);
    expect(tooMany.json()).toMatchObject({
      detail: expect.stringMatching(/limits\.bucketsPerQuery.*172800ms/),
    });
    expect((await get(`${asked}&step=172800ms`)).status).toBe(200);
  });
});

describe('figures of buckets', () => {
  const first = async (stat: string) =>
    z
      .object({ items: z.array(z.record(z.string(), z.unknown())) })
      .parse((await get(`series=level&source=http&${RANGE}${stat}`)).json()).items[0];

  it('are all that there are, unless some are chosen', async () => {
    expect(Object.keys((await first('')) ?? {})).toEqual(['t', ...BUCKET_STATISTICS]);
    expect(await first('&stat=p50,max')).toEqual({ t: T0, count: 10, max: 9, p50: expect.closeTo(4, 1) });
    expect(await first('&stat=min&stat=stddev')).toEqual({
      ...{ t: T0, count: 10, min: 0, stddev: expect.closeTo(Math.sqrt(8.25), 12) },
    });
    expect(await first('&stat=count')).toEqual({ t: T0, count: 10 });
  });

  it.each(['median', '', 'min,', 'mean,P50', '__proto__'])('are refused when they are %j', async (stat) => {
    const answer = await get(`series=level&source=http&stat=${stat}`);
    expect([answer.status, answer.fields()]).toEqual([400, ['stat']]);
    expect(answer.json()).toMatchObject({ detail: expect.stringContaining(BUCKET_STATISTICS.join(', ')) });
  });

  it('can be chosen with the series in the path', async () => {
    const answer = await ask(
      gateway.app,
      `/api/v1/agents/edge/series/${encodeURIComponent(IO)}?${RANGE}&stat=mean`,
    );
    expect(answer.json()).toMatchObject({
      items: [
        { t: T0, count: 10, mean: 7 },
        { count: 0, mean: null },
      ],
    });
  });
});

describe('buckets as CSV', () => {
  it('have a line each, with a line of names before them', async () => {
    const answer = await get(`series=${IO}&series=level&source=http&${RANGE}&stat=mean,max&format=csv`);
    expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8; header=present');
    const lines = answer.body.split('\r\n');
    expect(lines[0]).toBe('series,source,unit,time,t,count,mean,max,approx,thinned,until');
    expect(lines.slice(1)).toEqual([
      `io{device=a},http,By,2026-01-31T12:00:00.000Z,${T0},10,7,7,,,`,
      `io{device=a},http,By,2026-01-31T12:00:10.000Z,${T0 + 10_000},0,,,,,`,
      `level,http,m,2026-01-31T12:00:00.000Z,${T0},10,4.5,9,,,`,
      `level,http,m,2026-01-31T12:00:10.000Z,${T0 + 10_000},0,,,,,`,
      '',
    ]);
  });

  it('quote what would be taken for something else', async () => {
    const series = encodeURIComponent('a "b"\\, c');
    const range = `from=${T0}&to=${T0 + 1000}&step=1s&stat=mean`;
    const answer = await ask(gateway.app, `/api/v1/agents/quoted/query?series=${series}&${range}&format=csv`);
    expect(answer.body.split('\r\n')[1]).toMatch(/^"a ""b""\\, c",http,,/);
  });

  it('are refused in other formats', async () => {
    const answer = await get(`series=${IO}&format=xml`);
    expect([answer.status, answer.fields()]).toEqual([400, ['format']]);
  });
});

describe('reads', () => {
  it('are given up at their deadline, and say what to do', async () => {
    const slow = await createTestGateway({ settings: { limits: { readTimeoutMs: 100 } } });
    await post(slow.app, '/telemetry', [{ agent: 'edge', timestamp: T0, metrics: { x: 1 } }]);
    let ended = 0;
    slow.store.buckets = () => NEVER.pipe(finalize(() => (ended += 1)));
    const answer = await ask(slow.app, `/api/v1/agents/edge/query?series=x&${RANGE}`);
    expect([answer.status, ended]).toEqual([504, 1]);
    expect(answer.problem()).toMatchObject({
      type: 'urn:holdfast:problem:too_slow',
      detail: expect.stringContaining('limits.readTimeoutMs'),
    });
    await slow.app.close();
  });

  it('end when the client goes', async () => {
    const left = await createTestGateway();
    await post(left.app, '/telemetry', [{ agent: 'edge', timestamp: T0, metrics: { x: 1 } }]);
    let begun = 0;
    let ended = 0;
    left.store.buckets = () => {
      begun += 1;
      return NEVER.pipe(finalize(() => (ended += 1)));
    };
    const address = await left.app.listen({ port: 0, host: '127.0.0.1' });
    const request = httpGet(`${address}/api/v1/agents/edge/query?series=x&${RANGE}`);
    request.on('error', () => {});
    await eventually(() => expect(begun).toBe(1));
    request.destroy();
    await eventually(() => expect(ended).toBe(1));
    const metrics = (await ask(left.app, '/metrics')).body;
    expect(metrics).toContain('holdfast_hq_reads_given_up_total{reason="client"} 1');
    expect(metrics).toMatch(/holdfast_hq_read_bytes 0\n/);
    await left.app.close();
  });
});
