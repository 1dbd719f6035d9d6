/** Compacts a journal slice by slice, and remembers how far each level has come. */
import { concatMap, defer, EMPTY, expand, from, map, type Observable, reduce, subscribeOn, tap } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { SeqRange } from '../../protocol/coverage.ts';
import { MAX_FRAME_SAMPLES } from '../../protocol/frame.ts';
import type { Writer } from '../../storage/storage.ts';
import type { JournalEditor } from '../editor.ts';
import { type CompactionRequest, type CompactionSlice, compactSlice } from './compact.ts';

export type CompactionCounts = { readonly merged: number; readonly compacted: number };

export type CompactionOptions = {
  readonly clock: Clock;
  readonly compactSamples: number;
  readonly edit: <T>(
    work: (writer: Writer, editor: JournalEditor) => T,
  ) => Observable<{ readonly result: T }>;
};

type Level = Pick<CompactionRequest, 'compactSamples' | 'fullOnly'> & {
  /** Everything before has been looked at, and will not change any more. */
  from: number;
};

export function createCompaction(
  options: CompactionOptions,
): (inFlight: readonly SeqRange[]) => Observable<CompactionCounts> {
  // Two neighbours that are too large for one frame together have more than half of its samples.
  const levels: readonly Level[] = [
    { compactSamples: options.compactSamples, fullOnly: false, from: 0 },
    { compactSamples: MAX_FRAME_SAMPLES / 2, fullOnly: true, from: 0 },
  ];
  return (inFlight) =>
    defer(() => {
      let news = false;
      return from(levels).pipe(
        // What the first level leaves as it is the second has seen: it would write the ledger for nothing.
        concatMap((level, depth) =>
          depth === 0 || level.from === 0 || news ? compactLevel(options, level, inFlight) : EMPTY,
        ),
        tap(({ compacted }) => {
          news ||= compacted > 0;
        }),
        reduce(
          (sum, { merged, compacted }) => ({
            merged: sum.merged + merged,
            compacted: sum.compacted + compacted,
          }),
          {
            merged: 0,
            compacted: 0,
          },
        ),
      );
    });
}

function compactLevel(
  { clock, edit }: CompactionOptions,
  level: Level,
  inFlight: readonly SeqRange[],
): Observable<CompactionSlice> {
  const slice = (start: number) =>
    edit((writer, editor) => compactSlice(writer, editor, { ...level, inFlight, from: start }));
  return defer(() => {
    let left: number | null = null;
    return slice(level.from).pipe(
      // Timers and I/O come in between.
      expand(({ result: { next } }) =>
        next === null ? EMPTY : slice(next).pipe(subscribeOn(clock.scheduler)),
      ),
      tap(({ result }) => {
        left ??= result.left;
        if (result.next === null) level.from = left ?? result.end;
      }),
      map(({ result }) => result),
    );
  });
}
