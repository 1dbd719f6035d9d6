/**
 * Gives a journal a new epoch and keeps what is pending in it: for a disk that was cloned, whose seqs the other one
 * uses too.
 *
 * Frames that HQ has not acked move to the front, in order, under the new epoch and new seqs from 1; what is acked of
 * them stays behind. New seqs never exceed old ones, so it happens in place, a slice of frames in each commit; the
 * ledger says how far it has come, and an open that finds it so goes on with it. Frames that cannot be read, or are
 * gone, become gaps, as always. Seqs that a recovery had passed over for safety stay behind.
 */
import { concatMap, EMPTY, expand, last, type Observable, subscribeOn } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { cover, EMPTY_COVERAGE, missingWithin } from '../../protocol/coverage.ts';
import { encodeGap, readHeader, resealFrame, sliceFrame } from '../../protocol/frame-codec.ts';
import { type Epoch, MAX_SEQ } from '../../protocol/sample.ts';
import { type Reader, type Storage, StorageError, type Writer } from '../../storage/storage.ts';
import { listFrames, readAcked, readFrame, readGap } from '../editor.ts';
import { ACKED_BEFORE_KEY, ACKED_KEY, type FrameKey, frameKey, LEDGER_KEY, notableKey } from '../keys.ts';
import { decodeLedger, encodeLedger, type Ledger } from '../ledger.ts';
import { findRenewal, forgetAcked, recountJournal } from './recovery.ts';

const SLICE_FRAMES = 64;

type Renewal = NonNullable<Ledger['renewal']>;

/** The one that was cut off; null: none was. */
export function unfinishedRenewal(reader: Reader): Renewal | null {
  return (decodeLedger(reader.get(LEDGER_KEY)) ?? findRenewal(reader))?.renewal ?? null;
}

/**
 * Emits the ledger of the renewed journal, then completes. `epoch`: the new one; an earlier renewal that was cut off
 * keeps its own.
 */
export function renewJournal(
  { storage, clock }: { readonly storage: Storage; readonly clock: Clock },
  epoch: Epoch,
): Observable<Ledger> {
  const slice = () => storage.commit((writer) => renewSlice(writer, epoch, clock.now()));
  return slice().pipe(
    expand((more) => (more ? slice().pipe(subscribeOn(clock.scheduler)) : EMPTY)),
    last(),
    concatMap(() => storage.commit((writer) => finish(writer, clock.now()))),
  );
}

/** True when there is more to do. */
function renewSlice(writer: Writer, epoch: Epoch, now: number): boolean {
  const ledger = ledgerOf(writer);
  const begun = ledger.renewal ?? beginRenewal(writer, epoch);
  const frames = listFrames(writer, { first: begun.from, last: MAX_SEQ, limit: SLICE_FRAMES });
  // A version that did not put them aside may have begun it.
  const readable = readAcked(writer, ACKED_BEFORE_KEY) ?? readAcked(writer);
  // What was passed over stays behind as well.
  const acked = ledger.skipped.reduce(
    (all, [first, last]) => cover(all, first, last),
    readable ?? EMPTY_COVERAGE,
  );
  // Without the acks nobody knows which holes are damage.
  const holesCount = readable !== undefined || !ledger.hasAcked;
  let { from, next } = begun;
  const lose = (last: number) => {
    if (!holesCount) return;
    for (const [first, end] of missingWithin(acked, Math.max(from, 1), last)) {
      const count = end - first + 1;
      const times = { tsMin: now, tsMax: now };
      const bytes = encodeGap({ epoch: begun.epoch, firstSeq: next, count, ...times, reason: 'damaged' });
      put(writer, bytes, false);
      next += count;
    }
  };
  for (const frame of frames) {
    lose(frame.firstSeq - 1);
    const pieces = missingWithin(acked, frame.firstSeq, frame.lastSeq).map(([first, end]) => {
      const bytes = renewed(writer, frame, { first, last: end, firstSeq: next, epoch: begun.epoch, now });
      next += end - first + 1;
      return bytes;
    });
    writer.remove(frameKey(frame));
    if (frame.notable) writer.remove(notableKey(frame));
    for (const bytes of pieces) put(writer, bytes, frame.notable);
    from = frame.lastSeq + 1;
  }
  const more = frames.length === SLICE_FRAMES;
  if (!more) {
    lose(ledger.sampled);
    from = Math.max(from, ledger.sampled + 1);
  }
  writer.put(LEDGER_KEY, encodeLedger({ ...ledger, renewal: { epoch: begun.epoch, from, next } }));
  return more;
}

/** Acks are put aside: should the ledger be lost half-way, they must not count for the new epoch. */
function beginRenewal(writer: Writer, epoch: Epoch): Renewal {
  const acked = writer.get(ACKED_KEY);
  forgetAcked(writer);
  if (acked !== undefined) writer.put(ACKED_BEFORE_KEY, acked);
  return { epoch, from: 0, next: 1 };
}

type Piece = {
  /** Of the old frame. */
  readonly first: number;
  readonly last: number;
  readonly firstSeq: number;
  readonly epoch: Epoch;
  readonly now: number;
};

function renewed(writer: Writer, frame: FrameKey, { first, last, firstSeq, epoch, now }: Piece): Uint8Array {
  const count = last - first + 1;
  const gap = frame.kind === 'gap' ? readGap(writer, frame) : null;
  if (gap !== null) {
    const { tsMin, tsMax, reason } = gap;
    return encodeGap({ epoch, firstSeq, count, tsMin, tsMax, reason });
  }
  const read = frame.kind === 'gap' ? null : readFrame(writer, frame);
  try {
    // Buckets that HQ has a part of cannot be cut: that is thrown, and the rest of them given up.
    const isWhole = first === frame.firstSeq && last === frame.lastSeq;
    const bytes = read === null || isWhole ? read?.bytes : sliceFrame(read.bytes, first, last);
    if (bytes !== undefined) return resealFrame(bytes, { epoch, firstSeq });
  } catch {}
  return encodeGap({ epoch, firstSeq, count, tsMin: now, tsMax: now, reason: 'damaged' });
}

function put(writer: Writer, bytes: Uint8Array, notable: boolean): void {
  const { firstSeq, count, kind } = readHeader(bytes);
  const key: FrameKey = {
    firstSeq,
    lastSeq: firstSeq + count - 1,
    kind,
    notable: notable && kind !== 'gap',
    size: bytes.length,
  };
  writer.put(frameKey(key), bytes);
  if (key.notable) writer.put(notableKey(key), new Uint8Array(0));
}

function finish(writer: Writer, now: number): Ledger {
  const { renewal } = ledgerOf(writer);
  if (renewal === null) throw new StorageError('io', 'The renewal of the journal has lost its place.');
  forgetAcked(writer);
  return recountJournal(writer, { epoch: renewal.epoch, sampled: renewal.next - 1, now });
}

function ledgerOf(writer: Writer): Ledger {
  const ledger = decodeLedger(writer.get(LEDGER_KEY)) ?? findRenewal(writer);
  if (ledger === null)
    throw new StorageError('io', 'The journal has lost its ledger. Restart it: it is rebuilt then.');
  return ledger;
}
