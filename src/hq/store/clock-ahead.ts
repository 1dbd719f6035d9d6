/**
 * Samples that are dated ahead of HQ's clock by more than an allowance: microseconds taken for ms, a clock that was
 * never set. They are kept and shown, marked, but nothing that is a maximum of times may come from them: it would stand
 * for good.
 */
import type { FrameRecord } from './frame-record.ts';
import { segmentOf } from './time-index.ts';

/** A day: the widest mistake of time zones, and what is ahead by less is past soon. */
export const MAX_AHEAD_MS = 86_400_000;

/** `arrivalTs`: HQ's clock when it came. */
export const isAhead = (ts: number, arrivalTs: number, maxAheadMs: number): boolean =>
  ts > arrivalTs + maxAheadMs;

const never = (): boolean => false;

/** Whether a sample of the record, by its seq and time, was ahead when it came; `tsMax`: of all of them. */
export function aheadIn(
  record: FrameRecord,
  tsMax: number,
  maxAheadMs: number,
): (seq: number, ts: number) => boolean {
  if (record.segments.every(({ arrivalTs }) => !isAhead(tsMax, arrivalTs, maxAheadMs))) return never;
  return (seq, ts) => {
    const arrivalTs = segmentOf(record, seq)?.arrivalTs;
    return arrivalTs !== undefined && isAhead(ts, arrivalTs, maxAheadMs);
  };
}
