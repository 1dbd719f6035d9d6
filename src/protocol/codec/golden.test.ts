import { describe, expect, it } from 'vitest';
import type { BucketGroup } from '../frame.ts';
import {
  decodeData,
  decodeDownsampled,
  decodeGap,
  encodeDownsampled,
  encodeGap,
  encodeSamples,
  readHeader,
  samplesOf,
} from '../frame-codec.ts';
import { goldens } from './testing/golden.ts';

const all = goldens();

function arraysOf({ columns, ...group }: BucketGroup) {
  return {
    ...group,
    columns: columns.map(
      (column) =>
        column && {
          ...{ counts: column.counts, numbers: column.numbers },
          ...{ min: column.min, max: column.max, sum: column.sum },
        },
    ),
  };
}

describe('golden frames', () => {
  it('are all there', () => {
    expect(all.length).toBeGreaterThanOrEqual(8);
  });

  it.each(all)('$name decodes to what it always meant', (golden) => {
    if (golden.kind === 'gap') {
      expect(decodeGap(golden.bytes)).toStrictEqual(golden.gap);
      return;
    }
    if (golden.kind === 'thinned') {
      const { epoch, firstSeq, count, groups } = golden;
      const { header, groups: found } = decodeDownsampled(golden.bytes);
      expect(header).toMatchObject({ epoch, firstSeq, count });
      expect(found.map(arraysOf)).toStrictEqual(groups.map(arraysOf));
      return;
    }
    const schemas = new Map(golden.samples.map(({ schema }) => [schema.ref, schema]));
    const frame = decodeData(golden.bytes);
    expect(frame.header.epoch).toBe(golden.epoch);
    expect(samplesOf(frame, (ref) => schemas.get(ref))).toStrictEqual(
      golden.samples.map((sample, index) => ({ seq: golden.firstSeq + index, sample })),
    );
  });

  it.each(all)('$name is still written byte for byte, unless compressed', (golden) => {
    if (golden.kind === 'gap') expect(encodeGap(golden.gap)).toEqual(golden.bytes);
    else if (golden.kind === 'thinned' && golden.encodable)
      expect(encodeDownsampled(golden)).toEqual(golden.bytes);
    else if (golden.kind === 'data' && golden.encodable) expect(encodeSamples(golden)).toEqual(golden.bytes);
    else expect(readHeader(golden.bytes).compression).toBe('zstd');
  });
});
