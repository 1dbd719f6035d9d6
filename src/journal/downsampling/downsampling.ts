/**
 * Which frames are thinned, and when. Nothing happens until frames occupy HIGH of what they may; then passes, until
 * they occupy LOW of it or no frame can give way any more.
 *
 * A pass chooses the frames with the most bytes a sample, weighed by their age in samples. So what is kept of a time
 * falls as it recedes: each doubling of the age has about the same number of bytes, the newest samples are whole for as
 * long as that leaves room for, and each sample is rewritten as often as its age doubles, not once a pass. Every run of
 * frames is a commit of its own, and appends come in between. Choosing reads keys alone.
 *
 * Samples around anomalies are whole until nothing else is left to thin; anomalies themselves stay whole for good.
 */
import {
  concatMap,
  defer,
  EMPTY,
  expand,
  from,
  last,
  map,
  type Observable,
  of,
  reduce,
  subscribeOn,
  tap,
} from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { EMPTY_COVERAGE, type SeqRange } from '../../protocol/coverage.ts';
import { MAX_FRAME_SAMPLES } from '../../protocol/frame.ts';
import { MAX_SEQ } from '../../protocol/sample.ts';
import type { Storage, Writer } from '../../storage/storage.ts';
import { touches } from '../compaction/compact.ts';
import { type JournalEditor, listFrames, readAcked } from '../editor.ts';
import { type FrameKey, frameFootprint } from '../keys.ts';
import type { DownsamplingCounts } from '../port.ts';
import { downsampleRun, NOTHING_DOWNSAMPLED } from './downsample.ts';

const HIGH = 0.8;
const LOW = 0.7;
/** Whole samples on either side of a notable one: half a minute at 1 Hz. */
export const SURROUNDINGS = 30;

/** Whether frames that occupy so much are to be thinned. */
export function isCrowded(footprint: number, limitBytes: number): boolean {
  return footprint > limitBytes * HIGH;
}

export type DownsamplingOptions = {
  readonly storage: Storage;
  readonly clock: Clock;
  /** Bytes that frames may occupy. */
  readonly limitBytes: () => number;
  /** That frames occupy now. */
  readonly footprint: () => number;
  readonly edit: <T>(
    work: (writer: Writer, editor: JournalEditor) => T,
  ) => Observable<{ readonly result: T }>;
};

/** Keys read at a time, and frames that a pass chooses among, oldest first. */
const SCAN_CHUNK = 2048;
const MAX_CANDIDATES = 16_384;
/** More passes wait for the next call. */
const MAX_PASSES = 16;

export function createDownsampling(
  options: DownsamplingOptions,
): (inFlight: readonly SeqRange[]) => Observable<DownsamplingCounts> {
  const { storage, clock, limitBytes, footprint, edit } = options;
  const later = <T>(source: Observable<T>) => source.pipe(subscribeOn(clock.scheduler));
  /** First seqs of frames that had nothing to give: with their surroundings, and without. */
  const stages = [
    { surroundings: SURROUNDINGS, spent: new Set<number>() },
    { surroundings: 0, spent: new Set<number>() },
  ];
  type Stage = (typeof stages)[number];

  const scan = ({ spent }: Stage, inFlight: readonly SeqRange[]): Observable<readonly FrameKey[]> =>
    defer(() => {
      const candidates: FrameKey[] = [];
      const seen = new Set<number>();
      const acked = storage.read(readAcked) ?? EMPTY_COVERAGE;
      const isFree = (key: FrameKey) =>
        key.kind !== 'gap' &&
        key.firstSeq > acked.contiguous &&
        !touches(acked.ranges, key) &&
        !touches(inFlight, key);
      const chunk = (first: number): Observable<number | null> =>
        defer(() => {
          const keys = storage.read((reader) =>
            listFrames(reader, { first, last: MAX_SEQ, limit: SCAN_CHUNK }),
          );
          for (const key of keys) {
            if (spent.has(key.firstSeq)) seen.add(key.firstSeq);
            else if (isFree(key)) candidates.push(key);
          }
          const end = keys.at(-1);
          const isLast = end === undefined || keys.length < SCAN_CHUNK || candidates.length >= MAX_CANDIDATES;
          return of(isLast ? null : end.firstSeq + 1);
        });
      return chunk(0).pipe(
        expand((next) => (next === null ? EMPTY : later(chunk(next)))),
        last(),
        map(() => {
          // Frames that are gone need not be remembered; beyond the last candidate nobody has looked.
          const end = candidates.at(-1)?.firstSeq ?? 0;
          for (const seq of spent) if (!seen.has(seq) && seq < end) spent.delete(seq);
          return candidates;
        }),
      );
    });

  const pass = (stage: Stage, inFlight: readonly SeqRange[]): Observable<DownsamplingCounts> =>
    scan(stage, inFlight).pipe(
      concatMap((candidates) => from(chooseRuns(candidates, { toFree: footprint() - limitBytes() * LOW }))),
      concatMap((frames) =>
        later(edit((writer, editor) => downsampleRun(writer, editor, { frames, ...stage }))).pipe(
          tap(({ result }) => {
            if (result.freedBytes > 0) return;
            for (const { firstSeq } of frames.slice(0, result.seen)) stage.spent.add(firstSeq);
          }),
          map(({ result }) => result),
        ),
      ),
      reduce(sumOf, NOTHING_DOWNSAMPLED),
    );

  type Progress = { readonly total: DownsamplingCounts; readonly stage: number; readonly passes: number };
  const step = (
    { total, stage: index, passes }: Progress,
    inFlight: readonly SeqRange[],
  ): Observable<Progress> => {
    const stage = stages[index];
    if (stage === undefined || passes >= MAX_PASSES || footprint() <= limitBytes() * LOW) return EMPTY;
    return pass(stage, inFlight).pipe(
      map((counts) => ({
        total: sumOf(total, counts),
        stage: counts.freedBytes > 0 || !isCrowded(footprint(), limitBytes()) ? index : index + 1,
        passes: passes + 1,
      })),
    );
  };

  return (inFlight) =>
    defer(() => {
      const begin: Progress = { total: NOTHING_DOWNSAMPLED, stage: 0, passes: 0 };
      if (!isCrowded(footprint(), limitBytes())) return of(begin);
      return of(begin).pipe(expand((progress) => step(progress, inFlight)));
    }).pipe(
      last(),
      map(({ total }) => total),
    );
}

function sumOf(a: DownsamplingCounts, b: DownsamplingCounts): DownsamplingCounts {
  return {
    rewritten: a.rewritten + b.rewritten,
    thinned: a.thinned + b.thinned,
    samples: a.samples + b.samples,
    freedBytes: a.freedBytes + b.freedBytes,
  };
}

/** What thinning takes of a frame at least, as a rule. */
const EXPECTED_GAIN = 0.4;
/** Bounds of what is read for one commit: it costs some milliseconds. */
const RUN_BYTES = 64 * 1024;
const RUN_FRAMES = 32;

/**
 * Runs of adjacent frames that make room for `toFree` bytes, oldest first: those with the most bytes a sample × age.
 */
export function chooseRuns(
  candidates: readonly FrameKey[],
  { toFree }: { readonly toFree: number },
): readonly (readonly FrameKey[])[] {
  const newest = candidates.at(-1)?.lastSeq ?? 0;
  const weightOf = (key: FrameKey) =>
    (frameFootprint(key) / (key.lastSeq - key.firstSeq + 1)) * (newest - key.lastSeq + 1);
  const byWeight = candidates
    .map((key, index) => ({ key, index, weight: weightOf(key) }))
    .sort((a, b) => b.weight - a.weight || a.index - b.index);
  const chosen = new Set<number>();
  let gain = 0;
  for (const { key, index } of byWeight) {
    if (gain >= toFree) break;
    gain += frameFootprint(key) * EXPECTED_GAIN;
    chosen.add(index);
  }
  const runs: FrameKey[][] = [];
  let bytes = 0;
  let samples = 0;
  candidates.forEach((key, index) => {
    if (!chosen.has(index)) return;
    const count = key.lastSeq - key.firstSeq + 1;
    const run = runs.at(-1);
    const previous = run?.at(-1);
    const joins =
      run !== undefined &&
      previous !== undefined &&
      previous.lastSeq + 1 === key.firstSeq &&
      previous.kind === key.kind &&
      run.length < RUN_FRAMES &&
      bytes + key.size <= RUN_BYTES &&
      (key.kind === 'thinned' || samples + count <= MAX_FRAME_SAMPLES);
    if (joins) run.push(key);
    else {
      runs.push([key]);
      [bytes, samples] = [0, 0];
    }
    bytes += key.size;
    samples += count;
  });
  return runs;
}
