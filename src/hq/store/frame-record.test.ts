import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeFrameRecord, encodeFrameRecord, type FrameRecord, type Segment } from './frame-record.ts';

const record: fc.Arbitrary<FrameRecord> = fc
  .record({
    lane: fc.constantFrom('live' as const, 'backlog' as const, 'http' as const),
    logNumber: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    first: fc.integer({ min: 1, max: 2 ** 47 }),
    steps: fc.array(
      fc.record({
        skip: fc.integer({ min: 0, max: 1_000 }),
        count: fc.integer({ min: 1, max: 2 ** 40 }),
        arrivalTs: fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
      }),
      { minLength: 1, maxLength: 20 },
    ),
    frame: fc.uint8Array({ maxLength: 100 }),
  })
  .map(({ first, steps, ...rest }) => {
    const segments: Segment[] = [];
    let next = first;
    for (const { skip, count, arrivalTs } of steps) {
      const start = segments.length === 0 ? next : next + skip;
      segments.push({ first: start, last: start + count - 1, arrivalTs });
      next = start + count;
    }
    return { ...rest, segments };
  });

it('gives back what was written', () => {
  fc.assert(
    fc.property(record, (one) => {
      const { frame, ...rest } = decodeFrameRecord(encodeFrameRecord(one)) ?? { frame: null };
      expect({ ...rest, frame: Uint8Array.from(frame ?? []) }).toEqual(one);
    }),
  );
});

it('gives back what 0.1 wrote', () => {
  // Three segments: seqs 7 … 8 at 1000 ms, 9 at 1200, 12 … 13 at 1100.
  const bytes = Buffer.from(
    '0100000000000005' +
      '03' +
      '000000000007' +
      '408f400000000000' +
      '000200' +
      '00019003' +
      '0202c701' +
      'aabb',
    'hex',
  );
  const { frame, ...rest } = decodeFrameRecord(bytes) ?? { frame: null };
  expect(rest).toEqual({
    lane: 'live',
    logNumber: 5,
    segments: [
      { first: 7, last: 8, arrivalTs: 1000 },
      { first: 9, last: 9, arrivalTs: 1200 },
      { first: 12, last: 13, arrivalTs: 1100 },
    ],
  });
  expect(Buffer.from(frame ?? []).toString('hex')).toBe('aabb');
});

it('takes a byte for each frame of an agent that sends at an even pace', () => {
  const segments = Array.from({ length: 500 }, (_, index) => ({
    first: 2 * index + 1,
    last: 2 * index + 2,
    arrivalTs: 1_790_000_000_000 + 200 * index + (index % 7),
  }));
  const bytes = encodeFrameRecord({ lane: 'live', logNumber: 1, segments, frame: new Uint8Array() });
  expect(bytes.length).toBeLessThan(540);
});

it('is undefined for anything else, and never throws', () => {
  expect(decodeFrameRecord(new Uint8Array())).toBeUndefined();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const decoded = decodeFrameRecord(bytes);
      expect(decoded === undefined || decoded.segments.length > 0).toBe(true);
    }),
  );
  expect(decodeFrameRecord(Uint8Array.of(9, ...new Array<number>(40).fill(0)))).toBeUndefined();
});
