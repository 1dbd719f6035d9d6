/** Whole coverages at once, in time linear in their ranges; and their stored form. */
import { type Coverage, rangesOf, type SeqRange } from '../protocol/coverage.ts';

/** Everything in `a` or `b`, cut off above `last`. */
export function uniteWithin(a: Coverage, b: Coverage, last: number): Coverage {
  const sorted = [...rangesOf(a), ...rangesOf(b)].sort((x, y) => x[0] - y[0]);
  let contiguous = 0;
  const ranges: [number, number][] = [];
  for (const [start, unbounded] of sorted) {
    const end = Math.min(unbounded, last);
    if (end < start) continue;
    if (start <= contiguous + 1) {
      contiguous = Math.max(contiguous, end);
      continue;
    }
    const previous = ranges.at(-1);
    if (previous !== undefined && start <= previous[1] + 1) previous[1] = Math.max(previous[1], end);
    else ranges.push([start, end]);
  }
  return { contiguous, ranges };
}

/** Six bytes a number: contiguous, then start and end of each range. */
export function encodeCoverage({ contiguous, ranges }: Coverage): Uint8Array {
  const bytes = Buffer.allocUnsafe(6 + ranges.length * 12);
  bytes.writeUIntBE(contiguous, 0, 6);
  ranges.forEach(([start, end], index) => {
    bytes.writeUIntBE(start, 6 + index * 12, 6);
    bytes.writeUIntBE(end, 12 + index * 12, 6);
  });
  return bytes;
}

export function decodeCoverage(value: Uint8Array): Coverage {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const ranges: SeqRange[] = [];
  for (let offset = 6; offset + 12 <= bytes.length; offset += 12) {
    ranges.push([bytes.readUIntBE(offset, 6), bytes.readUIntBE(offset + 6, 6)]);
  }
  return { contiguous: bytes.length < 6 ? 0 : bytes.readUIntBE(0, 6), ranges };
}
