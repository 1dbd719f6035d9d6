/** A bound for what an epoch's coverage may cost: it is written whole with each commit of the epoch. */
import type { Coverage } from '../../../protocol/coverage.ts';
import type { FrameHeader } from '../../../protocol/frame.ts';

/** An honest agent has one range for each outage whose backlog has not been sent yet. */
export const MAX_RANGES = 10_000;

/**
 * Whether the frame would make another range of a coverage that has as many as it may: it neither fills nor touches
 * one.
 */
export function addsRangeTooMany(
  { contiguous, ranges }: Coverage,
  { firstSeq, count }: Pick<FrameHeader, 'firstSeq' | 'count'>,
): boolean {
  if (ranges.length < MAX_RANGES || firstSeq <= contiguous + 1) return false;
  const lastSeq = firstSeq + count - 1;
  return !ranges.some(([first, last]) => first <= lastSeq + 1 && last >= firstSeq - 1);
}
