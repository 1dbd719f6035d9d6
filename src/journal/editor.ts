/**
 * Changes to frames within one transaction, with the ledger kept with them: every way in which a frame comes, goes or
 * turns into a gap is here, so that `sampled = acked + pending + Σ dropped` holds after each.
 */
import { type Coverage, EMPTY_COVERAGE, missingWithin, type SeqRange } from '../protocol/coverage.ts';
import type { FrameHeader, FrameKind, GapReason } from '../protocol/frame.ts';
import { decodeGap, encodeGap, readHeader, sliceFrame, verifyFrame } from '../protocol/frame-codec.ts';
import { MAX_SEQ } from '../protocol/sample.ts';
import { type Reader, StorageError, type Writer } from '../storage/storage.ts';
import { decodeCoverage } from './coverage-sets.ts';
import {
  ACKED_KEY,
  type FrameKey,
  frameFootprint,
  frameKey,
  framesStarting,
  LEDGER_KEY,
  notableKey,
  parseFrameKey,
} from './keys.ts';
import { decodeLedger, encodeLedger, type Ledger } from './ledger.ts';

export type Times = { readonly tsMin: number; readonly tsMax: number };

export type JournalEditor = {
  /** The ledger as it stands. */
  readonly ledger: Ledger;
  readonly acked: Coverage;
  /**
   * Puts a data or thinned frame. Its samples are counted by the caller: new ones are pending, rewritten ones were
   * already.
   */
  readonly addFrame: (bytes: Uint8Array, header: FrameHeader, notable: boolean) => FrameKey;
  /** Puts a gap over `range`, joined with its neighbours of the same reason. */
  readonly addGap: (range: SeqRange, reason: GapReason, times: Times) => FrameKey;
  readonly remove: (frame: FrameKey) => void;
  /**
   * Replaces a data or thinned frame by gaps over those of its seqs that HQ does not hold, and counts them as dropped.
   */
  readonly drop: (frame: FrameKey, reason: GapReason) => void;
  readonly count: (
    change: Partial<
      Pick<Ledger, 'sampled' | 'thinned' | 'hasAcked' | 'greeting' | 'begun' | 'rebuilt' | 'hq' | 'forked'>
    >,
  ) => void;
  /** Samples of a frame of this kind become pending, or are so no more (negative). Those of gaps never are. */
  readonly countPending: (kind: FrameKind, samples: number) => void;
  readonly countDropped: (reason: GapReason, samples: number) => void;
  /** Writes the ledger; returns it. */
  readonly finish: () => Ledger;
};

export function createEditor(writer: Writer, fallbackTs: number, base?: Ledger): JournalEditor {
  const draft: Draft = { writer, fallbackTs, ledger: base ?? readLedger(writer), acked: null };
  return {
    get ledger() {
      return draft.ledger;
    },
    get acked() {
      return ackedOf(draft);
    },
    addFrame: (bytes, { firstSeq, count: samples, kind }, notable) => {
      const frame = { firstSeq, lastSeq: firstSeq + samples - 1, kind, notable, size: bytes.length };
      put(draft, frame, bytes);
      return frame;
    },
    addGap: (range, reason, times) => addGap(draft, range, reason, times),
    remove: (frame) => remove(draft, frame),
    drop: (frame, reason) => drop(draft, frame, reason),
    count: (change) => {
      draft.ledger = { ...draft.ledger, ...change };
    },
    countPending: (kind, samples) => countPending(draft, kind, samples),
    countDropped: (reason, samples) => countDropped(draft, reason, samples),
    finish: () => {
      const { ledger } = draft;
      const first = listFrames(writer, { first: 0, last: MAX_SEQ, limit: 1 })[0];
      const released = first === undefined ? ledger.sampled : first.firstSeq - 1;
      draft.ledger = { ...ledger, released, oldest: findOldest(writer, ledger.oldest, fallbackTs) };
      writer.put(LEDGER_KEY, encodeLedger(draft.ledger));
      return draft.ledger;
    },
  };
}

/** What a transaction has changed so far. */
type Draft = {
  readonly writer: Writer;
  /** For a gap whose times cannot be read. */
  readonly fallbackTs: number;
  ledger: Ledger;
  /** Null until it is asked for. */
  acked: Coverage | null;
};

function ackedOf(draft: Draft): Coverage {
  draft.acked ??= readAcked(draft.writer) ?? EMPTY_COVERAGE;
  return draft.acked;
}

function account(draft: Draft, frame: FrameKey, sign: 1 | -1): void {
  const { ledger } = draft;
  const samples = frame.kind === 'gap' ? 0 : frame.lastSeq - frame.firstSeq + 1;
  const { frameSamples } = ledger;
  draft.ledger = {
    ...ledger,
    frames: ledger.frames + sign,
    frameBytes: ledger.frameBytes + sign * frame.size,
    frameSamples: frameSamples === null ? null : frameSamples + sign * samples,
    footprint: ledger.footprint + sign * frameFootprint(frame),
  };
}

function put(draft: Draft, frame: FrameKey, bytes: Uint8Array): void {
  draft.writer.put(frameKey(frame), bytes);
  if (frame.notable) draft.writer.put(notableKey(frame), new Uint8Array(0));
  account(draft, frame, 1);
}

function remove(draft: Draft, frame: FrameKey): void {
  draft.writer.remove(frameKey(frame));
  if (frame.notable) draft.writer.remove(notableKey(frame));
  account(draft, frame, -1);
}

function addGap(draft: Draft, [first, last]: SeqRange, reason: GapReason, times: Times): FrameKey {
  const { writer } = draft;
  const before = first > 1 ? frameHolding(writer, first - 1) : undefined;
  const after = frameStartingAt(writer, last + 1);
  const [joinedBefore, joinedAfter] = [absorb(draft, before, reason), absorb(draft, after, reason)];
  const firstSeq = joinedBefore === null || before === undefined ? first : before.firstSeq;
  const lastSeq = joinedAfter === null || after === undefined ? last : after.lastSeq;
  const all = [times, joinedBefore, joinedAfter].filter((one) => one !== null);
  const bytes = encodeGap({
    epoch: draft.ledger.epoch,
    firstSeq,
    count: lastSeq - firstSeq + 1,
    tsMin: Math.min(...all.map(({ tsMin }) => tsMin)),
    tsMax: Math.max(...all.map(({ tsMax }) => tsMax)),
    reason,
  });
  const frame: FrameKey = { firstSeq, lastSeq, kind: 'gap', notable: false, size: bytes.length };
  put(draft, frame, bytes);
  return frame;
}

/** Takes a neighbouring gap of `reason` out, to be joined. */
function absorb(draft: Draft, frame: FrameKey | undefined, reason: GapReason): Times | null {
  if (frame?.kind !== 'gap') return null;
  const gap = readGap(draft.writer, frame);
  if (gap === null || gap.reason !== reason) return null;
  remove(draft, frame);
  return gap;
}

function drop(draft: Draft, frame: FrameKey, reason: GapReason): void {
  const { writer, fallbackTs } = draft;
  const missing = missingWithin(ackedOf(draft), frame.firstSeq, frame.lastSeq).map((range) => ({
    range,
    times: timesOfPart(writer, frame, range) ?? timesOf(writer, frame, fallbackTs),
  }));
  remove(draft, frame);
  for (const { range, times } of missing) {
    const samples = range[1] - range[0] + 1;
    addGap(draft, range, reason, times);
    countPending(draft, frame.kind, -samples);
    countDropped(draft, reason, samples);
  }
}

function countPending(draft: Draft, kind: FrameKind, samples: number): void {
  if (kind === 'gap') return;
  const { ledger } = draft;
  const thinned = ledger.thinned + (kind === 'thinned' ? samples : 0);
  draft.ledger = { ...ledger, pending: ledger.pending + samples, thinned };
}

function countDropped(draft: Draft, reason: GapReason, samples: number): void {
  if (samples === 0) return;
  const { ledger } = draft;
  const dropped = { ...ledger.dropped, [reason]: (ledger.dropped[reason] ?? 0) + samples };
  draft.ledger = { ...ledger, dropped };
}

function readLedger(reader: Reader): Ledger {
  const ledger = decodeLedger(reader.get(LEDGER_KEY));
  if (ledger === null) {
    throw new StorageError(
      'io',
      'The journal has lost its ledger while running. Restart it: it is rebuilt then.',
    );
  }
  return ledger;
}

/** Undefined when nothing has been acked or the record is damaged. */
export function readAcked(reader: Reader, key: Uint8Array = ACKED_KEY): Coverage | undefined {
  const value = reader.get(key);
  return value === undefined ? undefined : decodeCoverage(value);
}

/** Keys of frames whose first seq is within `[first, last]`. */
export function listFrames(
  reader: Reader,
  query: {
    readonly first: number;
    readonly last: number;
    readonly limit: number;
    readonly reverse?: boolean;
  },
): FrameKey[] {
  const { first, last, limit, reverse = false } = query;
  if (last < first) return [];
  return reader
    .keys({ ...framesStarting(first, last), limit, reverse })
    .flatMap((key) => parseFrameKey(key) ?? []);
}

function frameStartingAt(reader: Reader, seq: number): FrameKey | undefined {
  return listFrames(reader, { first: seq, last: seq, limit: 1 })[0];
}

export function frameHolding(reader: Reader, seq: number): FrameKey | undefined {
  const frame = listFrames(reader, { first: 0, last: seq, limit: 1, reverse: true })[0];
  return frame !== undefined && frame.lastSeq >= seq ? frame : undefined;
}

export type VerifiedFrame = {
  readonly key: FrameKey;
  readonly header: FrameHeader;
  readonly bytes: Uint8Array;
};

/** Null when the frame is damaged. */
export function readFrame(reader: Reader, key: FrameKey): VerifiedFrame | null {
  const bytes = reader.get(frameKey(key));
  if (bytes === undefined) return null;
  try {
    return { key, header: verifyFrame(bytes), bytes };
  } catch {
    return null;
  }
}

export function readGap(reader: Reader, key: FrameKey): (Times & { reason: GapReason }) | null {
  const bytes = reader.get(frameKey(key));
  if (bytes === undefined) return null;
  try {
    return decodeGap(bytes);
  } catch {
    return null;
  }
}

/** Times of a frame; of its neighbour or `fallbackTs` where the frame itself cannot be read. */
function timesOf(reader: Reader, frame: FrameKey, fallbackTs: number): Times {
  const before = listFrames(reader, { first: 0, last: frame.firstSeq - 1, limit: 1, reverse: true });
  for (const key of [frame, ...before]) {
    const bytes = reader.get(frameKey(key));
    if (bytes === undefined) continue;
    try {
      const { tsMin, tsMax } = readHeader(bytes);
      return key === frame ? { tsMin, tsMax } : { tsMin: tsMax, tsMax };
    } catch {}
  }
  return { tsMin: fallbackTs, tsMax: fallbackTs };
}

/** Of a part of a data frame, the rest of which HQ holds; null when it is the whole, or not to be had. */
function timesOfPart(reader: Reader, frame: FrameKey, [first, last]: SeqRange): Times | null {
  if (frame.kind !== 'data' || (first === frame.firstSeq && last === frame.lastSeq)) return null;
  const whole = readFrame(reader, frame);
  try {
    return whole && readHeader(sliceFrame(whole.bytes, first, last));
  } catch {
    return null;
  }
}

const OLDEST_CHUNK = 64;

/** Frames only go at the front or turn into gaps, so the search starts where the last one ended. */
function findOldest(reader: Reader, known: Ledger['oldest'], fallbackTs: number): Ledger['oldest'] {
  const there = known === null ? undefined : frameStartingAt(reader, known.seq);
  if (there !== undefined && there.kind !== 'gap') return known;
  for (let first = known?.seq ?? 0; ; ) {
    const frames = listFrames(reader, { first, last: MAX_SEQ, limit: OLDEST_CHUNK });
    const oldest = frames.find(({ kind }) => kind !== 'gap');
    if (oldest !== undefined) {
      return { seq: oldest.firstSeq, ts: timesOf(reader, oldest, fallbackTs).tsMin };
    }
    const last = frames.at(-1);
    if (frames.length < OLDEST_CHUNK || last === undefined) return null;
    first = last.firstSeq + 1;
  }
}
