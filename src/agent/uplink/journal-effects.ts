/**
 * What the uplink has the journal do. A journal that fails is reported and does not stop the uplink: what was meant to
 * be done comes up again.
 */
import {
  catchError,
  concat,
  concatMap,
  defer,
  map,
  type Observable,
  of,
  reduce,
  takeWhile,
  tap,
  toArray,
} from 'rxjs';
import type { Journal, StoredFrame } from '../../journal/port.ts';
import type { Emit } from '../../platform/telemetry.ts';
import type { SeqRange } from '../../protocol/coverage.ts';
import { FrameError } from '../../protocol/frame.ts';
import { sliceFrame } from '../../protocol/frame-codec.ts';
import { StorageError } from '../../storage/storage.ts';
import type { agentEvents } from '../events.ts';
import type { Outgoing, SuspectedFrame, UplinkEffect, UplinkMessage } from './state.ts';

export type JournalEffectOptions = {
  readonly journal: Journal;
  readonly emit: Emit<typeof agentEvents>;
};

type Of<T extends UplinkEffect['type']> = Extract<UplinkEffect, { readonly type: T }>;

export type JournalEffects = {
  readonly read: (effect: Of<'read'>) => Observable<UplinkMessage>;
  readonly release: (effect: Of<'release'>) => Observable<UplinkMessage>;
  readonly compact: (effect: Of<'compact'>) => Observable<UplinkMessage>;
  readonly reject: (effect: Of<'reject'>) => Observable<UplinkMessage>;
};

export function createJournalEffects(options: JournalEffectOptions): JournalEffects {
  const { journal } = options;
  const orElse = fallbacks(options);
  return {
    read: (effect) => read(effect, journal, orElse),
    release: ({ acked }) =>
      journal.release(acked).pipe(
        map(() => null),
        orElse('release', null),
        map(() => ({ type: 'released' })),
      ),
    compact: ({ busy }) =>
      concat(compact(busy, options, orElse), thin(busy, options, orElse)).pipe(
        reduce((sum, rewritten) => sum + rewritten, 0),
        map((merged) => ({ type: 'compacted', merged })),
      ),
    reject: (effect) => reject(effect, options, orElse),
  };
}

/** What stands for the answer of a journal that fails. */
type OrElse = <T>(what: string, fallback: T) => (source: Observable<T>) => Observable<T>;

function fallbacks({ emit }: Pick<JournalEffectOptions, 'emit'>): OrElse {
  return (what, fallback) => (source) =>
    source.pipe(
      catchError((error: unknown) => {
        if (!(error instanceof StorageError)) throw error;
        emit({ type: 'journal_failing', what, reason: error.message });
        return of(fallback);
      }),
    );
}

function read(effect: Of<'read'>, journal: Journal, orElse: OrElse): Observable<UplinkMessage> {
  const { connection, what, after, limit, maxBytes } = effect;
  const query =
    what === 'newest'
      ? ({ order: 'newest', limit } as const)
      : ({ order: 'oldest', after, limit, ...(what === 'notable' ? { notable: true } : {}) } as const);
  return defer(() => {
    let bytes = 0;
    return journal.pending(query).pipe(
      takeWhile((frame) => {
        bytes += frame.bytes.length;
        return bytes < maxBytes;
      }, true),
      toArray(),
      orElse<StoredFrame[]>('read', []),
      map((frames): UplinkMessage => {
        const exhausted = frames.length < limit && bytes < maxBytes;
        return { type: 'read', connection, what, frames, exhausted };
      }),
    );
  });
}

/** Emits how many frames went in. */
function compact(
  busy: readonly SeqRange[],
  { journal, emit }: JournalEffectOptions,
  orElse: OrElse,
): Observable<number> {
  return journal.compact(busy).pipe(
    tap((result) => {
      if (result.merged > 0) emit({ type: 'frames_compacted', ...result });
    }),
    map(({ merged }) => merged),
    orElse('compact', 0),
  );
}

/** Emits how many frames went in. */
function thin(
  busy: readonly SeqRange[],
  { journal, emit }: JournalEffectOptions,
  orElse: OrElse,
): Observable<number> {
  return journal.thin(busy).pipe(
    tap((result) => {
      if (result.rewritten > 0) emit({ type: 'frames_downsampled', ...result });
    }),
    map(({ rewritten }) => rewritten),
    orElse('thin', 0),
  );
}

function reject(
  effect: Of<'reject'>,
  { journal, emit }: JournalEffectOptions,
  orElse: OrElse,
): Observable<UplinkMessage> {
  const { origin, originLast, samples, detail, acked } = effect;
  const rejected = () => journal.stats().dropped.rejected ?? 0;
  let before = 0;
  // Released first: the journal then knows what of the frame has arrived, and gives up only the rest.
  return journal.release(acked).pipe(
    concatMap(() => {
      before = rejected();
      return journal.reject(origin, detail, originLast);
    }),
    tap(() => {
      // A frame that was compacted into a larger one meanwhile is tried again as part of that.
      if (rejected() > before) emit({ type: 'samples_rejected', seq: origin, samples, detail });
    }),
    map(() => null),
    orElse('reject', null),
    map((): UplinkMessage => ({ type: 'rejected', origin })),
  );
}

/** The suspected frame as two halves, of which each is tried. */
export function bisect({ frame }: SuspectedFrame): UplinkMessage {
  const { firstSeq } = frame;
  try {
    return { type: 'bisected', firstSeq, parts: halvesOf(frame) };
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    return { type: 'unreadable', firstSeq, detail: `it cannot be read any more: ${error.message}` };
  }
}

function halvesOf(frame: Outgoing): readonly Outgoing[] {
  const middle = frame.firstSeq + Math.floor((frame.lastSeq - frame.firstSeq) / 2);
  const part = (firstSeq: number, lastSeq: number): Outgoing => ({
    ...frame,
    firstSeq,
    lastSeq,
    bytes: sliceFrame(frame.bytes, firstSeq, lastSeq),
  });
  return [part(frame.firstSeq, middle), part(middle + 1, frame.lastSeq)];
}
