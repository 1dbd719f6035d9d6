/**
 * Finds in the index what rollups have missed. Frames are merged and filed meanwhile; a seq is found once all the same,
 * as only those count that are still missed, and what is found is taken off in the transaction that adds it.
 */
import type { SeqRange } from '../../protocol/coverage.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Storage } from '../../storage/storage.ts';
import { decodeFrameRecord, type FrameRecord } from './frame-record.ts';
import { parseSeqKey, seqKey, seqRange, successor } from './keys.ts';
import type { RollupInput } from './rollup-plan.ts';
import { without } from './rollup-state.ts';

export type Found = {
  readonly inputs: readonly RollupInput[];
  /** What is missed still. */
  readonly left: readonly SeqRange[];
};

/** Frames of one step, and their bytes, about. */
const STEP_FRAMES = 256;
const STEP_BYTES = 1024 * 1024;

/** The next frames that hold seqs of `missed`; what is not there any more is not missed either. */
export function* findMissed(
  storage: Storage,
  { agent, epoch }: { readonly agent: string; readonly epoch: Epoch },
  missed: readonly SeqRange[],
): Generator<void, Found> {
  const inputs: RollupInput[] = [];
  let left = missed;
  let bytes = 0;
  let key: Uint8Array | null = null;
  while (left.length > 0 && inputs.length < STEP_FRAMES && bytes < STEP_BYTES) {
    const found: { key: Uint8Array; record: FrameRecord | undefined } | undefined = storage.read((reader) => {
      const entry =
        key === null
          ? firstFrame(reader, { agent, epoch }, left[0]?.[0] ?? 0)
          : reader.range({ from: successor(key), to: seqRange('F', agent, epoch, 0).to, limit: 1 })[0];
      return entry === undefined ? undefined : { key: entry.key, record: decodeFrameRecord(entry.value) };
    });
    if (found === undefined || parseSeqKey(found.key).seq > (left.at(-1)?.[1] ?? 0))
      return { inputs, left: [] };
    key = found.key;
    const own = found.record === undefined ? [] : overlap(found.record, left);
    if (found.record !== undefined && own.length > 0) {
      inputs.push({
        record: found.record,
        owns: (seq) => own.some(([from, to]) => from <= seq && seq <= to),
      });
      bytes += found.record.frame.length;
      for (const [from, to] of own) left = without(left, from, to);
    }
    yield;
  }
  return { inputs, left };
}

/** The frame that begins at or before the seq, else the next one. */
function firstFrame(
  reader: Parameters<Parameters<Storage['read']>[0]>[0],
  { agent, epoch }: { readonly agent: string; readonly epoch: Epoch },
  seq: number,
) {
  const { from, to } = seqRange('F', agent, epoch, 0);
  const at = seqKey('F', agent, epoch, seq);
  const before = reader.range({ from, to: successor(at), reverse: true, limit: 1 })[0];
  return before ?? reader.range({ from: at, to, limit: 1 })[0];
}

function overlap({ segments }: FrameRecord, ranges: readonly SeqRange[]): readonly SeqRange[] {
  return segments.flatMap(({ first, last }) =>
    ranges.flatMap(([from, to]): SeqRange[] => {
      const [start, end] = [Math.max(first, from), Math.min(last, to)];
      return start <= end ? [[start, end]] : [];
    }),
  );
}
