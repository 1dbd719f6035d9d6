/** Hostile bytes (testing/mutants.ts). The seed is fixed: a failure repeats. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/long.ts';
import { type DataFrame, type DownsampledFrame, FrameError } from '../frame.ts';
import {
  decodeData,
  decodeDownsampled,
  decodeGap,
  encodeSamples,
  readHeader,
  verifyFrame,
} from '../frame-codec.ts';
import { maxBodyBytes } from './compress.ts';
import { PackedColumn, RowColumn } from './lazy-column.ts';
import { chance } from './testing/chance.ts';
import { sealed } from './testing/forge.ts';
import { hostSamples } from './testing/host-samples.ts';
import { EPOCH, mutant, seeds } from './testing/mutants.ts';

const BUFFERS = sized(60_000, 1_000_000);
/** Bytes of all arrays that the decoder made. */
function allocated(frame: DataFrame): number {
  let bytes = 0;
  for (const { seqs, ts, mono, columns } of frame.groups) {
    bytes += seqs.byteLength + ts.byteLength + mono.byteLength;
    for (const column of columns) {
      if (column === null || column instanceof PackedColumn) continue;
      if (column instanceof RowColumn) bytes += 8;
      else bytes += column.values.byteLength + (column.present?.byteLength ?? 0);
    }
  }
  return bytes;
}

/** Three arrays of 4,096 rows, and at most 8 rows of 9 bytes for each byte of a body. */
function allowance(length: number): number {
  return 3 * 8 * 4096 + 72 * maxBodyBytes(length);
}

function tryDecode(bytes: Uint8Array): DataFrame | DownsampledFrame | 'gap' | 'refused' {
  try {
    const { kind } = verifyFrame(bytes);
    if (kind === 'thinned') return decodeDownsampled(bytes);
    if (kind === 'gap') {
      decodeGap(bytes);
      return 'gap';
    }
    return decodeData(bytes);
  } catch (error) {
    if (error instanceof FrameError) return 'refused';
    throw error;
  }
}

describe('decoding hostile bytes', () => {
  it(`survives ${BUFFERS} mutated and random buffers`, async () => {
    const next = chance(20_260_101);
    const outcomes = { decoded: 0, refused: 0, thinned: 0 };
    const before = process.memoryUsage();
    for (let index = 0; index < BUFFERS; index += 1) {
      // node:zlib lets go of a failed decoder's memory only when the event loop turns.
      if (index % 1000 === 0) await nextTurn();
      const bytes = mutant(next);
      const result = tryDecode(bytes);
      if (result === 'refused') {
        outcomes.refused += 1;
        continue;
      }
      outcomes.decoded += 1;
      const { headerLength, crc } = readHeader(bytes);
      const sum = crc32(Buffer.concat([bytes.subarray(0, headerLength - 4), bytes.subarray(headerLength)]));
      if (sum !== crc) throw new Error(`buffer ${index} was decoded in spite of its checksum`);
      if (result === 'gap') continue;
      if (result.header.kind === 'thinned') outcomes.thinned += 1;
      const made = 'notes' in (result.groups[0] ?? {}) ? allocated(result as DataFrame) : 0;
      if (made > allowance(bytes.length)) {
        throw new Error(`buffer ${index} of ${bytes.length} bytes allocated ${made}`);
      }
    }
    const after = process.memoryUsage();
    // Both ends were reached: the test proves nothing when all is refused at the door.
    expect(outcomes.decoded).toBeGreaterThan(BUFFERS / 50);
    expect(outcomes.thinned).toBeGreaterThan(BUFFERS / 1000);
    expect(outcomes.refused).toBeGreaterThan(BUFFERS / 2);
    expect(after.rss - before.rss).toBeLessThan(200 * 2 ** 20);
  });

  it('answers every single flipped bit of a live frame with an error', () => {
    const frame = encodeSamples({ epoch: EPOCH, firstSeq: 1000, samples: hostSamples(1) });
    for (let bit = 0; bit < frame.length * 8; bit += 1) {
      const bytes = frame.slice();
      bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit & 7));
      expect(() => verifyFrame(bytes)).toThrow(FrameError);
    }
  });

  it('answers every truncation with an error', () => {
    for (const seed of seeds) {
      for (let length = 0; length < seed.length; length += 1) {
        expect(() => readHeader(seed.subarray(0, length))).toThrow(FrameError);
      }
    }
  });
});

/** Head of a group that takes all rows, for so many columns. */
function head(columns: number): number[] {
  const value = columns * 4 + 2;
  return value < 128 ? [value] : [(value & 127) | 128, value >>> 7];
}

const REF = [1, 2, 3, 4, 5, 6];
const ROWS = 4096;
/** ts, mono and `columns` columns of `mode` and `data`, all of 4,096 rows. */
function body(columns: number, mode: number, data: number[]): Uint8Array {
  const fill = <T>(value: T) => new Array<T>(columns).fill(value);
  const bytes = [
    ...[...REF, ...head(columns)],
    ...[0, 0, ...fill(mode), 1, 1, ...fill(data.length)],
    ...[0, 0, ...fill(data).flat()],
  ];
  return Uint8Array.from(bytes);
}

/** Heap and array bytes that a decoded frame keeps, averaged over many. */
function kept(bytes: Uint8Array): number {
  const COPIES = 20;
  const frames: DataFrame[] = [decodeData(bytes)];
  const before = process.memoryUsage();
  for (let copy = 0; copy < COPIES; copy += 1) frames.push(decodeData(bytes));
  const after = process.memoryUsage();
  expect(frames).toHaveLength(COPIES + 1);
  return (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / COPIES;
}

describe('a short frame that claims much', () => {
  const constants = body(25, 0, [2]);
  const absent = body(36, 0x60, []);

  it.each([
    ['constant columns', sealed({ count: ROWS, payload: constants })],
    ['empty columns', sealed({ count: ROWS, payload: absent })],
  ])('of %s costs less than a megabyte', (_, bytes) => {
    expect(bytes.length).toBeLessThan(130);
    expect(decodeData(bytes).header.count).toBe(ROWS);
    expect(kept(bytes)).toBeLessThan(2 ** 20);
  });

  it('still gives all of its rows to those who ask', () => {
    const column = decodeData(sealed({ count: ROWS, payload: constants })).groups[0]?.columns[24];
    expect(column?.values).toEqual(new Float64Array(ROWS).fill(1));
    expect(column?.present).toBeNull();
    const empty = decodeData(sealed({ count: ROWS, payload: absent })).groups[0]?.columns[35];
    expect(empty?.values).toEqual(new Float64Array(ROWS).fill(Number.NaN));
    expect(empty?.present).toEqual(new Uint8Array(ROWS));
  });

  it('is refused when its body would be a bomb', () => {
    const megabyte = zstdCompressSync(new Uint8Array(2 ** 20));
    const honest = Uint8Array.of(0x80, 0x80, 0x40, ...megabyte);
    const lying = Uint8Array.of(0x80, 0x10, ...megabyte);
    for (const payload of [honest, lying]) {
      expect(payload.length).toBeLessThan(100);
      const bytes = sealed({ count: 1, payload, zstd: true });
      expect(() => decodeData(bytes)).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
  });

  it('is refused when zstd would need a large window for it', () => {
    // Window descriptor 0xb8: 2^33 bytes; then one raw block of a byte.
    const payload = Uint8Array.of(1, 0x28, 0xb5, 0x2f, 0xfd, 0, 0xb8, 9, 0, 0, 7);
    const bytes = sealed({ count: 1, payload, zstd: true });
    expect(() => decodeData(bytes)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('is refused when it claims more samples or columns than a frame may have', () => {
    const many = sealed({ count: 4097, payload: constants });
    expect(() => readHeader(many)).toThrow(expect.objectContaining({ code: 'too_large' }));
    const wide = Uint8Array.of(...REF, ...[0x86, 0x80, 0x01], ...new Array<number>(200).fill(0));
    expect(() => decodeData(sealed({ count: 2, payload: wide }))).toThrow(/columns/);
  });
});
