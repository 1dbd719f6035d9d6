import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { gpuSampleSchema, gpuSchema } from '../../../protocol/api.ts';
import { ask, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
type Metric = { readonly name: string; readonly attributes?: object; readonly value: number };

/** As the source gpu and exports of DCGM name them. */
const gpu = (index: number, uuid: string, more: object = {}) => ({
  ...{ gpu_id: String(index), uuid, modelName: 'NVIDIA A100', Hostname: 'h1', device: `nvidia${index}` },
  ...more,
});
const record = (agent: string, second: number, metrics: readonly Metric[], source = 'gpu') => ({
  ...{ agent, source, timestamp: T0 + second * 1000, metrics },
});

let gateway: Awaited<ReturnType<typeof createTestGateway>>;
const get = (url: string, headers: Record<string, string> = {}) => ask(gateway.app, url, { headers });
const pageSchema = z.object({
  items: z.array(gpuSampleSchema.strict()),
  cursor: z.string().nullable(),
  gpu: z.string(),
  agent: z.string(),
});

beforeAll(async () => {
  gateway = await createTestGateway({
    settings: { operatorToken: '', corsOrigins: [], limits: { requestsPerMinute: 1000 } },
  });
  const util = (index: number, uuid: string, value: number): Metric => ({
    ...{ name: 'hw.gpu.utilization', attributes: gpu(index, uuid), value },
  });
  const records = Array.from({ length: 10 }, (_, second) => [
    record('a1', second, [
      util(0, 'GPU-a', second),
      util(1, 'GPU-b', 100 + second),
      { name: 'hw.gpu.clock', attributes: gpu(0, 'GPU-a', { clock: 'sm' }), value: 5 },
    ]),
    record('a1', second, [{ name: 'system.cpu.load', value: 1 }], 'host'),
    record('a2', second, [util(0, 'GPU-c', second)]),
  ]);
  const others = [
    record('a3', 0, [{ name: 'x', attributes: { uuid: '1b4e28ba-2fa1-11d2' }, value: 1 }], 'disks'),
    record('a4', 0, [{ name: 'DCGM_FI_DEV_GPU_UTIL', attributes: { gpu: '7' }, value: 9 }]),
    record('a5', 0, [{ name: 'DCGM_FI_DEV_GPU_UTIL', attributes: { UUID: 'GPU-old', gpu: '3' }, value: 9 }]),
    record('a6', 0, [{ name: 'DCGM_FI_DEV_GPU_UTIL', attributes: { UUID: 'GPU-old', gpu: '3' }, value: 8 }]),
  ];
  for (const one of [...records.flat(), ...others]) {
    const { source, ...rest } = one;
    expect((await post(gateway.app, '/telemetry', { ...rest, source })).status).toBe(202);
  }
  const labels = { labels: { site: 'nord' } };
  await ask(gateway.app, '/api/v1/agents/a2/labels', { method: 'PUT', body: labels });
});
afterAll(() => gateway.app.close());

async function listed(query: string) {
  const answer = await get(`/api/v1/gpus?${query}`);
  expect(answer.status).toBe(200);
  return z.object({ items: z.array(gpuSchema.strict()), cursor: z.string().nullable() }).parse(answer.json());
}
const namesOf = (items: readonly z.infer<typeof gpuSchema>[]) =>
  items.map((one) => `${one.agent} ${one.gpu}`);

describe('GPUs', () => {
  it('are found by the attributes of series, and by nothing that only has a uuid', async () => {
    const { items } = await listed('');
    expect(namesOf(items)).toEqual(['a1 GPU-a', 'a1 GPU-b', 'a2 GPU-c', 'a4 7', 'a5 GPU-old', 'a6 GPU-old']);
    expect(items[0]).toEqual({
      ...{ gpu: 'GPU-a', uuid: 'GPU-a', index: '0', model: 'NVIDIA A100', host: 'h1' },
      ...{ agent: 'a1', source: 'gpu', series: 2, firstTs: 0, lastTs: 0 },
    });
  });

  it('come page by page, of one agent, and by label', async () => {
    const first = await listed('limit=4');
    expect(namesOf(first.items)).toEqual(['a1 GPU-a', 'a1 GPU-b', 'a2 GPU-c', 'a4 7']);
    expect(namesOf((await listed(`limit=4&cursor=${first.cursor}`)).items)).toEqual([
      'a5 GPU-old',
      'a6 GPU-old',
    ]);
    expect(namesOf((await listed('agent=a2')).items)).toEqual(['a2 GPU-c']);
    expect(namesOf((await listed('label=site:nord')).items)).toEqual(['a2 GPU-c']);
    expect((await get('/api/v1/gpus?label=:')).status).toBe(400);
  });
});

describe('telemetry of a GPU', () => {
  const at = (second: number) => new Date(T0 + second * 1000).toISOString();

  it('has its own values by metric, of its own time, oldest first', async () => {
    const answer = await get(`/api/v1/gpus/GPU-a/telemetry?start_time=${at(2)}&end_time=${at(4)}`);
    expect(pageSchema.parse(answer.json())).toEqual({
      ...{ gpu: 'GPU-a', agent: 'a1', cursor: null },
      items: [2, 3].map((second) => ({
        ...{ ts: T0 + second * 1000, arrivalTs: 0, source: 'gpu' },
        values: { 'hw.gpu.utilization': second, 'hw.gpu.clock{clock=sm}': 5 },
      })),
    });
  });

  it('is all there is without times, page by page, each sample once', async () => {
    const found: number[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor === '' ? 'limit=3' : `limit=3&cursor=${cursor}`;
      const page: z.infer<typeof pageSchema> = pageSchema.parse(
        (await get(`/api/v1/gpus/GPU-b/telemetry?${query}`)).json(),
      );
      expect(page.items.length).toBeLessThanOrEqual(3);
      found.push(...page.items.map(({ values }) => Number(values['hw.gpu.utilization'])));
      cursor = page.cursor;
    }
    expect(found).toEqual(Array.from({ length: 10 }, (_, second) => 100 + second));
  });

  it('takes an index where that names one alone, else lists the candidates', async () => {
    expect(pageSchema.parse((await get('/api/v1/gpus/1/telemetry')).json()).gpu).toBe('GPU-b');
    expect(pageSchema.parse((await get('/api/v1/gpus/7/telemetry')).json())).toMatchObject({
      ...{ gpu: '7', agent: 'a4' },
      items: [{ values: { DCGM_FI_DEV_GPU_UTIL: 9 } }],
    });
    const several = await get('/api/v1/gpus/0/telemetry');
    expect(several.status).toBe(409);
    expect(several.problem()).toMatchObject({
      type: 'urn:holdfast:problem:ambiguous',
      detail: '"0" names 2 GPUs: take the uuid of one, or say which agent measures it, with `agent`',
      candidates: [
        { gpu: 'GPU-a', agent: 'a1', index: '0', host: 'h1' },
        { gpu: 'GPU-c', agent: 'a2', index: '0', host: 'h1' },
      ],
    });
    const own = await get('/api/v1/gpus/0/telemetry?agent=a2');
    expect(pageSchema.parse(own.json()).gpu).toBe('GPU-c');
  });

  it('of one that several agents measure asks which', async () => {
    const several = await get('/api/v1/gpus/GPU-old/telemetry');
    expect(several.status).toBe(409);
    expect(several.problem().candidates?.map(({ agent }) => agent)).toEqual(['a5', 'a6']);
    const one = await get('/api/v1/gpus/GPU-old/telemetry?agent=a6');
    expect(pageSchema.parse(one.json()).items[0]?.values).toEqual({ DCGM_FI_DEV_GPU_UTIL: 8 });
  });

  it.each([
    ['/api/v1/gpus/GPU-x/telemetry', 404, 'HQ knows no GPU "GPU-x"'],
    ['/api/v1/gpus/GPU-a/telemetry?agent=a2', 404, 'of agent "a2"'],
    ['/api/v1/gpus/GPU-a/telemetry?start_time=tomorrow', 400, 'start_time: must be an RFC 3339 time'],
    ['/api/v1/gpus/GPU-a/telemetry?start_time=5&end_time=5', 400, 'must be before `end_time`'],
    ['/api/v1/gpus/GPU-a/telemetry?limit=10001', 400, 'limit'],
  ])('%s is %i', async (url, status, detail) => {
    const answer = await get(url);
    expect(answer.status).toBe(status);
    expect(answer.problem().detail).toContain(detail);
  });
});

describe('the gateway of GPUs', () => {
  const origin = 'https://board.example';

  it('answers pages of the origins that are allowed, with the token', async () => {
    const { app } = await createTestGateway({
      settings: { operatorToken: 'secret-token', corsOrigins: [origin] },
    });
    for (const url of ['/api/v1/gpus', '/api/v1/gpus/GPU-a/telemetry']) {
      const asked = { origin, 'access-control-request-method': 'GET' };
      const preflight = await app.inject({ method: 'OPTIONS', url, headers: asked });
      expect(preflight.headers['access-control-allow-origin']).toBe(origin);
      const allowed = await ask(app, url, { headers: { origin, authorization: 'Bearer secret-token' } });
      expect([200, 404]).toContain(allowed.status);
      expect(allowed.headers['access-control-allow-origin']).toBe(origin);
      expect((await ask(app, url, { headers: { origin } })).status).toBe(401);
      const other = await ask(app, url, {
        headers: { origin: 'https://evil.example', authorization: 'Bearer secret-token' },
      });
      expect(other.headers['access-control-allow-origin']).toBeUndefined();
    }
    await app.close();
  });

  it('bounds how often one address asks', async () => {
    const { app } = await createTestGateway({ settings: { limits: { requestsPerMinute: 2 } } });
    const statuses = [];
    for (let index = 0; index < 3; index += 1) statuses.push((await ask(app, '/api/v1/gpus')).status);
    expect(statuses).toEqual([200, 200, 429]);
    await app.close();
  });
});
