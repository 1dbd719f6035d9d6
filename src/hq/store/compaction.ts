/**
 * Compaction: live frames are small, and at 10 Hz a store of them would drown in records. Runs of frames with
 * consecutive seqs become one frame of up to TARGET_SAMPLES; every sample keeps its arrival time through the segments
 * of the record. Thinned frames are large as they come, and stay as they are.
 */

import type { Epoch } from '../../protocol/sample.ts';
import type { Storage } from '../../storage/storage.ts';
import { putRecord, removeRecord } from './append-frame.ts';
import { EMPTY_EPOCH } from './epoch-state.ts';
import { decodeFrameRecord } from './frame-record.ts';
import {
  emptyRun,
  fits,
  isSmall,
  isWorthMerging,
  join,
  merged,
  mergedRecord,
  type Piece,
  pieceOf,
} from './frame-run.ts';
import { parseSeqKey, seqRange } from './keys.ts';
import type { Transaction } from './transactions.ts';

/** The newest run, which may yet grow, is left alone until it has this many frames. */
const MIN_OPEN_RUN_FRAMES = 64;
const SCAN_FRAMES = 256;

/** A merge to be committed: the pieces and the frame that takes their place. */
export type Compaction = { readonly pieces: readonly Piece[]; readonly frame: Uint8Array };
export type CompactionPlan = {
  readonly merges: readonly Compaction[];
  /** Everything up to this seq has been looked at. */
  readonly mergedTo: number;
  /** The scan was cut short: there are frames behind it. */
  readonly more: boolean;
  /** Number in the arrival log of a frame that may not be merged yet; null: there was none. */
  readonly waitsFor: number | null;
};

export type CompactionScope = {
  readonly agent: string;
  readonly epoch: Epoch;
  readonly fromSeq: number;
  /** Frames with a later number of the arrival log are left alone. */
  readonly toLogNumber: number;
  readonly onBadRun: (seq: number, error: unknown) => void;
};

/** Reads the frames from `fromSeq` and encodes what can be merged; writes nothing. */
export function* planCompaction(storage: Storage, scope: CompactionScope): Generator<void, CompactionPlan> {
  const { agent, epoch, fromSeq } = scope;
  const range = { ...seqRange('F', agent, epoch, fromSeq), limit: SCAN_FRAMES };
  const keys = storage.read((reader) => reader.keys(range));
  const merges: Compaction[] = [];
  let run = emptyRun();
  let mergedTo = fromSeq - 1;
  let waitsFor: number | null = null;
  const close = function* (open: boolean): Generator<void, void> {
    const { pieces } = run;
    const last = pieces.at(-1);
    if (last === undefined || (open && pieces.length < MIN_OPEN_RUN_FRAMES)) return;
    if (isWorthMerging(run)) {
      try {
        merges.push({ pieces, frame: yield* merged(pieces) });
      } catch (error) {
        scope.onBadRun(pieces[0]?.seq ?? 0, error);
      }
    }
    mergedTo = last.last;
    run = emptyRun();
  };
  for (const key of keys) {
    const value = storage.read((reader) => reader.get(key));
    const record = value === undefined ? undefined : decodeFrameRecord(value);
    if (record === undefined) continue;
    if (record.logNumber > scope.toLogNumber) {
      waitsFor = record.logNumber;
      break;
    }
    const piece = pieceOf(parseSeqKey(key).seq, record);
    if (!fits(run, piece)) yield* close(false);
    if (isSmall(piece)) join(run, piece);
    else mergedTo = piece.last;
    yield;
  }
  // With the scan cut short the run goes on behind it.
  yield* close(keys.length < SCAN_FRAMES);
  return { merges, mergedTo, more: keys.length === SCAN_FRAMES && mergedTo >= fromSeq, waitsFor };
}

export function commitCompaction(
  transaction: Transaction,
  agent: string,
  epoch: Epoch,
  plan: CompactionPlan,
): void {
  for (const { pieces, frame } of plan.merges) {
    for (const { seq, tsMin, tsMax, record } of pieces) {
      removeRecord(transaction, { ...record, agent, epoch, seq, tsMin, tsMax });
    }
    putRecord(transaction, { agent, epoch, ...mergedRecord(pieces, frame) });
  }
  const state = transaction.epoch(agent, epoch) ?? EMPTY_EPOCH;
  transaction.setEpoch(agent, epoch, { ...state, mergedTo: Math.max(state.mergedTo, plan.mergedTo) });
}
