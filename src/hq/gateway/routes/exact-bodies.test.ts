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

  it.each(['9007199254740993.0', '9007199254740993e0', '9.007199254740993e15', '90071992547409930e-1'])(
    'names the field with %s, which would be rounded',
    async (number) => {
      expect(await refusedNumber(number)).toContain('2^53');
    },
  );

  it.each([
    ['1e400', 'beyond 1.797e308'],
    ['-1e400', 'beyond 1.797e308'],
    ['1e-400', 'closer to 0'],
    ['4e-324', 'closer to 0'],
  ])('names the field with %s, of which there is no double: %s', async (number, words) => {
    expect(await refusedNumber(number)).toContain(words);
  });

  it('takes the numbers closest to 0 that there are', async () => {
    const { app, store } = await createTestGateway();
    const text = '{"agent":"a","timestamp":1,"metrics":{"x":5e-324,"y":0e-999}}';
    expect((await post(app, '/telemetry', text)).status).toBe(202);
    expect(store.appended[0]?.sample.values).toEqual([5e-324, 0]);
  });

  it.each([
    ['{"agent":"a","timestamp":1,"metrics":{"\\ud800":1}}', 'metrics.\ufffd'],
    ['{"agent":"a","timestamp":1,"metrics":{"":1}}', 'metrics[""]'],
    ['{"agent":"a","timestamp":1,"metrics":{"a\\u0000b":1}}', 'metrics.a\\x00b'],
    ['{"agent":"a","timestamp":1,"attributes":{"":"x"},"metrics":{"a":1}}', 'attributes[""]'],
    [
      '{"agent":"a","timestamp":1,"metrics":[{"name":"a","value":1,"attributes":{"":"x"}}]}',
      'metrics[0].attributes[""]',
    ],
  ])('names the name in %s that is none', async (text, field) => {
    const { app } = await createTestGateway();
    const answer = await post(app, '/telemetry', text);
    expect([answer.status, answer.fields()]).toEqual([422, [field]]);
    const { detail } = answer.problem();
    expect(detail).toContain('its name must be 1 to');
    expect([detail, answer.body].every((one) => one.isWellFormed() && !one.includes('\\ud8'))).toBe(true);
  });

  it('quotes no half of a surrogate pair, wherever it came', async () => {
    const { app } = await createTestGateway();
    const bodies = [
      '{"schemaVersion":"\\ud800","agent":"a","timestamp":1,"metrics":{"x":1}}',
      '{"agent":"a","timestamp":1,"metrics":{"x":{"value":1,"unit":"\\udc00"}}}',
      '{"agent":"a","timestamp":1,"source":"\\udc00","metrics":{"x":1}}',
      '{"\\ud800":1,"\\ud800":2}',
    ];
    for (const body of bodies) {
      const answer = await post(app, '/telemetry', body);
      expect([answer.status, /\\ud[89a-f]/i.test(answer.body)]).toEqual([422, false]);
    }
  });
});

const refusedNumber = async (number: string): Promise<string> => {
  const { app } = await createTestGateway();
  const answer = await post(app, '/telemetry', `{"agent":"a","timestamp":1,"metrics":{"x":${number}}}`);
  expect([answer.status, answer.fields()]).toEqual([422, ['metrics.x']]);
  return answer.problem().detail;
};

describe('POST /telemetry with odd times', () => {
  it.each([
    ['1e400', 'beyond 1.797e308'],
    ['-8640000000000000', 'years 0 to 9999'],
    ['-62167219200001', 'years 0 to 9999'],
    ['8640000000000000', 'years 0 to 9999'],
    ['1e300', 'years 0 to 9999'],
    ['"2026-03-09T12:00:00+23:59"', 'RFC 3339'],
    ['"0000-01-01T00:00:00+14:00"', 'years 0 to 9999'],
  ])('refuses %s, and says why', async (timestamp, words) => {
    const { app } = await createTestGateway();
    const paths = ['/telemetry', '/api/telemetry/snapshot'];
    for (const path of paths) {
      const text = `{"node_id":"a","timestamp":${timestamp},"cpu_percent":1,"metrics":{"x":1}}`;
      const answer = await post(app, path, text);
      expect([answer.status, answer.fields()]).toEqual([422, ['timestamp']]);
      expect(answer.problem().detail).toContain(words);
    }
  });

  it.each([
    ['-62167219200000', -62_167_219_200_000],
    ['"2016-12-31T23:59:60Z"', Date.UTC(2017, 0)],
    ['"2026-03-09T24:00:00Z"', Date.UTC(2026, 2, 10)],
  ])('takes %s', async (timestamp, ts) => {
    const { app, store } = await createTestGateway();
    const text = `{"agent":"a","timestamp":${timestamp},"metrics":{"x":1}}`;
    expect((await post(app, '/telemetry', text)).status).toBe(202);
    expect(store.appended[0]?.sample.ts).toBe(ts);
  });
});
