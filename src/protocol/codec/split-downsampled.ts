/** Thinned frames in pieces: possible wherever no bucket has samples on both sides. */
import type { DownsampledFrame } from '../frame.ts';
import { sliceBuckets } from './buckets.ts';
import { decodeDownsampled, encodeDownsampled, placesOf } from './downsampled.ts';

/**
 * Seqs at which a frame can be cut: those before belong to buckets that begin before, and to nothing else. What begins
 * before a seq accounts for at least all seqs before it; where it accounts for no more, nothing reaches across.
 */
function cutsOf({ header, groups }: DownsampledFrame): number[] {
  const { starts, sizes } = placesOf(groups);
  const cuts: number[] = [];
  let samples = 0;
  for (let row = 0; row < starts.length; row += 1) {
    const start = starts[row] as number;
    if (row > 0 && samples === start - header.firstSeq) cuts.push(start);
    samples += sizes[row] as number;
  }
  return cuts;
}

/**
 * A thinned frame as frames within the limits, in seq order; what cannot be cut any further is returned as it is,
 * however large. Throws FrameError.
 */
export function splitDownsampled(
  bytes: Uint8Array,
  limits: { readonly maxBytes: number; readonly maxRows: number },
): readonly Uint8Array[] {
  const frame = decodeDownsampled(bytes);
  const rows = frame.groups.reduce((sum, { seqs }) => sum + seqs.length, 0);
  if (bytes.length <= limits.maxBytes && rows <= limits.maxRows) return [bytes];
  const { epoch, firstSeq, count } = frame.header;
  const cuts = cutsOf(frame);
  const middle = cuts[cuts.length >> 1];
  if (middle === undefined) return [bytes];
  const part = (first: number, end: number) =>
    encodeDownsampled({
      epoch,
      firstSeq: first,
      count: end - first,
      groups: sliceBuckets(frame.groups, first, end - 1),
    });
  return [part(firstSeq, middle), part(middle, firstSeq + count)].flatMap((one) =>
    splitDownsampled(one, limits),
  );
}
