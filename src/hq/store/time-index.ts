/** Finds the frames of a time range through the time index, and loads them. */

import { type Epoch, MAX_TS } from '../../protocol/sample.ts';
import { readPage } from '../../storage/read-page.ts';
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
 * Frames that may hold samples with `from ≤ ts < to`, in the order of their tsMin; null now and then, when others
 * should have their turn. Reads the index page by page, so it may be left and continued; a frame that is merged
 * meanwhile is found by `loadFrame` all the same. One that is filed meanwhile may come twice, from the log and from the
 * index.
 */
export function* framesBetween(
  { storage, tail }: FrameSource,
  agent: string,
  range: TimeRange,
): Generator<FrameRef | null, void> {
  const from = Math.max(range.from, -MAX_TS);
  // Exclusive, and a sample may be of that very last moment.
  const to = Math.min(range.to, MAX_TS + 1);
  if (!(from < to)) return;
  const firstHour = hourOf(from);
  // Before the index is read: what is filed from here on is found at both places, and nothing at none.
  const inLog = tail(agent)
    .map(({ number, epoch, first, tsMin, tsMax }) => ({ number, epoch, seq: first, tsMin, tsMax }))
    .sort((one, other) => one.tsMin - other.tsMin);
  const isWithin = ({ tsMin, tsMax }: FrameRef) => tsMin < to && tsMax >= from;
  // A frame of several hours is listed in each: it counts in the first one looked at.
  const isFirst = ({ hour, tsMin }: Listed) => hour === 'wide' || hour === Math.max(hourOf(tsMin), firstHour);
  const listed = function* (first: number | 'wide', last: number | 'wide') {
    for (const ref of pages(storage, hourRange(agent, first, last))) {
      if (ref === null) yield null;
      else if (ref.hour === 'wide' && ref.tsMin >= to) return;
      else if (isFirst(ref) && isWithin(ref)) yield ref;
    }
  };
  yield* inOrder([listed(firstHour, hourOf(to)), listed('wide', 'wide'), inLog.filter(isWithin).values()]);
}

/** What several lists hold, each in the order of tsMin, in that order. */
function* inOrder(lists: readonly Iterator<FrameRef | null, unknown>[]): Generator<FrameRef | null, void> {
  const heads: { readonly list: Iterator<FrameRef | null, unknown>; ref: FrameRef }[] = [];
  for (const list of lists) {
    const ref = yield* nextOf(list);
    if (ref !== undefined) heads.push({ list, ref });
  }
  for (;;) {
    let least = heads[0];
    for (const head of heads) if (least !== undefined && head.ref.tsMin < least.ref.tsMin) least = head;
    if (least === undefined) return;
    yield least.ref;
    const ref = yield* nextOf(least.list);
    if (ref === undefined) heads.splice(heads.indexOf(least), 1);
    else least.ref = ref;
  }
}

/** Undefined at the end. */
function* nextOf(list: Iterator<FrameRef | null, unknown>): Generator<null, FrameRef | undefined> {
  for (;;) {
    const step = list.next();
    if (step.done === true) return undefined;
    if (step.value !== null) return step.value;
    yield null;
  }
}

type Listed = FrameRef & { readonly hour: number | 'wide' };

/** Null after each page. */
function* pages(storage: Storage, range: KeyRange): Generator<Listed | null, void> {
  for (let from = range.from; ; ) {
    const { entries, next } = storage.read((reader) => readPage(reader, { from, to: range.to, limit: PAGE }));
    for (const { key, value } of entries) {
      yield { ...parseTimeKey(key), tsMax: readOrderedDouble(asBuffer(value), 0) };
    }
    if (next === null) return;
    from = next;
    yield null;
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

/**
 * Tells records apart that an agent has, or had. One that others were merged into begins with the seq of the first of
 * them, and ends with another.
 */
export function nameOfFrame({ epoch, segments }: LoadedFrame): string {
  return `${epoch}/${segments[0]?.first}/${segments.at(-1)?.last}`;
}
