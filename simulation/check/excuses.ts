/**
 * Seqs that may leave an agent's disk before HQ has them: a renewed journal gives their samples others, or counts them
 * as gone.
 */
import { cover, missingWithin } from '../../src/protocol/coverage.ts';
import { type DiskTruth, epochIn, type HeldFrame } from './epoch-truth.ts';

/** A renewed journal holds the same samples under another epoch and other seqs. */
export function excuseMoved(disk: DiskTruth, { epoch, first, last }: HeldFrame): void {
  const truth = epochIn(disk, epoch);
  for (let seq = first; seq <= last; seq += 1) {
    const id = truth.contents.get(seq)?.id;
    if (id === undefined || disk.places.get(id) === epoch) continue;
    truth.destroyed = cover(truth.destroyed, seq, seq);
  }
}

/**
 * What had been given up, and what a renewal could not take along, damaged frames and cut buckets, it counts in gaps
 * under the new epoch: so many seqs of the old one are excused, those first that HQ never held.
 */
export function excuseGivenUp(
  disk: DiskTruth,
  removed: readonly HeldFrame[],
  put: readonly HeldFrame[],
): void {
  for (const epoch of new Set(removed.map((frame) => frame.epoch))) {
    const old = removed.filter((frame) => frame.epoch === epoch);
    let left = gapSeqs(put.filter((frame) => frame.epoch !== epoch));
    const truth = epochIn(disk, epoch);
    const atHq = disk.everAtHq(epoch);
    for (const gap of old.filter(({ kind }) => kind === 'gap')) {
      // Of a gap only that is counted again which HQ lacks.
      const lacking = missingWithin(atHq, gap.first, gap.last);
      const seqs = lacking.reduce((sum, [first, last]) => sum + last - first + 1, 0);
      if (seqs > left) continue;
      truth.destroyed = cover(truth.destroyed, gap.first, gap.last);
      left -= seqs;
    }
    const candidates = old
      .filter(({ kind }) => kind !== 'gap')
      .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index))
      .filter((seq) => missingWithin(truth.destroyed, seq, seq).length > 0)
      .sort((a, b) => b - a);
    const isNew = (seq: number) => missingWithin(atHq, seq, seq).length > 0;
    for (const seq of [...candidates.filter(isNew), ...candidates.filter((one) => !isNew(one))]) {
      if (left <= 0) break;
      truth.destroyed = cover(truth.destroyed, seq, seq);
      left -= 1;
    }
  }
}

function gapSeqs(frames: readonly HeldFrame[]): number {
  return frames.reduce((sum, { first, last, kind }) => sum + (kind === 'gap' ? last - first + 1 : 0), 0);
}
