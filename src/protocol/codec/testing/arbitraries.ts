/** Arbitrary samples for property tests: every kind of number and every shape of column that the codec treats apart. */
import fc from 'fast-check';
import { DETECTION_METHODS } from '../../anomaly.ts';
import { GAP_REASONS, type GapFrame } from '../../frame.ts';
import {
  type Anomaly,
  DIAGNOSTIC_CODES,
  type Diagnostic,
  type InternedSchema,
  MAX_SEQ,
  type Sample,
  SEVERITIES,
} from '../../sample.ts';
import { internSchema } from '../../schema-ref.ts';

/** Plain objects only: a strict comparison tells them from those without a prototype. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const AWKWARD = [
  0,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  5e-324,
  -2.225073858507201e-308,
  Number.MAX_VALUE,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 53) - 2,
  2 ** 51 + 1,
  0.1 + 0.2,
  1.2345678901234567,
  123456789.01234567,
  1e22,
  1e-7,
  -0.5,
] as const;

const decimalArb = fc
  .tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.nat(15))
  .map(([digits, places]) => digits / 10 ** places);
const numberArb = fc.oneof(
  fc.constantFrom(...AWKWARD),
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  decimalArb,
);

/** Values of one column, all of one character. */
function columnArb(rows: number): fc.Arbitrary<(number | null)[]> {
  const array = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: rows, maxLength: rows });
  const steps = array(fc.integer({ min: -20, max: 20 }));
  return fc.oneof(
    numberArb.map((value) => new Array<number>(rows).fill(value)),
    fc
      .tuple(fc.maxSafeInteger(), fc.integer())
      .map(([first, step]) => Array.from({ length: rows }, (_, row) => (first % 2 ** 40) + row * step)),
    fc.tuple(steps, fc.nat(6), fc.integer()).map(([deltas, places, first]) => {
      let value = first;
      return deltas.map((delta) => {
        value += delta;
        return value / 10 ** places;
      });
    }),
    array(fc.oneof({ weight: 9, arbitrary: fc.constant(7) }, { weight: 1, arbitrary: fc.nat(1000) })),
    array(fc.oneof({ weight: 9, arbitrary: fc.nat(9) }, { weight: 1, arbitrary: fc.maxSafeInteger() })),
    array(fc.double({ noNaN: true })),
    array(numberArb),
    array(fc.option(numberArb, { freq: 2 })),
    array(fc.option(fc.nat(100), { freq: 1 })),
    fc.constant(new Array<null>(rows).fill(null)),
  );
}

const schemas: readonly InternedSchema[] = [0, 1, 2, 5, 18].map((width) =>
  internSchema({
    source: `source-${width}`,
    boot: 'boot',
    series: Array.from({ length: width }, (_, index) => ({ name: `m${index}`, attributes: {}, unit: '1' })),
  }),
);

export function schemaOf(ref: string): InternedSchema | undefined {
  return schemas.find((schema) => schema.ref === ref);
}

const timeArb = fc.oneof(fc.integer({ min: 1.7e12, max: 1.8e12 }), fc.maxSafeInteger());

function timesArb(rows: number): fc.Arbitrary<number[]> {
  return fc.oneof(
    fc.array(timeArb, { minLength: rows, maxLength: rows }),
    fc
      .tuple(
        fc.integer({ min: -1e12, max: 1.8e12 }),
        fc.array(fc.integer({ min: -50, max: 1050 }), { minLength: rows, maxLength: rows }),
      )
      .map(([first, steps]) => {
        let at = first;
        return steps.map((step) => {
          at += step;
          return at;
        });
      }),
  );
}

function anomalyArb(width: number): fc.Arbitrary<Anomaly> {
  const judgementArb = record({ method: fc.constantFrom(...DETECTION_METHODS), threshold: numberArb });
  return fc
    .tuple(bareAnomalyArb(width), fc.option(judgementArb))
    .map(([anomaly, judgement]) => (judgement === null ? anomaly : { ...anomaly, judgement }));
}

function bareAnomalyArb(width: number): fc.Arbitrary<Anomaly> {
  return record<Omit<Anomaly, 'judgement'>>({
    series: fc.nat(width - 1),
    state: fc.constantFrom<Anomaly['state']>('open', 'closed'),
    startTs: timeArb,
    peakTs: timeArb,
    peakValue: numberArb,
    peakZ: numberArb,
    mean: numberArb,
    stddev: numberArb,
    endTs: fc.option(timeArb),
  });
}

function diagnosticArb(width: number): fc.Arbitrary<Diagnostic> {
  return record({
    code: fc.constantFrom(...DIAGNOSTIC_CODES),
    severity: fc.constantFrom(...SEVERITIES),
    series: width === 0 ? fc.constant(null) : fc.option(fc.nat(width - 1)),
    detail: fc.string({ unit: 'grapheme', maxLength: 40 }),
  });
}

function sampleArb(
  schema: InternedSchema,
  ts: number,
  values: readonly (number | null)[],
): fc.Arbitrary<Sample> {
  const width = schema.series.length;
  return record({
    schema: fc.constant(schema),
    ts: fc.constant(ts),
    mono: fc.oneof(
      fc.constant(Math.abs(ts % 1e9)),
      fc.maxSafeInteger().map((value) => Math.max(0, value)),
    ),
    values: fc.constant(values),
    anomalies:
      width === 0
        ? fc.constant([])
        : fc.oneof({ weight: 6, arbitrary: fc.constant([]) }, fc.array(anomalyArb(width), { maxLength: 3 })),
    diagnostics: fc.oneof(
      { weight: 6, arbitrary: fc.constant([]) },
      fc.array(diagnosticArb(width), { maxLength: 3 }),
    ),
  });
}

/** Samples of up to three schemas mixed at will. */
export const samplesArb: fc.Arbitrary<Sample[]> = fc
  .tuple(
    fc.uniqueArray(fc.nat(schemas.length - 1), { minLength: 1, maxLength: 3 }),
    fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 70 })),
  )
  .chain(([choice, rows]) =>
    fc.tuple(
      fc.array(fc.constantFrom(...choice), { minLength: rows, maxLength: rows }),
      timesArb(rows),
      fc.tuple(
        ...schemas.map((schema, index) =>
          choice.includes(index) ? fc.tuple(...schema.series.map(() => columnArb(rows))) : fc.constant([]),
        ),
      ),
    ),
  )
  .chain(([order, times, columns]) =>
    fc.tuple(
      ...order.map((which, row) =>
        sampleArb(
          schemas[which] as InternedSchema,
          times[row] as number,
          (columns[which] ?? []).map((column) => column[row] ?? null),
        ),
      ),
    ),
  );

export const epochArb = fc.stringMatching(/^[0-9a-f]{12}$/);

/** First seqs that leave room for the samples that follow. */
export const firstSeqArb = fc.oneof(
  fc.integer({ min: 1, max: 1000 }),
  fc.integer({ min: 1, max: MAX_SEQ - 5000 }),
  fc.constant(MAX_SEQ - 4096),
);

export const gapArb: fc.Arbitrary<GapFrame> = fc
  .record({
    epoch: epochArb,
    firstSeq: fc.integer({ min: 1, max: MAX_SEQ }),
    length: fc.double({ min: 0, max: 1, noNaN: true }),
    times: fc.tuple(timeArb, timeArb),
    reason: fc.constantFrom(...GAP_REASONS),
  })
  .map(({ epoch, firstSeq, length, times: [a, b], reason }) => ({
    epoch,
    firstSeq,
    count: 1 + Math.floor((MAX_SEQ - firstSeq) * length),
    tsMin: Math.min(a, b),
    tsMax: Math.max(a, b),
    reason,
  }));
