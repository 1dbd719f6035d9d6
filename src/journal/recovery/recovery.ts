/**
 * What a journal does when it is opened: compares its ledger with the frames that are there, by their keys alone.
 * Normally they agree and nothing is written. After damage:
 * - seqs that neither a frame nor HQ's ack accounts for become gaps with reason `damaged`;
 * - frames that overlap others (old ones that a salvage brought back) go;
 * - a lost ledger is written again from frames and acks;
 * - when the highest seq given out is no longer certain, some seqs are skipped as `damaged`, because a seq that was
 *   used twice would be taken for a duplicate at HQ and lost without a trace.
 */
import { type Coverage, EMPTY_COVERAGE, missingWithin, type SeqRange } from '../../protocol/coverage.ts';
import type { GapReason } from '../../protocol/frame.ts';
import { readHeader } from '../../protocol/frame-codec.ts';
import { type Epoch, MAX_SEQ } from '../../protocol/sample.ts';
import type { Reader, Writer } from '../../storage/storage.ts';
import { encodeCoverage, uniteWithin } from '../coverage-sets.ts';
import { createEditor, listFrames, readAcked, readGap } from '../editor.ts';
import {
  ACKED_BEFORE_KEY,
  ACKED_KEY,
  type FrameKey,
  frameFootprint,
  frameKey,
  LEDGER_KEY,
  notableKey,
} from '../keys.ts';
import { decodeLedger, droppedSamples, emptyLedger, type Ledger } from '../ledger.ts';

/** More than can have been on its way to HQ or lost with the last commits. */
export const SEQ_SAFETY_SKIP = 65_536;

const SCAN_CHUNK = 8192;

export type Survey = {
  /** Null when there are none that could be read. */
  readonly ledger: Ledger | null;
  readonly empty: boolean;
  readonly healthy: boolean;
  /** What the ledger of an older version lacks; null: nothing. */
  readonly added: Pick<Ledger, 'frameSamples'> | null;
  /** Seqs that neither a frame nor HQ's ack accounts for. */
  readonly holes: readonly SeqRange[];
};

/** Reads keys only, but for the ledger. */
export function surveyJournal(reader: Reader): Survey {
  const ledger = decodeLedger(reader.get(LEDGER_KEY));
  const scan = scanFrames(reader, readAcked(reader) ?? EMPTY_COVERAGE);
  const holes = [...scan.holes, ...(ledger === null ? [] : missingAtEnd(reader, ledger, scan))];
  const healthy =
    ledger !== null &&
    (!ledger.hasAcked || readAcked(reader) !== undefined) &&
    scan.surplus.length === 0 &&
    holes.length === 0 &&
    scan.last <= ledger.sampled &&
    scan.frames === ledger.frames &&
    scan.pending === ledger.pending &&
    scan.thinned === ledger.thinned &&
    scan.frameBytes === ledger.frameBytes &&
    (ledger.frameSamples === null || scan.frameSamples === ledger.frameSamples) &&
    scan.footprint === ledger.footprint;
  const empty = ledger === null && scan.frames === 0 && scan.surplus.length === 0;
  const added = ledger?.frameSamples === null ? { frameSamples: scan.frameSamples } : null;
  return { ledger, empty, healthy, added, holes };
}

function missingAtEnd(reader: Reader, ledger: Ledger, scan: Scan): SeqRange[] {
  return missingWithin(readAcked(reader) ?? EMPTY_COVERAGE, scan.last + 1, ledger.sampled);
}

export type RepairRequest = {
  readonly freshEpoch: Epoch;
  /** The file itself was damaged: later commits than the ones seen may be lost. */
  readonly fileDamaged: boolean;
  readonly now: number;
};

/** The ledger of a journal that begins. What an earlier one was acked must not count for this one. */
export function beginJournal(writer: Writer, epoch: Epoch, now: number): Ledger {
  forgetAcked(writer);
  return createEditor(writer, now, emptyLedger(epoch)).finish();
}

/** What was acked of an epoch says nothing about another. */
export function forgetAcked(writer: Writer): void {
  writer.remove(ACKED_KEY);
  writer.remove(ACKED_BEFORE_KEY);
}

/** Mends everything in one transaction; returns the ledger. */
export function repairJournal(writer: Writer, { freshEpoch, fileDamaged, now }: RepairRequest): Ledger {
  const known = decodeLedger(writer.get(LEDGER_KEY));
  const epoch = known?.epoch ?? firstEpoch(writer, allFrames(writer));
  if (epoch === null) return beginAnew(writer, freshEpoch, now);
  const readable = readAcked(writer);
  const ackedLost = readable === undefined && (known === null || known.hasAcked);
  // Without the acks nobody knows which holes are damage: HQ will say, it accounts for what it lacks.
  const acked = readable ?? (ackedLost ? complementOfFrames(writer) : EMPTY_COVERAGE);
  const scan = scanFrames(writer, acked);
  const seen = Math.max(known?.sampled ?? 0, scan.last, acked.ranges.at(-1)?.[1] ?? acked.contiguous);
  const skipped = (known === null || fileDamaged) && seen > 0 ? SEQ_SAFETY_SKIP : 0;
  const sampled = seen + skipped;

  for (const frame of scan.surplus) {
    writer.remove(frameKey(frame));
    if (frame.notable) writer.remove(notableKey(frame));
  }
  const holes = [...scan.holes, ...missingWithin(acked, scan.last + 1, sampled)];
  const inHoles = holes.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  // Lost gap frames were counted as dropped before; only lost samples are newly so.
  const newlyLost =
    known === null
      ? inHoles
      : Math.min(inHoles, Math.max(0, known.pending - scan.pending) + (sampled - known.sampled));
  const dropped = known?.dropped ?? droppedIn(writer);
  const base: Ledger = {
    ...emptyLedger(epoch),
    sampled,
    pending: scan.pending,
    thinned: scan.thinned,
    frames: scan.frames,
    frameBytes: scan.frameBytes,
    frameSamples: scan.frameSamples,
    footprint: scan.footprint,
    hasAcked: known?.hasAcked === true || acked !== EMPTY_COVERAGE,
    dropped: newlyLost === 0 ? dropped : { ...dropped, damaged: (dropped.damaged ?? 0) + newlyLost },
    // Else HQ would take a journal that was mended for a copy.
    greeting: known?.greeting ?? null,
    begun: known?.begun ?? null,
    rebuilt: known === null || fileDamaged || known.rebuilt,
    hq: known?.hq ?? null,
    forked: known?.forked ?? false,
    skipped: [...(known?.skipped ?? []), ...(skipped > 0 ? [[seen + 1, sampled] as [number, number]] : [])],
  };
  if (base.hasAcked) writer.put(ACKED_KEY, encodeCoverage(acked));
  writer.remove(ACKED_BEFORE_KEY);
  const editor = createEditor(writer, now, boundDropped(base));
  for (const hole of holes) editor.addGap(hole, 'damaged', { tsMin: now, tsMax: now });
  return editor.finish();
}

/** A new ledger from frames of which none is acked; what is missing among them is named as `damaged`. */
export function recountJournal(
  writer: Writer,
  { epoch, sampled, now }: { readonly epoch: Epoch; readonly sampled: number; readonly now: number },
): Ledger {
  const { holes, surplus: _, last, ...counts } = scanFrames(writer, EMPTY_COVERAGE);
  const base = { ...emptyLedger(epoch), sampled, ...counts };
  const editor = createEditor(writer, now, { ...base, dropped: droppedIn(writer) });
  for (const hole of [...holes, ...missingWithin(EMPTY_COVERAGE, last + 1, sampled)]) {
    editor.addGap(hole, 'damaged', { tsMin: now, tsMax: now });
    editor.countDropped('damaged', hole[1] - hole[0] + 1);
  }
  return editor.finish();
}

/**
 * Neither the ledger nor any frame says which epoch it was: what the keys of the frames speak of is lost, in a new
 * epoch.
 */
function beginAnew(writer: Writer, epoch: Epoch, now: number): Ledger {
  let lost = 0;
  let last = 0;
  for (const frame of [...allFrames(writer)]) {
    lost += Math.max(0, frame.lastSeq - Math.max(last, frame.firstSeq - 1));
    last = Math.max(last, frame.lastSeq);
    writer.remove(frameKey(frame));
    if (frame.notable) writer.remove(notableKey(frame));
  }
  forgetAcked(writer);
  const base = { ...emptyLedger(epoch), sampled: lost, dropped: lost === 0 ? {} : { damaged: lost } };
  const editor = createEditor(writer, now, base);
  if (lost > 0) editor.addGap([1, lost], 'damaged', { tsMin: now, tsMax: now });
  return editor.finish();
}

/** A ledger can be older than the frames with it; the equation holds all the same. */
function boundDropped(ledger: Ledger): Ledger {
  const surplus = droppedSamples(ledger.dropped) + ledger.pending - ledger.sampled;
  if (surplus <= 0) return ledger;
  let rest = surplus;
  const dropped: Ledger['dropped'] = {};
  for (const [reason, samples] of Object.entries(ledger.dropped) as [GapReason, number][]) {
    const taken = Math.min(samples, rest);
    rest -= taken;
    dropped[reason] = samples - taken;
  }
  return { ...ledger, dropped };
}

type Scan = {
  readonly frames: number;
  readonly frameBytes: number;
  readonly frameSamples: number;
  readonly footprint: number;
  readonly pending: number;
  readonly thinned: number;
  /** Last seq of the last frame; 0 without frames. */
  readonly last: number;
  /** Unacked seqs before `last` that no frame holds. */
  readonly holes: readonly SeqRange[];
  /** Frames that overlap others or are acked wholly. */
  readonly surplus: readonly FrameKey[];
};

function scanFrames(reader: Reader, acked: Coverage): Scan {
  const totals = {
    frames: 0,
    frameBytes: 0,
    frameSamples: 0,
    footprint: 0,
    pending: 0,
    thinned: 0,
    last: 0,
  };
  const holes: SeqRange[] = [];
  const surplus: FrameKey[] = [];
  const cursor = { ranges: 0 };
  const accept = (frame: FrameKey) => {
    const missing = missingFrom(acked, cursor, frame.firstSeq, frame.lastSeq);
    if (frame.firstSeq <= totals.last || missing.length === 0) {
      surplus.push(frame);
      return;
    }
    if (frame.firstSeq > totals.last + 1) {
      holes.push(...missingWithin(acked, totals.last + 1, frame.firstSeq - 1));
    }
    totals.frames += 1;
    totals.frameBytes += frame.size;
    totals.footprint += frameFootprint(frame);
    const samples = missing.reduce((sum, [a, b]) => sum + b - a + 1, 0);
    if (frame.kind !== 'gap') {
      totals.pending += samples;
      totals.frameSamples += frame.lastSeq - frame.firstSeq + 1;
    }
    if (frame.kind === 'thinned') totals.thinned += samples;
    totals.last = frame.lastSeq;
  };
  for (const frame of allFrames(reader)) accept(frame);
  return { ...totals, holes, surplus };
}

/** missingWithin for ascending questions: skips ranges that lie behind for good. */
function missingFrom(acked: Coverage, cursor: { ranges: number }, first: number, last: number): SeqRange[] {
  const { ranges } = acked;
  while (cursor.ranges < ranges.length && (ranges[cursor.ranges]?.[1] ?? 0) < first) cursor.ranges += 1;
  const next = ranges[cursor.ranges];
  if (next === undefined || next[0] > last) return missingWithin({ ...acked, ranges: [] }, first, last);
  return missingWithin({ ...acked, ranges: ranges.slice(cursor.ranges) }, first, last);
}

/** In order of first seq; of frames that begin alike the longest first. */
function* allFrames(reader: Reader): Generator<FrameKey> {
  let alike: FrameKey[] = [];
  for (let first = 0; ; ) {
    const chunk = listFrames(reader, { first, last: MAX_SEQ, limit: SCAN_CHUNK });
    for (const frame of chunk) {
      if (alike[0] !== undefined && alike[0].firstSeq !== frame.firstSeq) {
        yield* alike.reverse();
        alike = [];
      }
      alike.push(frame);
    }
    const last = chunk.at(-1);
    if (last === undefined || chunk.length < SCAN_CHUNK) break;
    // The last ones are read again with the next chunk, so that all that begin alike are seen together.
    first = last.firstSeq;
    alike = alike.filter(({ firstSeq }) => firstSeq !== last.firstSeq);
    if (chunk[0]?.firstSeq === last.firstSeq) break;
  }
  yield* alike.reverse();
}

function complementOfFrames(reader: Reader): Coverage {
  const ranges: SeqRange[] = [];
  let next = 1;
  for (const { firstSeq, lastSeq } of allFrames(reader)) {
    if (firstSeq > next) ranges.push([next, firstSeq - 1]);
    next = Math.max(next, lastSeq + 1);
  }
  return uniteWithin({ contiguous: 0, ranges }, EMPTY_COVERAGE, MAX_SEQ);
}

/** Epoch of the first of them that can be read. */
function firstEpoch(reader: Reader, frames: Iterable<FrameKey>): Epoch | null {
  for (const frame of frames) {
    const epoch = frameEpoch(reader, frame);
    if (epoch !== null) return epoch;
  }
  return null;
}

/** Null when the frame cannot be read. */
function frameEpoch(reader: Reader, frame: FrameKey): Epoch | null {
  const bytes = reader.get(frameKey(frame));
  try {
    return bytes === undefined ? null : readHeader(bytes).epoch;
  } catch {
    return null;
  }
}

/**
 * Where a renewal stands whose ledger is lost: frames that have moved carry another epoch than those behind them. Null
 * when all carry the same, or when something was acked in it: then none is under way.
 */
export function findRenewal(reader: Reader): Ledger | null {
  const end = listFrames(reader, { first: 0, last: MAX_SEQ, limit: SCAN_CHUNK, reverse: true });
  const before = firstEpoch(reader, end);
  const epoch = firstEpoch(reader, allFrames(reader));
  if (before === null || epoch === null || epoch === before || readAcked(reader) !== undefined) return null;
  let next = 1;
  let from = 1;
  for (const frame of allFrames(reader)) {
    const carried = frameEpoch(reader, frame);
    if (carried === epoch) next = frame.lastSeq + 1;
    // What cannot be read between the two is lost either way.
    else if (from < next) from = frame.firstSeq;
    if (carried !== null && carried !== epoch) break;
  }
  const sampled = end[0]?.lastSeq ?? 0;
  return { ...emptyLedger(before), sampled, hasAcked: true, renewal: { epoch, from, next } };
}

function droppedIn(reader: Reader): Ledger['dropped'] {
  const dropped: Ledger['dropped'] = {};
  for (const frame of allFrames(reader)) {
    const gap = frame.kind === 'gap' ? readGap(reader, frame) : null;
    if (gap === null) continue;
    dropped[gap.reason] = (dropped[gap.reason] ?? 0) + frame.lastSeq - frame.firstSeq + 1;
  }
  return dropped;
}
