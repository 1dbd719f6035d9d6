/** Records of every version, their ids, and what has expired. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seriesKey } from '../../../protocol/series-key.ts';
import { ask, NDJSON, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const OTHER_ID = '01ARZ3NDEKTSV4RRFFQ69G5FAW';

let gateway: Awaited<ReturnType<typeof createTestGateway>>;
beforeEach(async () => {
  gateway = await createTestGateway();
});
afterEach(() => gateway.app.close());
const send = (body: unknown, headers = {}) => post(gateway.app, '/telemetry', body, headers);
const stored = () =>
  gateway.store.appended.map(({ agent, sample }) => ({
    agent,
    ts: sample.ts,
    values: Object.fromEntries(
      sample.schema.series.map((one, index) => [seriesKey(one), sample.values[index]]),
    ),
  }));

describe('versions of records', () => {
  it.each([
    ['none', { agent: 'a1', timestamp: T0, metrics: { x: 1, y: null } }],
    ['v1', { schemaVersion: 'v1', agent: 'a1', timestamp: T0, metrics: { x: 1, y: null } }],
    ['v1beta1', { schemaVersion: 'v1beta1', node_id: 'a1', timestamp: T0 / 1000, x: 1, y: null }],
    ['v1beta2', { schemaVersion: 'v1beta2', agent: 'a1', ts: T0, values: { x: 1, y: null } }],
    [
      'v1beta2, RFC 3339',
      { schemaVersion: 'v1beta2', agent: 'a1', ts: '2026-01-31T12:00:00Z', values: { x: 1, y: null } },
    ],
  ])('%s: all become the same sample', async (_, record) => {
    expect((await send(record)).status).toBe(202);
    expect(stored()).toEqual([{ agent: 'a1', ts: T0, values: { x: 1, y: null } }]);
  });

  it('may stand side by side, in NDJSON too', async () => {
    const lines = [
      { schemaVersion: 'v1beta1', node_id: 'a1', timestamp: 1.5, x: 1 },
      { schemaVersion: 'v1beta2', agent: 'a1', ts: 2500, values: { x: 2 } },
      { agent: 'a1', timestamp: 3.5, metrics: { x: 3 } },
    ];
    const answer = await send(lines.map((one) => JSON.stringify(one)).join('\n'), NDJSON);
    expect(answer.json()).toEqual({ accepted: 3, duplicate: false });
    expect(stored().map(({ ts }) => ts)).toEqual([1500, 2500, 3500]);
  });

  it.each([
    [{ schemaVersion: 'v2' }, 'schemaVersion', '"v2" is no version that HQ takes: v1beta1, v1beta2, v1'],
    [{ schemaVersion: 1 }, 'schemaVersion', 'v1beta1, v1beta2, v1'],
    [{ schemaVersion: 'toString' }, 'schemaVersion', 'v1beta1, v1beta2, v1'],
    [{ schemaVersion: 'v1beta1', timestamp: 1, x: 1 }, 'node_id', ''],
    [{ schemaVersion: 'v1beta1', node_id: 'a b', timestamp: 1, x: 1 }, 'node_id', 'must be letters'],
    [
      { schemaVersion: 'v1beta1', node_id: 'a1', timestamp: '2026-01-31T12:00:00Z', x: 1 },
      'timestamp',
      'seconds',
    ],
    [{ schemaVersion: 'v1beta1', node_id: 'a1', timestamp: 1e30, x: 1 }, 'timestamp', 'seconds'],
    [{ schemaVersion: 'v1beta1', node_id: 'a1', timestamp: 1, x: 'much' }, 'x', 'must be a number'],
    [{ schemaVersion: 'v1beta1', node_id: 'a1', timestamp: 1, x: { value: 1 } }, 'x', 'top level'],
    [{ schemaVersion: 'v1beta1', node_id: 'a1', timestamp: 1 }, 'metrics', 'at least one metric'],
    [{ schemaVersion: 'v1beta1', node_id: 'a1', timestamp: T0, x: 1 }, 'timestamp', 'not of ms'],
    [{ schemaVersion: 'v1beta2', agent: 'a1', ts: 'soon', values: { x: 1 } }, 'ts', 'RFC 3339'],
    [{ schemaVersion: 'v1beta2', agent: 'a1', ts: 1, values: [1] }, 'values', '{name: number}'],
    [{ schemaVersion: 'v1beta2', agent: 'a1', ts: 1, values: { x: { value: 1 } } }, 'values.x', 'no units'],
    [{ schemaVersion: 'v1beta2', agent: 'a1', ts: 1, values: { x: true } }, 'values.x', 'must be a number'],
    [{ schemaVersion: 'v1beta2', node_id: 'a1', ts: 1, values: { x: 1 } }, 'agent', ''],
    [
      { schemaVersion: 'v1', agent: 'a1', timestamp: 1, metrics: { x: 1 }, messageId: 'nine' },
      'messageId',
      'ULID',
    ],
    [{ schemaVersion: 'v1beta1', node_id: 'a1', timestamp: 1, x: 1, messageId: 5 }, 'messageId', 'ULID'],
    [{ agent: 'a1', timestamp: 1, metrics: { x: 1 }, expiresAt: 'soon' }, 'expiresAt', 'RFC 3339'],
  ])('%j is refused at the field that is wrong', async (record, field, message) => {
    const answer = await send(record);
    expect(answer.status).toBe(422);
    expect(answer.fields()[0]).toBe(field);
    expect(answer.problem().errors?.[0]?.message).toContain(message);
    expect(gateway.store.appended).toEqual([]);
  });

  it('are one for snapshots', async () => {
    const snapshot = { node_id: 'a1', timestamp: T0, cpu_percent: 5 };
    const of = (more: object) => post(gateway.app, '/api/telemetry/snapshot', { ...snapshot, ...more });
    expect((await of({ schemaVersion: 'v1', messageId: ID })).status).toBe(202);
    const answer = await of({ schemaVersion: 'v1beta1' });
    expect(answer.status).toBe(422);
    expect(answer.problem().errors?.[0]).toMatchObject({
      field: 'schemaVersion',
      message: expect.stringContaining('"v1beta1" is no version of a snapshot'),
    });
  });
});

describe('ids of messages', () => {
  const record = (messageId: string, x: number) => ({
    agent: 'a1',
    timestamp: T0,
    metrics: { x },
    messageId,
  });

  it('tell a repetition, in any order and in either case', async () => {
    expect((await send([record(ID, 1), record(OTHER_ID, 2)])).json()).toEqual({
      accepted: 2,
      duplicate: false,
    });
    expect((await send([record(ID, 1), record(OTHER_ID, 2)])).json()).toEqual({
      accepted: 0,
      duplicate: true,
    });
    expect(gateway.store.appended).toHaveLength(2);
  });

  it('must not stand for other content, nor twice in one delivery', async () => {
    await send(record(ID, 1));
    const other = await send(record(ID.toLowerCase(), 2));
    expect(other.status).toBe(422);
    expect(other.problem().type).toBe('urn:holdfast:problem:idempotency_key_reused');
    const twice = await send([record(OTHER_ID, 1), record(OTHER_ID, 2)]);
    expect(twice.fields()).toEqual(['[1].messageId']);
    expect(gateway.store.appended).toHaveLength(1);
  });

  it('count less than an Idempotency-Key', async () => {
    for (const key of ['k1', 'k2']) {
      const answer = await send(record(ID, 1), { 'idempotency-key': key });
      expect(answer.json()).toEqual({ accepted: 1, duplicate: false });
    }
  });
});

describe('what has expired', () => {
  it('is counted and not stored', async () => {
    const now = Date.now();
    const record = (agent: string, expiresAt: unknown) => ({
      agent,
      timestamp: T0,
      metrics: { x: 1 },
      expiresAt,
    });
    const answer = await send([
      record('late', now - 1000),
      record('fresh', new Date(now + 3_600_000).toISOString()),
    ]);
    expect(answer.json()).toEqual({ accepted: 1, duplicate: false, expired: 1 });
    expect(stored().map(({ agent }) => agent)).toEqual(['fresh']);
    expect((await send(record('late', 5))).json()).toEqual({ accepted: 0, duplicate: false, expired: 1 });
    const snapshot = { node_id: 'late', timestamp: T0, cpu_percent: 5, expiresAt: 5 };
    const third = await post(gateway.app, '/api/telemetry/snapshot', snapshot);
    expect(third.json()).toEqual({ accepted: 0, duplicate: false, expired: 1 });
    const metrics = (await ask(gateway.app, '/metrics')).body;
    expect(metrics).toContain('holdfast_http_expired_records_total{endpoint="/telemetry"} 2\n');
    expect(metrics).toContain('holdfast_http_expired_records_total{endpoint="/api/telemetry/snapshot"} 1\n');
    expect(stored().map(({ agent }) => agent)).toEqual(['fresh']);
  });

  it('is wrong all the same where it is wrong', async () => {
    const answer = await send({ agent: 'a1', timestamp: T0, metrics: {}, expiresAt: 5 });
    expect(answer.status).toBe(422);
  });
});
