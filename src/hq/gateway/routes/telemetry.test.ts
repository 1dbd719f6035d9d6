import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seriesKey } from '../../../protocol/series-key.ts';
import { StorageError } from '../../../storage/storage.ts';
import { NDJSON, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const TS = '2026-01-31T12:00:00Z';
const record = (over: Record<string, unknown> = {}) => ({
  agent: 'pump-7',
  timestamp: TS,
  metrics: { pressure: 3.2 },
  ...over,
});

describe('POST /telemetry', () => {
  it('takes one record', async () => {
    const { app, store } = await createTestGateway();
    const answer = await post(app, '/telemetry', record({ source: 'plc' }));
    expect([answer.status, answer.json()]).toEqual([202, { accepted: 1, duplicate: false }]);
    expect(store.appended).toMatchObject([
      {
        agent: 'pump-7',
        sample: { ts: Date.UTC(2026, 0, 31, 12), values: [3.2], schema: { source: 'plc' } },
      },
    ]);
  });

  it('takes an array of records of several agents', async () => {
    const { app, store } = await createTestGateway();
    const answer = await post(app, '/telemetry', [
      record(),
      record({ agent: 'pump-8' }),
      record({ timestamp: 1_700_000_000 }),
    ]);
    expect(answer.json()).toEqual({ accepted: 3, duplicate: false });
    expect(store.appended.map(({ agent }) => agent).sort()).toEqual(['pump-7', 'pump-7', 'pump-8']);
  });

  it('takes NDJSON, with blank lines and without a final newline', async () => {
    const { app, store } = await createTestGateway();
    const lines = [record(), record({ agent: 'pump-8' })].map((one) => JSON.stringify(one));
    const answer = await post(app, '/telemetry', `${lines.join('\r\n\n')}`, NDJSON);
    expect([answer.status, answer.json()]).toEqual([202, { accepted: 2, duplicate: false }]);
    expect(store.appended).toHaveLength(2);
  });

  it('understands node_id, ts and values as other names', async () => {
    const { app, store } = await createTestGateway();
    expect(
      (await post(app, '/telemetry', { node_id: 'a', ts: 1_700_000_000_000, values: { x: 1 } })).status,
    ).toBe(202);
    expect(store.appended).toMatchObject([{ agent: 'a', sample: { ts: 1_700_000_000_000, values: [1] } }]);
  });

  it('takes units, attributes and special numbers, in either form of metrics', async () => {
    const { app, store } = await createTestGateway();
    const asObject = {
      temperature: { value: 21.5, unit: 'Cel', attributes: { room: 'b' } },
      level: 'NaN',
      flow: null,
    };
    const asList = [
      { name: 'temperature', value: 21.5, unit: 'Cel', attributes: { room: 'b' } },
      { name: 'level', value: 'NaN' },
      { name: 'flow', value: null },
    ];
    for (const [index, metrics] of [asObject, asList].entries()) {
      const body = record({ timestamp: 1_700_000_000 + index, attributes: { site: 'x' }, metrics });
      expect((await post(app, '/telemetry', body)).status).toBe(202);
    }
    const seen = store.appended.map(({ sample }) =>
      sample.schema.series.map((series, at) => [seriesKey(series), series.unit, sample.values[at]]),
    );
    expect(seen[0]).toEqual([
      ['flow{site=x}', '', null],
      ['level{site=x}', '', Number.NaN],
      ['temperature{room=b,site=x}', 'Cel', 21.5],
    ]);
    expect(seen[1]).toEqual(seen[0]);
  });

  it('takes compressed bodies', async () => {
    const { app, store } = await createTestGateway();
    const text = JSON.stringify(record());
    expect((await post(app, '/telemetry', gzipSync(text), { 'content-encoding': 'gzip' })).status).toBe(202);
    const other = JSON.stringify(record({ agent: 'other' }));
    expect(
      (await post(app, '/telemetry', zstdCompressSync(other), { 'content-encoding': 'zstd' })).status,
    ).toBe(202);
    expect(store.appended).toHaveLength(2);
  });
});

describe('POST /telemetry with a record that is wrong', () => {
  it.each([
    [{ agent: undefined }, 'agent'],
    [{ agent: 'a b' }, 'agent'],
    [{ agent: '__proto__' }, 'agent'],
    [{ timestamp: undefined }, 'timestamp'],
    [{ timestamp: 'now' }, 'timestamp'],
    [{ source: 'a\u0007b' }, 'source'],
    [{ source: '' }, 'source'],
    [{ source: 5 }, 'source'],
    [{ metrics: undefined }, 'metrics'],
    [{ metrics: {} }, 'metrics'],
    [{ metrics: [] }, 'metrics'],
    [{ metrics: 5 }, 'metrics'],
    [{ metrics: { x: '1' } }, 'metrics.x'],
    [{ metrics: { x: true } }, 'metrics.x'],
    [{ metrics: { x: { value: '1' } } }, 'metrics.x.value'],
    [{ metrics: { x: { value: 1, unit: 'u'.repeat(33) } } }, 'metrics.x.unit'],
    [{ metrics: { x: { value: 1, attributes: { a: 'b\n' } } } }, 'metrics.x.attributes.a'],
    [{ metrics: { x: 9_007_199_254_740_993n } }, 'metrics.x'],
    [{ metrics: { x: { value: -18_446_744_073_709_551_615n } } }, 'metrics.x.value'],
    [{ metrics: [{ name: 'x', value: 9_007_199_254_740_993n }] }, 'metrics[0].value'],
    [{ metrics: { 'a\ud800': 1 } }, 'metrics.a\ufffd'],
    [{ timestamp: 9_007_199_254_740_993n }, 'timestamp'],
    [{ timestamp: Date.now() + 90_000_000 }, 'timestamp'],
    [{ timestamp: Date.now() * 1000 }, 'timestamp'],
    [{ metrics: { x: { value: 1, attributes: { a: 5 } } } }, 'metrics.x.attributes.a'],
    [
      {
        metrics: [
          { name: 'x', value: 1 },
          { name: 'x', value: 2 },
        ],
      },
      'metrics',
    ],
    [{ metrics: [{ value: 1 }] }, 'metrics[0].name'],
    [{ attributes: { 'a\u0000b': 'c' } }, 'attributes.a\\x00b'],
    [{ attributes: 'x' }, 'attributes'],
  ])('refuses %o and names the field', async (change, field) => {
    const { app, store } = await createTestGateway();
    const one = await post(app, '/telemetry', record(change));
    expect([one.status, one.fields()]).toEqual([422, [field]]);
    const second = await post(app, '/telemetry', [record(), record(change)]);
    expect([second.status, second.fields()]).toEqual([422, [`[1].${field}`]]);
    expect(store.appended).toEqual([]);
  });

  it('takes names and values of any characters, each series apart', async () => {
    const { app, store } = await createTestGateway();
    const metrics = [
      { name: 'col', value: 1, attributes: { a: '1,b=2' } },
      { name: 'col', value: 2, attributes: { a: '1', b: '2' } },
      { name: 'col{a=1,b=2}', value: 3 },
      { name: 'Füllstand (%)', value: '-0' },
    ];
    expect((await post(app, '/telemetry', record({ source: 'Anlage 1', metrics }))).status).toBe(202);
    const [{ sample }] = store.appended as [(typeof store.appended)[number]];
    const keys = new Map(sample.schema.series.map((one, index) => [seriesKey(one), sample.values[index]]));
    expect([...keys.values()].toSorted()).toEqual([-0, 1, 2, 3]);
  });

  it('ignores integers beyond what a number holds where nobody reads them', async () => {
    const { app } = await createTestGateway();
    const id = 18_446_744_073_709_551_615n;
    expect((await post(app, '/telemetry', record({ id, metrics: { x: 2 ** 53 } }))).status).toBe(202);
  });

  it('refuses a time beyond the allowance that is set, and says which time would be taken', async () => {
    const { app } = await createTestGateway({ settings: { limits: { maxClockAheadMs: 5_000 } } });
    const in10s = Date.now() + 10_000;
    const answer = await post(app, '/telemetry', { node_id: 'a', ts: in10s, values: { x: 1 } });
    expect([answer.status, answer.fields()]).toEqual([422, ['ts']]);
    expect(answer.problem().detail).toContain("ahead of HQ's clock");
    const flat = { node_id: 'a', timestamp: in10s, cpu_percent: 1 };
    const snapshot = await post(app, '/api/telemetry/snapshot', flat);
    expect([snapshot.status, snapshot.fields()]).toEqual([422, ['timestamp']]);
  });

  it('names the field of a flat snapshot whose integer no number holds', async () => {
    const { app } = await createTestGateway();
    const flat = { node_id: 'a', timestamp: TS, network_rx_bytes: 9_007_199_254_740_993n };
    const answer = await post(app, '/api/telemetry/snapshot', flat);
    expect([answer.status, answer.fields()]).toEqual([422, ['network_rx_bytes']]);
    expect(answer.problem().detail).toContain('2^53');
  });

  it('names the line of NDJSON that is no JSON', async () => {
    const { app } = await createTestGateway();
    const answer = await post(app, '/telemetry', `${JSON.stringify(record())}\n\n{"agent"`, NDJSON);
    expect([answer.status, answer.fields()]).toEqual([400, ['line 3']]);
  });
});

describe('POST /telemetry with any body', () => {
  it.each([
    ['text/plain', 'x', {}, 415],
    ['application/json', '\ud800', {}, 400],
    ['application/json', Buffer.from([0x22, 0xff, 0x22]), {}, 400],
    ['application/json', '[]', {}, 422],
    ['application/x-ndjson', '\n\n', {}, 422],
    ['application/json', '{}', { 'content-encoding': 'compress' }, 415],
    ['application/json', '{}', { 'content-encoding': 'constructor' }, 415],
    ['application/json', 'not gzip', { 'content-encoding': 'gzip' }, 400],
    ['application/json', '{}', { 'idempotency-key': 'k'.repeat(256) }, 400],
    ['application/json', '{"a":{"__proto__":1}}', {}, 400],
  ])('answers a body of %s %s with %o: %i', async (type, body, headers, status) => {
    const { app, store } = await createTestGateway();
    const answer = await post(app, '/telemetry', body, { 'content-type': type, ...headers });
    expect(answer.status).toBe(status);
    expect(answer.problem().detail).not.toBe('');
    expect(store.appended).toEqual([]);
  });

  it('never fails of its own on any JSON', async () => {
    const { app, chaos } = await createTestGateway();
    const json = fc.jsonValue({ maxDepth: 4 });
    const loose = fc.record(
      {
        agent: fc.oneof(fc.constant('a'), json),
        timestamp: fc.oneof(fc.constant(TS), json),
        metrics: fc.oneof(fc.dictionary(fc.string(), json), json),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(json, loose, fc.array(loose)), async (body) => {
        for (const url of ['/telemetry', '/api/telemetry/snapshot']) {
          const answer = await post(app, url, JSON.stringify(body));
          expect([202, 400, 422]).toContain(answer.status);
          if (answer.status !== 202) answer.problem();
        }
      }),
      { numRuns: 300 },
    );
    chaos.stop();
  });
});

describe('a delivery that is repeated', () => {
  it('is stored once when its content is the same', async () => {
    const { app, store } = await createTestGateway();
    await post(app, '/telemetry', record());
    const again = await post(app, '/telemetry', record());
    expect([again.status, again.json()]).toEqual([202, { accepted: 0, duplicate: true }]);
    expect(store.appended).toHaveLength(1);
  });

  it('is recognised in another compression', async () => {
    const { app } = await createTestGateway();
    await post(app, '/telemetry', record());
    const again = await post(app, '/telemetry', gzipSync(JSON.stringify(record())), {
      'content-encoding': 'gzip',
    });
    expect(again.json()).toEqual({ accepted: 0, duplicate: true });
  });

  it('is stored once under one idempotency key, and twice under two', async () => {
    const { app, store } = await createTestGateway();
    const send = (key: string) => post(app, '/telemetry', record(), { 'idempotency-key': key });
    expect((await send('one')).json()).toEqual({ accepted: 1, duplicate: false });
    expect((await send('one')).json()).toEqual({ accepted: 0, duplicate: true });
    expect((await send('two')).json()).toEqual({ accepted: 1, duplicate: false });
    expect(store.appended).toHaveLength(2);
  });

  it('is refused as a whole when its key was used for other content', async () => {
    const { app, store } = await createTestGateway();
    const headers = { 'idempotency-key': 'one' };
    await post(app, '/telemetry', record(), headers);
    const changed = [record({ agent: 'pump-8' }), record({ metrics: { pressure: 9 } })];
    const answer = await post(app, '/telemetry', changed, headers);
    expect([answer.status, answer.problem().type]).toEqual([
      422,
      'urn:holdfast:problem:idempotency_key_reused',
    ]);
    expect(answer.problem().detail).toContain('this key was used for other content');
    expect(answer.fields()).toEqual(['idempotency-key']);
    expect(store.appended).toHaveLength(1);
  });

  it('is another one at another agent', async () => {
    const { app } = await createTestGateway();
    const headers = { 'idempotency-key': 'same' };
    await post(app, '/telemetry', record(), headers);
    const other = await post(app, '/telemetry', record({ agent: 'pump-8' }), headers);
    expect(other.json()).toEqual({ accepted: 1, duplicate: false });
  });
});

describe('limits of a delivery', () => {
  it('refuses a body that is too large, as sent and when inflated', async () => {
    const { app, store } = await createTestGateway({ settings: { limits: { bodyBytes: 2048 } } });
    const large = JSON.stringify(record({ padding: 'x'.repeat(4096) }));
    const plain = await post(app, '/telemetry', large);
    expect([plain.status, plain.problem().type]).toEqual([413, 'urn:holdfast:problem:too_large']);
    expect(plain.problem().detail).toContain('2048 bytes');
    const bomb = gzipSync(JSON.stringify(record({ padding: 'x'.repeat(1_000_000) })));
    expect(bomb.length).toBeLessThan(2048);
    expect((await post(app, '/telemetry', bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
    expect(store.appended).toEqual([]);
  });

  it('refuses too many records', async () => {
    const { app } = await createTestGateway({ settings: { limits: { recordsPerRequest: 2 } } });
    expect((await post(app, '/telemetry', [record(), record({ agent: 'b' })])).status).toBe(202);
    expect((await post(app, '/telemetry', [record(), record(), record()])).status).toBe(413);
  });

  it('refuses an agent that brings too many series', async () => {
    const { app, store } = await createTestGateway({ settings: { limits: { maxSeries: 3 } } });
    expect((await post(app, '/telemetry', record({ metrics: { a: 1, b: 2 } }))).status).toBe(202);
    expect((await post(app, '/telemetry', record({ metrics: { b: 2, c: 3 } }))).status).toBe(202);
    const answer = await post(app, '/telemetry', record({ metrics: { d: 4 } }));
    expect([answer.status, answer.problem().type]).toEqual([422, 'urn:holdfast:problem:too_many_series']);
    const twin = record({ source: 'twin', metrics: { a: 1 } });
    expect((await post(app, '/telemetry', twin)).status, 'one of a known name, by another source').toBe(422);
    expect((await post(app, '/telemetry', record({ agent: 'other', metrics: { d: 4 } }))).status).toBe(202);
    expect(store.appended).toHaveLength(3);
  });

  it('refuses an agent that brings too many schemas, and says which bound it is', async () => {
    const { app, store } = await createTestGateway({ settings: { limits: { maxSchemas: 16 } } });
    const inUnit = (unit: number) => record({ metrics: { x: { value: 42, unit: `u${unit}` } } });
    for (let unit = 0; unit < 16; unit += 1)
      expect((await post(app, '/telemetry', inUnit(unit))).status).toBe(202);
    const answer = await post(app, '/telemetry', inUnit(16));
    expect([answer.status, answer.problem().type]).toEqual([422, 'urn:holdfast:problem:too_many_schemas']);
    expect(answer.problem().detail).toContain('limits.maxSchemas');
    expect((await post(app, '/telemetry', { ...inUnit(3), timestamp: 7 })).status, 'one that it has').toBe(
      202,
    );
    expect(store.appended).toHaveLength(17);
  });

  it('refuses more agents than HQ may know', async () => {
    const { app } = await createTestGateway({ settings: { limits: { maxAgents: 2 } } });
    for (const agent of ['a', 'b'])
      expect((await post(app, '/telemetry', record({ agent }))).status).toBe(202);
    expect((await post(app, '/telemetry', record({ agent: 'c' }))).problem().type).toBe(
      'urn:holdfast:problem:too_many_agents',
    );
    expect((await post(app, '/telemetry', record({ agent: 'a', timestamp: 5 }))).status).toBe(202);
  });

  it('refuses an address that asks too often, and says when to come back', async () => {
    const { app } = await createTestGateway({ settings: { limits: { requestsPerMinute: 3 } } });
    for (let n = 0; n < 3; n += 1) expect((await post(app, '/telemetry', record())).status).toBe(202);
    const answer = await post(app, '/telemetry', record());
    expect([answer.status, answer.problem().type]).toEqual([429, 'urn:holdfast:problem:rate_limited']);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect((await app.inject('/healthz')).statusCode).toBe(200);
  });
});

describe('a delivery that HQ cannot take', () => {
  it('is answered 503 with Retry-After when the storage fails', async () => {
    const { app, store } = await createTestGateway();
    store.fault = new StorageError('full', 'no space left on device');
    const answer = await post(app, '/telemetry', record());
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
    expect(answer.body).not.toContain('no space left');
    store.fault = null;
    expect((await post(app, '/telemetry', record())).status).toBe(202);
  });

  it('is answered 500 without inner details when HQ is at fault', async () => {
    const { app, store } = await createTestGateway();
    store.fault = new TypeError('cannot read secrets of undefined');
    const answer = await post(app, '/telemetry', record());
    expect([answer.status, answer.problem().type]).toEqual([500, 'urn:holdfast:problem:internal']);
    expect(answer.body).not.toContain('secrets');
  });

  it('is answered 503 with Retry-After while chaos is down, and taken again after it', async () => {
    const { app, store, chaos } = await createTestGateway({ chaos: 'down' });
    for (const url of ['/telemetry', '/api/telemetry/snapshot']) {
      const answer = await post(app, url, record());
      expect([answer.status, Number(answer.headers['retry-after']) > 0]).toEqual([503, true]);
    }
    expect(store.appended).toEqual([]);
    chaos.setMode('off');
    expect((await post(app, '/telemetry', record())).status).toBe(202);
  });

  it('is answered now 202, now 503 while chaos is lossy', async () => {
    const { app, chaos } = await createTestGateway({ chaos: 'lossy' });
    const seen = new Set<number>();
    for (let n = 0; n < 60; n += 1)
      seen.add((await post(app, '/telemetry', record({ timestamp: n }))).status);
    expect(seen).toEqual(new Set([202, 503]));
    chaos.stop();
  });

  it('is answered late while chaos is slow', async () => {
    const { app, clock, chaos } = await createTestGateway({ chaos: 'slow' });
    const start = clock.precise();
    expect((await post(app, '/telemetry', record())).status).toBe(202);
    expect(clock.precise() - start).toBeGreaterThan(290);
    chaos.stop();
  });
});
