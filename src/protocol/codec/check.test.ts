import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/long.ts';
import { FrameError } from '../frame.ts';
import {
  checkFrame,
  decodeData,
  decodeDownsampled,
  encodeGap,
  encodeSamples,
  readHeader,
} from '../frame-codec.ts';
import { type Anomaly, type Diagnostic, MAX_DETAIL_BYTES, MAX_TS, type Sample } from '../sample.ts';
import { internSchema } from '../schema-ref.ts';
import { chance } from './testing/chance.ts';
import { goldens } from './testing/golden.ts';
import { EPOCH, fixChecksum, mutant } from './testing/mutants.ts';

const MUTANTS = sized(12_000, 500_000);
const TS = Date.UTC(2026, 0, 1);

const schema = internSchema({
  source: 'sim',
  boot: 'boot-1',
  series: [{ name: 'a', attributes: {}, unit: '' }],
});

function frameOf(more: Partial<Sample>, count = 1): Uint8Array {
  const plain: Sample = { schema, ts: TS, mono: 0, values: [1], anomalies: [], diagnostics: [] };
  const samples = Array.from({ length: count }, (_, index) => ({ ...plain, ts: TS + index }));
  return encodeSamples({ epoch: EPOCH, firstSeq: 1, samples: [...samples, { ...plain, ...more }] });
}

const closed: Anomaly = {
  series: 0,
  state: 'closed',
  startTs: TS,
  peakTs: TS,
  peakValue: 9,
  peakZ: 4,
  mean: 1,
  stddev: 0.5,
  endTs: TS + 1000,
};
const anomalous = (more: Partial<Anomaly>) => frameOf({ anomalies: [{ ...closed, ...more }] });
const told = (detail: string): Diagnostic => ({ code: 'stuck', severity: 'info', series: null, detail });

function faultOf(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    if (error instanceof FrameError) return error.message;
    throw error;
  }
}

/** What decoding every column says of the bytes. */
function decodeAll(bytes: Uint8Array): unknown {
  const { kind } = readHeader(bytes);
  if (kind === 'gap') return checkFrame(bytes);
  return kind === 'thinned' ? decodeDownsampled(bytes) : decodeData(bytes);
}

describe('checking a frame', () => {
  it(`says of ${MUTANTS} mutants what decoding all of them says, or refuses what they mean`, () => {
    const next = chance(20_261_129);
    const outcomes = { sound: 0, refused: 0, meaningless: 0 };
    for (let index = 0; index < MUTANTS; index += 1) {
      const bytes = mutant(next);
      const decoding = faultOf(() => decodeAll(bytes));
      const checking = faultOf(() => checkFrame(bytes));
      if (checking === null && decoding !== null)
        throw new Error(`mutant ${index} passes, and cannot be decoded: ${decoding}`);
      if (checking === null) outcomes.sound += 1;
      else if (decoding === null) outcomes.meaningless += 1;
      else outcomes.refused += 1;
      const isOfMeaning =
        /is no whole number of ms|an end$|standard deviation|threshold|detail of|goes beyond 2\^53/.test(
          checking ?? '',
        );
      if (decoding === null && checking !== null && !isOfMeaning)
        throw new Error(`mutant ${index} can be decoded, and is refused: ${checking}`);
    }
    expect(outcomes.sound).toBeGreaterThan(MUTANTS / 100);
    expect(outcomes.meaningless).toBeGreaterThan(0);
  });

  it.each(goldens().filter(({ name }) => name !== 'extreme-times'))(
    'passes the golden frame $name',
    ({ bytes }) => {
      expect(checkFrame(bytes).header).toEqual(readHeader(bytes));
    },
  );

  it('passes all that is written, however large its integers and their steps are', () => {
    const large = fc.oneof(
      fc.maxSafeInteger(),
      fc.integer(),
      fc.constantFrom(-(2 ** 50), 2 ** 50, 0, 2 ** 51),
    );
    const columns = fc.array(large, { minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(columns, fc.integer({ min: 0, max: 3 }), (values, shift) => {
        const samples = values.map((value, index): Sample => {
          const one = Math.trunc(value / 2 ** shift);
          return { schema, ts: TS + index, mono: 0, values: [one], anomalies: [], diagnostics: [] };
        });
        checkFrame(encodeSamples({ epoch: EPOCH, firstSeq: 1, samples }));
      }),
      { numRuns: sized(1_000, 100_000) },
    );
  });

  it('names the place of what cannot be decoded', () => {
    const golden = goldens().find(({ name }) => name === 'ten-host-samples');
    const bytes = (golden?.bytes ?? new Uint8Array()).slice();
    const { headerLength } = readHeader(bytes);
    // Behind the schema's ref and the head, ts and mono: the mode of the second column.
    const at = headerLength + 6 + 1 + 2 + 1;
    bytes[at] = (bytes[at] as number) | 0x70;
    fixChecksum(bytes);
    expect(() => checkFrame(bytes)).toThrow(/^group 1: column 2 of 17: /);
  });

  it.each([
    ['a start that is no time', { startTs: Number.NaN }],
    ['a peak beyond what a Date holds', { peakTs: MAX_TS + 1 }],
    ['an end that is no time', { endTs: Number.POSITIVE_INFINITY }],
    ['a start between two ms', { startTs: TS + 0.5 }],
    ['no end though closed', { endTs: null }],
    ['an end though open', { state: 'open' as const }],
    ['a negative standard deviation', { stddev: -1 }],
  ])('refuses an anomaly with %s, and names its seq', (_, more) => {
    expect(faultOf(() => checkFrame(anomalous(more)))).toMatch(/^group 1, seq 2: anomaly/);
    expect(() => decodeData(anomalous(more))).not.toThrow();
  });

  it('passes an anomaly of numbers that are none', () => {
    const odd = { peakValue: Number.POSITIVE_INFINITY, peakZ: Number.NaN, mean: -0, stddev: Number.NaN };
    expect(faultOf(() => checkFrame(anomalous(odd)))).toBeNull();
  });

  it('refuses a diagnostic that goes on and on', () => {
    const longest = 'ä'.repeat(MAX_DETAIL_BYTES / 2);
    expect(faultOf(() => checkFrame(frameOf({ diagnostics: [told(longest)] })))).toBeNull();
    expect(faultOf(() => checkFrame(frameOf({ diagnostics: [told(`${longest}.`)] })))).toContain('detail of');
  });

  it.each([MAX_TS, -MAX_TS])('passes the time %d, and refuses what is beyond', (ts) => {
    const beyond = ts + Math.sign(ts);
    expect(faultOf(() => checkFrame(frameOf({ ts })))).toBeNull();
    expect(faultOf(() => checkFrame(frameOf({ ts: beyond })))).toContain(`ts: ${beyond}`);
    const gap = { epoch: EPOCH, firstSeq: 1, count: 2, reason: 'damaged' } as const;
    const [tsMin, tsMax] = [Math.min(0, beyond), Math.max(0, beyond)];
    expect(faultOf(() => checkFrame(encodeGap({ ...gap, tsMin, tsMax })))).toContain(`ts: ${beyond}`);
  });

  it('refuses groups that hold more columns together than a frame may have', () => {
    const series = Array.from({ length: 4096 }, (_, index) => ({
      name: `m.${index}`,
      attributes: {},
      unit: '',
    }));
    const values = series.map(() => 7);
    const groups = (count: number) =>
      encodeSamples({
        epoch: EPOCH,
        firstSeq: 1,
        samples: Array.from({ length: count }, (_, index) => ({
          schema: internSchema({ source: 'sim', boot: `boot-${index}`, series }),
          ts: TS,
          mono: 0,
          values,
          anomalies: [],
          diagnostics: [],
        })),
      });
    expect(faultOf(() => checkFrame(groups(64)))).toBeNull();
    expect(faultOf(() => checkFrame(groups(65)))).toBe('group 65: columns: more than 262144 in all groups');
    expect(decodeData(groups(65), { columns: () => 'none' }).groups).toHaveLength(65);
  });
});
