/**
 * The file of a replay: opened, gone to the place where an earlier run stopped, and watched where it is followed.
 *
 * A followed file that has lost its name, or its contents to a copy, is looked for by its first bytes and those before
 * the place, and read to its end first: what was written to it while nobody looked is not lost.
 */
import { type FileChange, type FileChunks, openFileChunks } from './bytes/file-chunks.ts';
import { createPace } from './pace.ts';
import { isSameFile, type ReplayPosition } from './position.ts';
import type { CsvReader } from './reader.ts';
import { fail, learn, type Replay, type Search } from './replay-state.ts';
import { findRotated } from './rotated.ts';

const CHUNK_BYTES = 128 * 1024;
/** How often a file that is followed is looked at. */
const LOOK_MS = 1000;

type Lost = { readonly from: ReplayPosition; readonly isLast: boolean };

/** The next one of those that have lost the name, else the one that has it. */
export function openFile(replay: Replay): void {
  const { path: named, encoding, follow, createReader } = replay.options;
  const reader = createReader();
  replay.reader = reader;
  replay.learnt = null;
  replay.isAtEnd = false;
  replay.isDrained = false;
  replay.isResumed = false;
  replay.report.beginPass();
  replay.chunks?.close();
  const earlier = replay.earlier.shift();
  replay.isEarlier = earlier !== undefined;
  const chunks = openFileChunks({
    path: earlier ?? named,
    named,
    encoding,
    chunkBytes: CHUNK_BYTES,
    onChunk: (bytes) => {
      replay.isAtEnd = false;
      replay.isDrained = false;
      if (replay.search?.kind === 'gone') replay.search = null;
      reader.push(bytes);
      replay.pump();
    },
    onEnd: () => {
      // What is compressed is whole.
      if (!follow || chunks.isCompressed()) reader.end();
      else reader.settle();
      replay.isAtEnd = true;
      if (replay.search?.kind === 'gone') replay.search = null;
      replay.pump();
    },
    onAstray: (reason) => {
      if (replay.search?.kind === 'gone') lostPlace(replay, replay.search, reason);
    },
    onError: (error) => fail(replay, error),
  });
  replay.chunks = chunks;
  chunks.pull();
}

/** Goes to where an earlier run stopped, if this is the file that it read. */
export function findPlace(replay: Replay, reader: CsvReader, search: Search): 'more' | 'wait' {
  const { chunks, tracker, report, options } = replay;
  const head = chunks?.head();
  if (search.kind !== 'place' || chunks === null || head === undefined) return 'wait';
  if (head.length === 0 && !replay.isAtEnd) return 'wait';
  const { from } = search;
  const { place, rows, pace } = from;
  if (!isSameFile(from.print, head)) {
    lostPlace(replay, search, 'it is another file than the one that was read before');
    return 'wait';
  }
  // What the columns hold is told by the top of the file.
  if (place !== null && reader.shape() === null) reader.next();
  if (place !== null && reader.shape() === null) {
    if (replay.isAtEnd) lostPlace(replay, search, 'it is shorter than what was read of it before');
    else chunks.pull();
    return 'wait';
  }
  replay.passing = rows;
  replay.passingTo = rows > 0 ? from : null;
  replay.isResumed = true;
  replay.pace = createPace(options.speed, replay.env, pace);
  tracker.at(place, pace, head);
  if (place !== null || rows > 0) report.resumed(place?.line ?? 1, rows);
  if (place === null) {
    replay.search = null;
    return 'more';
  }
  learn(replay, reader);
  replay.search = { kind: 'gone', from, isLast: search.isLast };
  replay.isAtEnd = false;
  reader.seek(place);
  chunks.seek(place.offset, place.tail);
  chunks.pull();
  return 'wait';
}

/** The file does not hold what this position says: another may, or it begins at its top. */
export function lostPlace(replay: Replay, lost: Lost, reason: string): void {
  findEarlier(replay, lost, () => {
    replay.report.startedOver(reason);
    replay.pace = createPace(replay.options.speed, replay.env);
  });
}

/** Reads first what is left of the file of this position, where it is followed and found under another name. */
function findEarlier(replay: Replay, { from, isLast }: Lost, onNone: () => void): void {
  const { options, subscriber, report } = replay;
  replay.passing = 0;
  replay.passingTo = null;
  replay.earlier = [];
  replay.search = { kind: 'file' };
  const goOn = (found: readonly string[]) => {
    if (subscriber.closed) return;
    const [first] = found;
    replay.search = null;
    if (first === undefined) onNone();
    else {
      replay.search = { kind: 'place', from, isLast: true };
      replay.earlier = [...found];
      report.rotated(`what is left of ${first} comes first`);
    }
    openFile(replay);
  };
  if (options.follow && !isLast) findRotated(options.path, from, goOn);
  else goOn([]);
}

/** Looks a while later what has become of the file. */
export function lookLater(replay: Replay): void {
  const { chunks, env } = replay;
  if (chunks === null || replay.looking !== undefined) return;
  replay.looking = env.clock.scheduler.schedule(
    () =>
      chunks.look((change) => {
        replay.looking = undefined;
        followChange(replay, chunks, change);
      }),
    LOOK_MS,
  );
}

function followChange(replay: Replay, chunks: FileChunks, change: FileChange): void {
  const { reader, report, tracker } = replay;
  if (change === 'none') {
    // What waited for a row of its time is given without it.
    if (reader?.idle() === true) replay.pump();
    else lookLater(replay);
  } else if (change === 'cut') {
    const from = tracker.latest();
    const onNone = () => report.rotated('it was cut');
    if (from === null) {
      onNone();
      openFile(replay);
    } else findEarlier(replay, { from, isLast: false }, onNone);
  } else if (change === 'grown' || !replay.isDrained) {
    // The last rows of a file that was replaced may have come since.
    replay.isDrained = change === 'replaced';
    replay.isAtEnd = false;
    chunks.pull();
  } else {
    reader?.end();
    replay.pump();
  }
}
