/**
 * Reading unacked frames, a chunk at a time; nothing of the storage is held between chunks. Damaged frames are mended
 * on the way.
 */
import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  expand,
  from,
  map,
  type Observable,
  of,
  subscribeOn,
  take,
  tap,
} from 'rxjs';
import type { Clock } from '../platform/clock.ts';
import { missingWithin } from '../protocol/coverage.ts';
import { MAX_SEQ } from '../protocol/sample.ts';
import type { Reader, Storage, Writer } from '../storage/storage.ts';
import { storedFrame } from './append/append-frames.ts';
import { createEditor, listFrames, readAcked, readFrame } from './editor.ts';
import { type FrameKey, notableKey, notablesStarting, parseFrameKey } from './keys.ts';
import type { Ledger } from './ledger.ts';
import type { PendingQuery, StoredFrame } from './port.ts';

export type PendingContext = {
  readonly storage: Storage;
  readonly clock: Clock;
  /**
   * Highest seq whose commit is confirmed. What lies beyond may be read, but may be gone after a crash: nobody may have
   * it.
   */
  readonly confirmed: () => number;
  /** Damaged frames became gaps. */
  readonly onRepaired: (ledger: Ledger) => void;
};

/** At most 4 MiB at once. */
const CHUNK_FRAMES = 16;

type Chunk = {
  readonly frames: readonly StoredFrame[];
  readonly damaged: readonly FrameKey[];
  /** Where the next chunk begins; null at the end. */
  readonly next: number | null;
};

export function readPending(context: PendingContext, query: PendingQuery): Observable<StoredFrame> {
  const { storage, clock } = context;
  const start = query.after ?? (query.order === 'oldest' ? 0 : MAX_SEQ + 1);
  const chunkAt = (after: number): Observable<Chunk> =>
    defer(() => {
      const read = () =>
        storage.read((reader) => readChunk(reader, { ...query, after }, context.confirmed()));
      const chunk = read();
      if (chunk.damaged.length === 0) return of(chunk);
      return storage
        .commit((writer) => repair(writer, chunk.damaged, clock.now()))
        .pipe(
          tap(context.onRepaired),
          map(read),
          // What cannot be mended now is left out now.
          catchError(() => of(chunk)),
        );
    });
  return chunkAt(start).pipe(
    expand(({ next }) => (next === null ? EMPTY : chunkAt(next).pipe(subscribeOn(clock.scheduler)))),
    concatMap(({ frames }) => from(frames)),
    take(query.limit),
  );
}

function readChunk(
  reader: Reader,
  query: PendingQuery & { readonly after: number },
  confirmed: number,
): Chunk {
  const { after } = query;
  const reverse = query.order === 'newest';
  const limit = Math.min(CHUNK_FRAMES, query.limit);
  const bounds = reverse ? { first: 0, last: after - 1 } : { first: after + 1, last: MAX_SEQ };
  const keys =
    query.notable === true
      ? listNotables(reader, { ...bounds, limit, reverse })
      : listFrames(reader, { ...bounds, limit, reverse });
  const acked = readAcked(reader);
  const frames: StoredFrame[] = [];
  const damaged: FrameKey[] = [];
  for (const key of keys) {
    if ((reverse && key.lastSeq >= after) || key.lastSeq > confirmed) continue;
    if (acked !== undefined && missingWithin(acked, key.firstSeq, key.lastSeq).length === 0) continue;
    const frame = readFrame(reader, key);
    if (frame === null) damaged.push(key);
    else frames.push(storedFrame(key, frame.header, frame.bytes));
  }
  const last = keys.at(-1);
  return { frames, damaged, next: last === undefined || keys.length < limit ? null : last.firstSeq };
}

function listNotables(
  reader: Reader,
  { first, last, limit, reverse }: { first: number; last: number; limit: number; reverse: boolean },
): FrameKey[] {
  if (last < first) return [];
  const keys = reader.keys({ ...notablesStarting(first, last), limit, reverse });
  return keys.flatMap((key) => parseFrameKey(key) ?? []);
}

/** Frames that cannot be read become gaps; the key of each says what it stood for. */
function repair(writer: Writer, damaged: readonly FrameKey[], now: number): Ledger {
  const editor = createEditor(writer, now);
  for (const key of damaged) {
    const present = listFrames(writer, { first: key.firstSeq, last: key.firstSeq, limit: 1 })[0];
    if (present?.lastSeq !== key.lastSeq || present.size !== key.size) {
      // Only the index names it.
      if (key.notable) writer.remove(notableKey(key));
    } else if (readFrame(writer, present) === null) {
      if (present.kind !== 'gap') editor.drop(present, 'damaged');
      else {
        // Its seqs were counted as dropped when it was made; only the reason is lost.
        editor.remove(present);
        editor.addGap([present.firstSeq, present.lastSeq], 'damaged', { tsMin: now, tsMax: now });
      }
    }
  }
  return editor.finish();
}
