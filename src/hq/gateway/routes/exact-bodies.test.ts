import { describe, expect, it } from 'vitest';
import { ask, NDJSON, post } from '../testing/http.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const record = () => ({ agent: 'pump-7', timestamp: '2026-01-31T12:00:00Z', metrics: { pressure: 3.2 } });

describe('other bodies', () => {
  it.each([
    ['{"mode":9007199254740993}', 'mode'],
    ['{"mode":"off","mode":"down"}', 'mode'],
  ])('such as %s are refused the same way', async (body, field) => {
    const { app } = await createTestGateway({ chaos: 'off' });
    const answer = await ask(app, '/api/v1/chaos', { method: 'PUT', body });
    expect([answer.status, answer.fields()]).toEqual([422, [field]]);
  });
});

describe('POST /telemetry with what JSON would lose', () => {
  it.each([
    ['{"agent":"a","timestamp":1,"metrics":{"a":1,"a":2}}', 'metrics.a'],
    ['{"agent":"a","timestamp":1,"metrics":{"a":1,"\\u0061":1}}', 'metrics.a'],
    ['{"agent":"a","timestamp":1,"timestamp":2,"metrics":{"a":1}}', 'timestamp'],
    ['{"agent":"a","timestamp":1,"metrics":{"a":{"value":1,"value":2}}}', 'metrics.a.value'],
    ['{"agent":"a","timestamp":1,"attributes":{"x":"1","x":"2"},"metrics":{"a":1}}', 'attributes.x'],
    ['{"agent":"a","timestamp":1,"ts":1,"metrics":{"a":1}}', 'ts'],
    ['{"agent":"a","node_id":"b","timestamp":1,"metrics":{"a":1}}', 'node_id'],
    ['{"agent":"a","timestamp":1,"metrics":{"a":1},"values":{"b":1}}', 'values'],
  ])('names what stands twice in %s', async (text, field) => {
    const { app, store } = await createTestGateway();
    const fine = JSON.stringify(record());
    const bodies = [
      [text, field, {}],
      [`[${fine},${text}]`, `[1].${field}`, {}],
      [`${fine}\n\n${text}\n`, `[1].${field}`, NDJSON],
    ] as const;
    for (const [body, named, headers] of bodies) {
      const answer = await post(app, '/telemetry', body, headers);
      expect([answer.status, answer.fields()]).toEqual([422, [named]]);
      expect(answer.problem().detail).toContain(named);
    }
    expect(store.appended).toEqual([]);
  });

  it.each([
    '9007199254740993.0',
    '9007199254740993e0',
    '9.007199254740993e15',
    '90071992547409930e-1',
    '1e400',
  ])('names the field with %s, which would be rounded', async (number) => {
    const { app } = await createTestGateway();
    const text = `{"agent":"a","timestamp":1,"metrics":{"x":${number}}}`;
    const answer = await post(app, '/telemetry', text);
    expect([answer.status, answer.fields()]).toEqual([422, ['metrics.x']]);
    expect(answer.problem().detail).toContain('2^53');
  });
});
