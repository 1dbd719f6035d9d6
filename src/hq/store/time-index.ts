/** Finds the frames of a time range through the time index, and loads them. */

import { type Epoch, MAX_TS } from '../../protocol/sample.ts';
import type { Reader, Storage } from '../../storage/storage.ts';
import { decodeFrameRecord, type FrameRecord } from './frame-record.ts';
import {
  asBuffer,
  hourOf,
  hourRange,
  type KeyRange,
  parseSeqKey,
  parseTimeKey,
  readOrderedDouble,
  seqRange,
  successor,
} from './keys.ts';
import { readLogEntry, type TailOf } from './log-entry.ts';
import type { TimeRange } from './store.ts';

const PAGE = 512;

export type FrameRef = {
  readonly epoch: Epoch;
  /** First seq that the frame contributed. */
  readonly seq: number;
  readonly tsMin: number;
  readonly tsMax: number;
  /** In the log, when it was not in the index yet. */
  readonly number?: number;
};

/** Where frames are looked for: in the index, and in what of the log is not there yet. */
export type FrameSource = { readonly storage: Storage; readonly tail: TailOf };

/**
 * Frames that may hold samples with `from ≤ ts < to`, in the order of their tsMin. Reads the index page by page, so it
 * may be left and continued; a frame that is merged meanwhile is found by `loadFrame` all the same. One that is filed
 * meanwhile may come twice, from the log and from the index.
 */
export function* framesBetween(
  { storage, tail }: FrameSource,
  agent: string,
  range: TimeRange,
): Generator<FrameRef, void> {
  const from = Math.max(range.from, -MAX_TS);
  // Exclusive, and a sample may be of that very last moment.
  const to = Math.min(range.to, MAX_TS + 1);
  if (!(from < to)) return;
  const firstHour = hourOf(from);
  // Before the index is read: what is filed from here on is found at both places, and nothing at none.
  const inLog = tail(agent).map(({ number, epoch, first, tsMin, tsMax }) => ({
    number,
    epoch,
    seq: first,
    tsMin,
    tsMax,
  }));
  const others = [...pages(storage, hourRange(agent, 'wide', 'wide')), ...inLog]
    .filter((ref) => ref.tsMax >= from && ref.tsMin < to)
    .sort((one, other) => one.tsMin - other.tsMin);
  let next = 0;
  for (const ref of pages(storage, hourRange(agent, firstHour, hourOf(to)))) {
    if (ref.tsMin >= to || ref.tsMax < from) continue;
    // A frame of several hours is listed in each: it counts in the first one looked at.
    if (ref.hour !== Math.max(hourOf(ref.tsMin), firstHour)) continue;
    for (let one = others[next]; one !== undefined && one.tsMin <= ref.tsMin; one = others[next]) {
      yield one;
      next += 1;
    }
    yield ref;
  }
  yield* others.slice(next);
}

function* pages(storage: Storage, range: KeyRange): Generator<FrameRef & { hour: number | 'wide' }, void> {
  let from = range.from;
  for (;;) {
    const entries = storage.read((reader) => reader.range({ from, to: range.to, limit: PAGE }));
    for (const { key, value } of entries) {
      yield { ...parseTimeKey(key), tsMax: readOrderedDouble(asBuffer(value), 0) };
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < PAGE) return;
    from = successor(last.key);
  }
}

export type LoadedFrame = FrameRecord & {
  readonly epoch: Epoch;
  /** First seq that the record contributed; names it within its epoch. */
  readonly seq: number;
};

/**
 * The record that holds the seq now: the frame itself, or the one that it was merged into, or its entry of the log;
 * undefined when it is gone.
 */
export function loadFrame(
  { storage, tail }: FrameSource,
  agent: string,
  ref: Pick<FrameRef, 'epoch' | 'seq' | 'number'>,
): LoadedFrame | undefined {
  return storage.read((reader) => {
    const known = ref.number === undefined ? undefined : frameOfLog(reader, ref, ref.number);
    const found = known ?? frameOfIndex(reader, agent, ref);
    if (found !== undefined) return found;
    for (const { epoch, first, last, number } of tail(agent)) {
      if (epoch !== ref.epoch || ref.seq < first || ref.seq > last) continue;
      const frame = frameOfLog(reader, { epoch, seq: first }, number);
      if (frame !== undefined && segmentOf(frame, ref.seq) !== undefined) return frame;
    }
    return undefined;
  });
}

function frameOfLog(
  reader: Reader,
  { epoch, seq }: Pick<FrameRef, 'epoch' | 'seq'>,
  number: number,
): LoadedFrame | undefined {
  const entry = readLogEntry(reader, number);
  return entry === undefined ? undefined : { ...entry.record, epoch, seq };
}

function frameOfIndex(
  reader: Reader,
  agent: string,
  ref: { epoch: Epoch; seq: number },
): LoadedFrame | undefined {
  const { from } = seqRange('F', agent, ref.epoch, 0);
  const to = successor(seqRange('F', agent, ref.epoch, ref.seq).from);
  const entry = reader.range({ from, to, reverse: true, limit: 1 })[0];
  if (entry === undefined) return undefined;
  const record = decodeFrameRecord(entry.value);
  if (
    record === undefined ||
    !record.segments.some(({ first, last }) => first <= ref.seq && ref.seq <= last)
  ) {
    return undefined;
  }
  return { ...record, epoch: ref.epoch, seq: parseSeqKey(entry.key).seq };
}

/** The segment that a seq belongs to; undefined when the record does not own it. */
export function segmentOf(record: FrameRecord, seq: number) {
  const { segments } = record;
  let low = 0;
  let high = segments.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const segment = segments[middle];
    if (segment === undefined) return undefined;
    if (seq < segment.first) high = middle - 1;
    else if (seq > segment.last) low = middle + 1;
    else return segment;
  }
  return undefined;
}
