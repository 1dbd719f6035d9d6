import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { samplesArb } from './codec/testing/arbitraries.ts';
import { blockOf, inBlocks, unfold } from './codec/testing/blocks.ts';
import { hostSamples } from './codec/testing/host-samples.ts';
import { FrameError } from './frame.ts';
import { encodeSamples } from './frame-codec.ts';
import { type SampleRows, sliceRows, totalRows } from './sample-block.ts';

const FRAME = { epoch: '0123456789ab', firstSeq: 7 };
const atMostArb = fc.integer({ min: 1, max: 40 });

describe('samples in blocks', () => {
  it('are the same frame as the samples one by one', () => {
    fc.assert(
      fc.property(samplesArb, atMostArb, fc.boolean(), (plain, atMost, mixed) => {
        const blocks = inBlocks(plain, atMost);
        const samples = mixed
          ? blocks.flatMap((block, index): readonly SampleRows[] =>
              index % 2 === 0 ? unfold(block) : [block],
            )
          : blocks;
        expect(encodeSamples({ ...FRAME, samples })).toEqual(encodeSamples({ ...FRAME, samples: plain }));
      }),
    );
  });

  it('are cut anywhere without losing or changing a sample', () => {
    fc.assert(
      fc.property(samplesArb, atMostArb, fc.nat(60), fc.nat(60), (samples, atMost, start, length) => {
        const blocks = inBlocks(samples, atMost);
        expect(totalRows(blocks)).toBe(samples.length);
        const cut = sliceRows(blocks, start, start + length);
        expect(cut.flatMap(unfold)).toStrictEqual(samples.slice(start, start + length));
        expect(totalRows(cut)).toBe(samples.slice(start, start + length).length);
      }),
    );
  });

  it('may be recycled by their last part alone', () => {
    const recycle = () => {};
    const block = { ...blockOf(hostSamples(10)), recycle };
    const parts = [sliceRows([block], 0, 4), sliceRows([block], 4, 9), sliceRows([block], 9, 10)].flat();
    expect(parts.map((part) => 'recycle' in part)).toEqual([false, false, true]);
    expect(sliceRows([block], 0, 10)).toEqual([block]);
  });

  it('are refused when their columns do not fit', () => {
    const block = blockOf(hostSamples(3));
    const encode = (samples: readonly (typeof block)[]) => () => encodeSamples({ ...FRAME, samples });
    expect(encode([block])).not.toThrow();
    expect(encode([{ ...block, columns: block.columns.slice(1) }])).toThrow(FrameError);
    expect(encode([{ ...block, mono: block.mono.subarray(1) }])).toThrow(FrameError);
    const [first, ...others] = block.columns;
    const short = { values: new Float64Array(2), present: first?.present ?? null };
    expect(encode([{ ...block, columns: [short, ...others] }])).toThrow(FrameError);
  });
});
