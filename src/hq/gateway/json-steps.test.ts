import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLarge, jsonText } from './json-steps.ts';

function written(value: unknown): { text: string; steps: number } {
  const steps = jsonText(value);
  for (let count = 0; ; count += 1) {
    const step = steps.next();
    if (step.done === true) return { text: step.value, steps: count };
  }
}

const record = (keys: number) => Object.fromEntries(Array.from({ length: keys }, (_, at) => [`k${at}`, at]));

describe('jsonText', () => {
  it('writes what JSON.stringify does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(3_000), (value, many) => {
        const large = { value, list: Array.from({ length: many }, () => value), absent: undefined };
        expect(written(large).text).toBe(JSON.stringify(large));
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['many small items', Array.from({ length: 20_000 }, (_, at) => ({ t: at, mean: null }))],
    ['an object of many keys', record(50_000)],
    ['few items, each large', Array.from({ length: 20 }, () => ({ values: record(4_000), notes: [] }))],
    ['large lists within large items', [{ anomalies: Array.from({ length: 5_000 }, () => record(9)) }]],
  ])('writes %s in steps', (_what, value) => {
    const { text, steps } = written(value);
    expect(text).toBe(JSON.stringify(value));
    expect(steps).toBeGreaterThanOrEqual(8);
  });
});

describe('isLarge', () => {
  it('counts keys and items however deep', () => {
    expect(isLarge([[[[1, 2, 3]]]], 3)).toBe(false);
    expect(isLarge({ a: { b: [1, 2], c: 4, d: {} } }, 2)).toBe(true);
    expect(isLarge('x'.repeat(1_000_000))).toBe(false);
  });
});
