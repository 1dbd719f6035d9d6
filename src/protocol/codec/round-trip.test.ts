import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/long.ts';
import {
  decodeData,
  decodeGap,
  encodeGap,
  encodeGroups,
  encodeSamples,
  mergeFrames,
  readHeader,
  samplesOf,
  schemaRefsOf,
  sliceFrame,
  splitFrame,
  verifyFrame,
  withoutJudgements,
} from '../frame-codec.ts';
import type { Sample } from '../sample.ts';
import { epochArb, firstSeqArb, gapArb, samplesArb, schemaOf } from './testing/arbitraries.ts';
import { hostSamples, hostSchema } from './testing/host-samples.ts';

const RUNS = sized(200, 4_000);
const frameArb = fc.record({ epoch: epochArb, firstSeq: firstSeqArb, samples: samplesArb });

function withSeqs(firstSeq: number, samples: readonly Sample[]) {
  return samples.map((sample, index) => ({ seq: firstSeq + index, sample }));
}

function samplesIn(bytes: Uint8Array) {
  return samplesOf(decodeData(bytes), schemaOf);
}

describe('a data frame', () => {
  it('gives back every bit of every sample, in seq order', () => {
    fc.assert(
      fc.property(frameArb, (frame) => {
        expect(samplesIn(encodeSamples(frame))).toStrictEqual(withSeqs(frame.firstSeq, frame.samples));
      }),
      { numRuns: RUNS },
    );
  });

  it('tells in its header what it holds', () => {
    fc.assert(
      fc.property(frameArb, (frame) => {
        const bytes = encodeSamples(frame);
        const header = verifyFrame(bytes);
        const times = frame.samples.map((sample) => sample.ts);
        expect(header).toMatchObject({
          version: 1,
          kind: 'data',
          encrypted: false,
          epoch: frame.epoch,
          firstSeq: frame.firstSeq,
          count: frame.samples.length,
          tsMin: Math.min(...times),
          tsMax: Math.max(...times),
        });
        expect(header.headerLength + header.payloadLength).toBe(bytes.length);
        expect(readHeader(bytes)).toEqual(header);
        expect(new Set(schemaRefsOf(bytes))).toEqual(
          new Set(frame.samples.map((sample) => sample.schema.ref)),
        );
      }),
      { numRuns: RUNS },
    );
  });

  it('is the same when encoded again from its columns', () => {
    fc.assert(
      fc.property(frameArb, (frame) => {
        const bytes = encodeSamples(frame);
        const { groups, header } = decodeData(bytes);
        expect(
          encodeGroups({ epoch: header.epoch, firstSeq: header.firstSeq, count: header.count, groups }),
        ).toEqual(bytes);
      }),
      { numRuns: RUNS },
    );
  });

  it('decodes only the columns asked for, and those the same', () => {
    fc.assert(
      fc.property(frameArb, fc.array(fc.nat(20)), (frame, wanted) => {
        const bytes = encodeSamples(frame);
        const whole = decodeData(bytes);
        const some = decodeData(bytes, { columns: () => wanted });
        const none = decodeData(bytes, { columns: () => 'none' });
        for (const [index, group] of whole.groups.entries()) {
          const { columns, ...rest } = group;
          expect(some.groups[index]).toMatchObject(rest);
          expect(none.groups[index]?.columns).toEqual(columns.map(() => null));
          for (const [at, column] of columns.entries()) {
            const other = some.groups[index]?.columns[at] ?? null;
            expect(other === null).toBe(!wanted.includes(at));
            if (other === null) continue;
            expect(other.values).toEqual(column?.values);
            expect(other.present).toEqual(column?.present);
          }
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('holds 4,096 samples, each of them whole', () => {
    const samples = hostSamples(4096);
    const bytes = encodeSamples({ epoch: '0123456789ab', firstSeq: 9, samples });
    expect(samplesOf(decodeData(bytes), () => hostSchema)).toStrictEqual(withSeqs(9, samples));
  });

  it('compresses what is not codes, such as repeated notes', () => {
    const detail = 'the sensor reads its lower rail, so the wire is probably broken';
    const samples = hostSamples(60).map((sample) => ({
      ...sample,
      diagnostics: [{ code: 'rail_low' as const, severity: 'warning' as const, series: 3, detail }],
    }));
    const bytes = encodeSamples({ epoch: '0123456789ab', firstSeq: 1, samples });
    expect(readHeader(bytes).compression).toBe('zstd');
    expect(bytes.length).toBeLessThan(detail.length * samples.length * 0.5);
    expect(samplesOf(decodeData(bytes), () => hostSchema)).toStrictEqual(withSeqs(1, samples));
  });
});

describe('reshaping', () => {
  it('merges the parts of a frame back into it', () => {
    fc.assert(
      fc.property(
        frameArb,
        fc.integer({ min: 1, max: 80 }),
        fc.integer({ min: 1, max: 3000 }),
        (frame, maxSamples, maxBytes) => {
          const bytes = encodeSamples(frame);
          const parts = splitFrame(bytes, { maxBytes, maxSamples });
          for (const part of parts) {
            const { count } = verifyFrame(part);
            expect(count === 1 || (count <= maxSamples && part.length <= maxBytes)).toBe(true);
          }
          expect(parts.flatMap(samplesIn)).toStrictEqual(withSeqs(frame.firstSeq, frame.samples));
          expect(samplesIn(mergeFrames(parts))).toStrictEqual(withSeqs(frame.firstSeq, frame.samples));
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('slices out exactly the seqs asked for', () => {
    fc.assert(
      fc.property(frameArb, fc.nat(69), fc.nat(69), (frame, a, b) => {
        const last = frame.samples.length - 1;
        const from = Math.min(a, b, last);
        const to = Math.min(Math.max(a, b), last);
        const bytes = encodeSamples(frame);
        const slice = sliceFrame(bytes, frame.firstSeq + from, frame.firstSeq + to);
        expect(samplesIn(slice)).toStrictEqual(withSeqs(frame.firstSeq, frame.samples).slice(from, to + 1));
        if (from === 0 && to === last) expect(slice).toBe(bytes);
      }),
      { numRuns: RUNS },
    );
  });

  it('leaves out of its anomalies what version 1 of the notes lacks, and nothing else', () => {
    fc.assert(
      fc.property(frameArb, (frame) => {
        const bytes = encodeSamples(frame);
        const samples = frame.samples.map((sample) => ({
          ...sample,
          anomalies: sample.anomalies.map(({ judgement: _, ...anomaly }) => anomaly),
        }));
        const plain = withoutJudgements(bytes);
        expect(samplesIn(plain)).toStrictEqual(withSeqs(frame.firstSeq, samples));
        expect(plain.length).toBeLessThanOrEqual(bytes.length + 16);
        expect(withoutJudgements(plain)).toBe(plain);
      }),
      { numRuns: RUNS },
    );
  });

  it('leaves a frame within the limits as it is, and a single sample however large', () => {
    const bytes = encodeSamples({ epoch: '0123456789ab', firstSeq: 1, samples: hostSamples(5) });
    expect(splitFrame(bytes, { maxBytes: bytes.length, maxSamples: 5 })).toEqual([bytes]);
    const single = encodeSamples({ epoch: '0123456789ab', firstSeq: 1, samples: hostSamples(1) });
    expect(splitFrame(single, { maxBytes: 1, maxSamples: 1 })).toEqual([single]);
    expect(splitFrame(bytes, { maxBytes: 1, maxSamples: 1000 })).toHaveLength(5);
  });

  it('refuses to merge what does not follow, and to slice what is not there', () => {
    const epoch = '0123456789ab';
    const a = encodeSamples({ epoch, firstSeq: 1, samples: hostSamples(5) });
    const far = encodeSamples({ epoch, firstSeq: 7, samples: hostSamples(5) });
    const foreign = encodeSamples({ epoch: 'ba9876543210', firstSeq: 6, samples: hostSamples(5) });
    expect(() => mergeFrames([])).toThrow(/no frames/);
    expect(() => mergeFrames([a, far])).toThrow(/follow/);
    expect(() => mergeFrames([a, foreign])).toThrow(/follow/);
    expect(() => sliceFrame(a, 0, 3)).toThrow(/slice/);
    expect(() => sliceFrame(a, 2, 6)).toThrow(/slice/);
    expect(() => sliceFrame(a, 4, 3)).toThrow(/slice/);
    const half = encodeSamples({ epoch, firstSeq: 1, samples: hostSamples(2049) });
    const next = encodeSamples({ epoch, firstSeq: 2050, samples: hostSamples(2048) });
    expect(() => mergeFrames([half, next])).toThrow(expect.objectContaining({ code: 'too_large' }));
  });
});

describe('a gap frame', () => {
  it('gives back what it stands for', () => {
    fc.assert(
      fc.property(gapArb, (gap) => {
        const bytes = encodeGap(gap);
        expect(decodeGap(bytes)).toStrictEqual(gap);
        expect(verifyFrame(bytes)).toMatchObject({ kind: 'gap', firstSeq: gap.firstSeq, count: gap.count });
        expect(bytes.length).toBeLessThanOrEqual(64);
      }),
      { numRuns: RUNS },
    );
  });
});
