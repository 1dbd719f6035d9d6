/** Samples for the journal's tests. */
import type { Anomaly, InternedSchema, Sample } from '../../protocol/sample.ts';
import { internSchema } from '../../protocol/schema-ref.ts';

export const TEST_SCHEMA: InternedSchema = internSchema({
  source: 'test',
  boot: 'boot-1',
  series: ['a', 'b', 'c'].map((name) => ({ name, attributes: {}, unit: '1' })),
});

/** Noisy values, which take their eight bytes each. */
const NOISY_SCHEMA: InternedSchema = internSchema({
  source: 'noise',
  boot: 'boot-1',
  series: Array.from({ length: 12 }, (_, index) => ({ name: `noise${index}`, attributes: {}, unit: '1' })),
});

const ANOMALY: Anomaly = {
  series: 0,
  state: 'open',
  startTs: 1,
  peakTs: 1,
  peakValue: 9,
  peakZ: 4,
  mean: 1,
  stddev: 2,
  endTs: null,
};

/** The `n`th sample of a sequence; its first value is `n`, so that it can be recognised. */
export function testSample(n: number, options: { notable?: boolean; schema?: InternedSchema } = {}): Sample {
  const schema = options.schema ?? TEST_SCHEMA;
  return {
    schema,
    ts: 1_700_000_000_000 + n * 1000,
    mono: n * 1000,
    values: schema.series.map((_, index) => (index === 0 ? n : (n * 37 * (index + 1)) % 101)),
    anomalies: options.notable === true ? [ANOMALY] : [],
    diagnostics: [],
  };
}

export function testSamples(first: number, count: number): Sample[] {
  return Array.from({ length: count }, (_, index) => testSample(first + index));
}

/** About 90 bytes each, once encoded. */
export function noisySamples(first: number, count: number): Sample[] {
  return testSamples(first, count).map((sample) => ({
    ...sample,
    schema: NOISY_SCHEMA,
    values: NOISY_SCHEMA.series.map((_, index) =>
      index === 0 ? sample.ts : Math.sin(sample.ts * (index + 1)),
    ),
  }));
}
