/**
 * Coverage as answers carry it: cut down to a bounded number of ranges, the one that is answered always among them.
 */
import type { Coverage, SeqRange } from '../../../protocol/coverage.ts';

/** Acks are cumulative: what is left out now is in a later one, when the holes below have been filled. */
export const MAX_ACK_RANGES = 128;

type AckCoverage = { contiguous: number; ranges: [number, number][] };

/**
 * All of it: what the answer to the hello of an agent that knows no pages carries, so that it sees what HQ no longer
 * holds.
 */
export function wholeCoverage({ contiguous, ranges }: Coverage): AckCoverage {
  return { contiguous, ranges: ranges.map(([first, last]) => [first, last]) };
}

/** The first ranges that end beyond `after`, and whether more follow. */
export function coveragePage(
  { contiguous, ranges }: Coverage,
  after = 0,
): { readonly ack: AckCoverage; readonly more: boolean } {
  const rest = ranges.filter(([, last]) => last > after);
  const page = wholeCoverage({ contiguous, ranges: rest.slice(0, MAX_ACK_RANGES) });
  return { ack: page, more: rest.length > MAX_ACK_RANGES };
}

/** `around`: a seq that the ack must speak of. */
export function ackCoverage({ contiguous, ranges }: Coverage, around = 0): AckCoverage {
  const copy = (some: readonly SeqRange[]) => some.map(([first, last]): [number, number] => [first, last]);
  if (ranges.length <= MAX_ACK_RANGES) return { contiguous, ranges: copy(ranges) };
  const kept = ranges.slice(0, MAX_ACK_RANGES);
  const beyond = kept.at(-1)?.[1] ?? contiguous;
  if (around > beyond) {
    const own = ranges.find(([first, last]) => first <= around && around <= last);
    if (own !== undefined) kept[kept.length - 1] = own;
  }
  return { contiguous, ranges: copy(kept) };
}
