/** Whether what HQ says it holds can be true. Nothing is released on a word that cannot. */
import { type Coverage, missingWithin } from '../../protocol/coverage.ts';

export type AckBounds = {
  /** Highest seq given out. */
  readonly sampled: number;
  /**
   * What HQ may hold: what it was sent, and all that was given out before it was first asked. Null: it was never asked.
   */
  readonly known: Coverage | null;
};

/** What is wrong with an ack, or null. */
export function checkAck(ack: Coverage, bounds: AckBounds): string | null {
  const { sampled, known } = bounds;
  let last = ack.contiguous;
  for (const [start, end] of ack.ranges) {
    if (start > end || start <= last + 1)
      return `the range ${start}–${end} is empty, out of order or touches what lies below it`;
    last = end;
  }
  if (last > sampled) return `seq ${last} is acknowledged, but only ${sampled} were given out`;
  if (known === null) return null;
  for (const [start, end] of [[1, ack.contiguous] as const, ...ack.ranges]) {
    const [never] = missingWithin(known, start, end);
    if (never !== undefined) return `seqs ${never[0]}–${never[1]} are acknowledged, but were never sent`;
  }
  return null;
}
