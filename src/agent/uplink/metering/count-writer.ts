/**
 * Keeps a count durable without a write for each change: what is written runs ahead by a chunk, and the next one is
 * written when half of it is left, as allocators of sequences do. A process that is killed has then counted up to a
 * chunk too much. It has counted too little only when half a chunk passes while one write is under way, by what exceeds
 * that.
 *
 * A count that nothing depends on may lag instead: it is written as it is, as often. A process that is killed has then
 * counted up to half a chunk, and what passes while one write is under way, too little.
 */
import { catchError, concat, defer, EMPTY, ignoreElements, type Observable, Subject, take } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { errorText } from '../../../platform/error-text.ts';

/** Whole numbers: a chunk is what a count is ahead by. */
export type ChunkBounds = {
  readonly least: number;
  readonly most: number;
  /** Whether what is written runs ahead, or lags. */
  readonly ahead: boolean;
};

export type CountWriterOptions = {
  readonly bounds: ChunkBounds;
  readonly clock: Pick<Clock, 'precise'>;
  /** Writes the count as it is, and so much more. Completes when durable. */
  readonly write: (extra: number) => Observable<never>;
  /** Once per episode of failure. */
  readonly onFailure: (reason: string) => void;
};

export type CountWriter = {
  /** So much was spent; the count has it already. */
  readonly spent: (amount: number) => void;
  /** Something else of the count has changed. */
  readonly changed: () => void;
  /** Writes the exact count, after what is under way. Completes; never errors. */
  readonly close: () => Observable<never>;
};

/** A chunk that lasts less is too small; one that lasts longer may be smaller. */
const SHORT_MS = 10_000;
const LONG_MS = 60_000;
/** After a failure nothing is tried for so long. */
const PAUSE_MS = 10_000;

export function createCountWriter({ bounds, clock, write, onFailure }: CountWriterOptions): CountWriter {
  const ended$ = new Subject<void>();
  let chunk = bounds.least;
  /** Spent since the start, and at how much of that the chunk ends with which the last durable record was written. */
  let total = 0;
  let covered = 0;
  let state: 'idle' | 'writing' | 'again' | 'closed' = 'idle';
  let grownAt = clock.precise();
  let pausedUntil = Number.NEGATIVE_INFINITY;
  let failing = false;

  const begin = () => {
    state = 'writing';
    const target = total + chunk;
    const extra = bounds.ahead ? chunk : 0;
    const end = () => {
      const again = state === 'again';
      if (state !== 'closed') state = 'idle';
      ended$.next();
      if (again) begin();
    };
    write(extra).subscribe({
      error: (error: unknown) => {
        pausedUntil = clock.precise() + PAUSE_MS;
        if (!failing) onFailure(errorText(error));
        failing = true;
        if (state === 'again') state = 'writing';
        end();
      },
      complete: () => {
        failing = false;
        covered = target;
        end();
      },
    });
  };
  const request = () => {
    if (state === 'closed' || clock.precise() < pausedUntil) return;
    if (state === 'idle') begin();
    else state = 'again';
  };
  const adapt = () => {
    const lasted = clock.precise() - grownAt;
    if (lasted < SHORT_MS) chunk = Math.min(bounds.most, chunk * 2);
    else if (lasted > LONG_MS) chunk = Math.max(bounds.least, Math.floor(chunk / 2));
    grownAt = clock.precise();
  };

  return {
    spent: (amount) => {
      total += amount;
      if (state !== 'idle' || covered - total >= chunk / 2) return;
      adapt();
      request();
    },
    changed: request,
    close: () =>
      defer(() => {
        const busy = state === 'writing' || state === 'again';
        state = 'closed';
        const last$ = defer(() => write(0)).pipe(catchError(() => EMPTY));
        return busy ? concat(ended$.pipe(take(1), ignoreElements()), last$) : last$;
      }),
  };
}
