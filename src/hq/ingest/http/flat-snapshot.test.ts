import { beforeAll, describe, expect, it } from 'vitest';
import { seriesKey } from '../../../protocol/series-key.ts';
import { post } from '../../gateway/testing/http.ts';
import { createTestGateway } from '../../gateway/testing/test-gateway.ts';

const URL = '/api/telemetry/snapshot';
const SNAPSHOT = {
  node_id: 'edge-1',
  timestamp: '2026-01-31T12:00:00Z',
  cpu_percent: 12.3,
  memory_percent: 61.7,
  memory_used_mb: 4936,
  memory_total_mb: 8000,
  disk_percent: 70,
  disk_used_gb: 35.5,
  disk_total_gb: 50,
  network_rx_bytes: 123_456,
  network_tx_bytes: 654_321,
  network_rx_rate_mbps: 1.25,
  network_tx_rate_mbps: 0.07,
  uptime_seconds: 86_400,
  process_count: 213,
  active_connections: 17,
  load_avg_1m: 0.52,
  load_avg_5m: 0.44,
  load_avg_15m: 0.4,
};

let gateway: Awaited<ReturnType<typeof createTestGateway>>;
beforeAll(async () => {
  gateway = await createTestGateway();
});
const send = (change: Record<string, unknown> = {}) => post(gateway.app, URL, { ...SNAPSHOT, ...change });

describe('a flat snapshot', () => {
  it('is stored as OpenTelemetry series in base units', async () => {
    const answer = await send();
    expect(answer.status).toBe(202);
    expect(answer.json()).toEqual({ accepted: 1, duplicate: false });
    const { agent, sample } = gateway.store.appended.at(-1) ?? expect.fail('nothing was stored');
    expect(agent).toBe('edge-1');
    expect(sample.ts).toBe(Date.UTC(2026, 0, 31, 12));
    expect(sample.schema.source).toBe('snapshot');
    const stored = sample.schema.series.map((series, at) => [
      seriesKey(series),
      sample.values[at],
      series.unit,
    ]);
    expect(stored).toEqual([
      ['system.cpu.utilization', 0.123, '1'],
      ['system.memory.utilization', 0.617, '1'],
      ['system.memory.usage{state=used}', 4936 * 1024 ** 2, 'By'],
      ['system.memory.limit', 8000 * 1024 ** 2, 'By'],
      ['system.filesystem.utilization', 0.7, '1'],
      ['system.filesystem.usage{state=used}', 35.5 * 1024 ** 3, 'By'],
      ['system.filesystem.limit', 50 * 1024 ** 3, 'By'],
      ['system.network.io{direction=receive}', 123_456, 'By'],
      ['system.network.io{direction=transmit}', 654_321, 'By'],
      ['system.network.io.rate{direction=receive}', 1_250_000, 'bit/s'],
      ['system.network.io.rate{direction=transmit}', 70_000, 'bit/s'],
      ['system.uptime', 86_400, 's'],
      ['system.processes.count', 213, '{process}'],
      ['system.network.connections', 17, '{connection}'],
      ['system.cpu.load_average.1m', 0.52, '{thread}'],
      ['system.cpu.load_average.5m', 0.44, '{thread}'],
      ['system.cpu.load_average.15m', 0.4, '{thread}'],
    ]);
  });

  it('may lack metrics, and carry fields that HQ does not know', async () => {
    const { node_id, timestamp, cpu_percent } = SNAPSHOT;
    const body = { node_id, timestamp, cpu_percent, load_avg_1m: null, something_else: [1, 2] };
    expect((await post(gateway.app, URL, body)).status).toBe(202);
    const { sample } = gateway.store.appended.at(-1) ?? expect.fail('nothing was stored');
    expect(sample.values.filter((value) => value !== null)).toEqual([0.123]);
  });

  it('has the same schema whatever it lacks, so that gaps make no new series', () => {
    const refs = new Set(gateway.store.appended.map(({ sample }) => sample.schema.ref));
    expect(refs.size).toBe(1);
  });
});

describe('a flat snapshot with odd values', () => {
  it.each([
    ['node_id', undefined],
    ['node_id', ''],
    ['node_id', 'a/b'],
    ['node_id', '../etc'],
    ['node_id', 'a'.repeat(65)],
    ['node_id', 7],
    ['timestamp', undefined],
    ['timestamp', null],
    ['timestamp', 'yesterday'],
    ['timestamp', '2026-02-30T00:00:00Z'],
    ['timestamp', 1e17],
    ['timestamp', true],
    ['cpu_percent', -0.1],
    ['cpu_percent', 100.1],
    ['cpu_percent', '12'],
    ['cpu_percent', {}],
    ['memory_percent', 1000],
    ['disk_percent', -1],
    ['memory_used_mb', -1],
    ['disk_total_gb', -1],
    ['disk_total_gb', 1e308],
    ['network_tx_rate_mbps', 1e308],
    ['network_rx_bytes', -1],
    ['network_tx_rate_mbps', -0.5],
    ['uptime_seconds', -1],
    ['process_count', -1],
    ['process_count', 1.5],
    ['active_connections', -3],
    ['load_avg_15m', -0.1],
    ['load_avg_1m', 'NaN'],
  ])('with %s = %o is refused, and the field is named', async (field, value) => {
    const before = gateway.store.appended.length;
    const answer = await send({ [field]: value });
    expect(answer.status).toBe(422);
    expect(answer.fields()).toEqual([field]);
    expect(answer.problem().detail).toContain(field);
    expect(gateway.store.appended).toHaveLength(before);
  });

  it('that says nothing is refused', async () => {
    const { node_id, timestamp } = SNAPSHOT;
    expect((await post(gateway.app, URL, { node_id, timestamp, cpu_percent: null })).status).toBe(422);
  });

  it('names every field that is wrong', async () => {
    const answer = await send({ cpu_percent: -1, process_count: 'many' });
    expect(answer.fields().sort()).toEqual(['cpu_percent', 'process_count']);
  });

  it.each([
    ['{', 400],
    ['', 400],
    ['{"node_id":"a","__proto__":{"x":1}}', 400],
    ['\u0000', 400],
    ['[]', 422],
    ['null', 422],
    ['"text"', 422],
    ['5', 422],
  ])('sent as %s gives %i', async (body, status) => {
    const answer = await post(gateway.app, URL, body);
    expect(answer.status).toBe(status);
    expect(answer.problem().instance).toBe(URL);
  });
});
