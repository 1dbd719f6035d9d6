/**
 * The adapter of `csv`: owns the file and the pace. One subscription reads a file to its end, or for ever: in a loop,
 * or as it grows.
 */
import { Observable, type Subscriber, type Subscription } from 'rxjs';
import type { InternedSchema } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import type { RawRows, SourceEnv } from '../source.ts';
import type { BlockBuilder } from './block-builder.ts';
import { type BlockPool, createBlockPool } from './block-pool.ts';
import { type FileChange, type FileChunks, openFileChunks } from './bytes/file-chunks.ts';
import { CsvError } from './csv-error.ts';
import { createPace, type Pace } from './pace.ts';
import { createPositionTracker, isSameFile, type PositionTracker, type ReplayPosition } from './position.ts';
import { createReplayReport, type ReplayReport } from './replay-report.ts';
import { type CsvReader, type CsvReaderOptions, type CsvRow, createCsvReader } from './rows.ts';

export type ReplayOptions = {
  readonly source: string;
  readonly path: string;
  /** Factor against the rhythm of the time column. */
  readonly speed: 'max' | number;
  readonly loop: boolean;
  /** Waits for more at the end of the file, and for the file that takes its place. */
  readonly follow: boolean;
  readonly ts: 'row' | 'now';
  readonly reader: CsvReaderOptions;
  /** Where to go on; null: at the top. */
  readonly from: ReplayPosition | null;
  /** Told of the tracker that knows how far the replay has come. */
  readonly onTracker: (tracker: PositionTracker) => void;
};
type GoodRow = Extract<CsvRow, { kind: 'row' }>;

const CHUNK_BYTES = 128 * 1024;
/** How often a file that is followed is looked at. */
const LOOK_MS = 1000;

export function replayCsv(
  options: ReplayOptions,
  demand$: Observable<boolean>,
  env: SourceEnv,
): Observable<RawRows> {
  return new Observable((subscriber) => {
    const replay = createReplay(options, env, subscriber);
    subscriber.add(() => {
      replay.timer?.unsubscribe();
      replay.looking?.unsubscribe();
      replay.chunks?.close();
    });
    openFile(replay);
    subscriber.add(
      demand$.subscribe((open) => {
        replay.room = open;
        if (open) pump(replay);
      }),
    );
  });
}

/** One subscription. */
type Replay = {
  readonly options: ReplayOptions;
  readonly env: SourceEnv;
  readonly subscriber: Subscriber<RawRows>;
  readonly report: ReplayReport;
  readonly blocks: BlockPool;
  pace: Pace;
  readonly tracker: PositionTracker;
  schema: InternedSchema | null;
  chunks: FileChunks | null;
  reader: CsvReader | null;
  /** Where to go on in the file that is open; null once that is found. */
  from: ReplayPosition | null;
  /** Good rows that an earlier run has given already. */
  passing: number;
  /** Whether this pass began behind the top. */
  isResumed: boolean;
  /** Whether the schema of this pass is known. */
  isLearnt: boolean;
  /** What has come of the file is read; more may come, where it is followed. */
  isAtEnd: boolean;
  /** The place in the file is being found. */
  isSeeking: boolean;
  /** The file has lost its name, and was read to its end after that. */
  isDrained: boolean;
  /** Waits for its time. */
  held: GoodRow | null;
  timer: Subscription | undefined;
  looking: Subscription | undefined;
  room: boolean;
  pumping: boolean;
};

function createReplay(options: ReplayOptions, env: SourceEnv, subscriber: Subscriber<RawRows>): Replay {
  const { speed, source, path, from } = options;
  const tracker = createPositionTracker();
  options.onTracker(tracker);
  return {
    options,
    env,
    subscriber,
    report: createReplayReport({ source, path }, env.emit),
    blocks: createBlockPool(),
    pace: createPace(speed, env, from?.pace),
    tracker,
    schema: null,
    chunks: null,
    reader: null,
    from,
    passing: 0,
    isResumed: false,
    isLearnt: false,
    isAtEnd: false,
    isSeeking: false,
    isDrained: false,
    held: null,
    timer: undefined,
    looking: undefined,
    room: true,
    pumping: false,
  };
}

function fail({ subscriber, options }: Replay, error: unknown): void {
  subscriber.error(
    error instanceof CsvError ? new CsvError(`${options.path}: ${error.message}`, { cause: error }) : error,
  );
}

function openFile(replay: Replay): void {
  const { path, follow, reader: readerOptions } = replay.options;
  const reader = createCsvReader(readerOptions);
  replay.reader = reader;
  replay.isLearnt = false;
  replay.isAtEnd = false;
  replay.isResumed = false;
  replay.report.beginPass();
  replay.chunks?.close();
  const chunks = openFileChunks({
    path,
    chunkBytes: CHUNK_BYTES,
    onChunk: (bytes) => {
      replay.isAtEnd = false;
      replay.isDrained = false;
      reader.push(bytes);
      pump(replay);
    },
    onEnd: () => {
      // What is compressed is whole.
      if (!follow || chunks.isCompressed()) reader.end();
      else reader.settle();
      replay.isAtEnd = true;
      pump(replay);
    },
    onError: (error) => fail(replay, error),
  });
  replay.chunks = chunks;
  chunks.pull();
}

/** One loop at a time: taking a sample can change the demand, which calls back here. */
function pump(replay: Replay): void {
  if (replay.pumping) return;
  replay.pumping = true;
  try {
    while (replay.room && replay.timer === undefined && !replay.subscriber.closed && step(replay) === 'more');
  } catch (error) {
    fail(replay, error);
  } finally {
    replay.pumping = false;
  }
}

function step(replay: Replay): 'more' | 'wait' {
  const { reader, schema, pace } = replay;
  if (reader === null) return 'wait';
  if (replay.from !== null) return findPlace(replay, reader, replay.from);
  const isPassing = replay.passing > 0;
  if (replay.options.speed === 'max' && schema !== null && replay.isLearnt && !isPassing)
    return stepBlock(replay, reader, schema);
  if (replay.held === null && !isPassing) notePlace(replay, reader);
  const row = replay.held ?? reader.next();
  replay.held = null;
  if (row === null) return stepEnd(replay, reader);
  learn(replay, reader);
  replay.report.unreadable(isPassing ? null : reader.unreadable.take());
  if (isPassing) return pass(replay, row);
  if (row.kind === 'bad') {
    replay.report.skipped(row);
    return 'more';
  }
  const waitMs = pace.waitMs(row.ts);
  if (waitMs > 0) {
    hold(replay, row, waitMs);
    return 'wait';
  }
  give(replay, row);
  return 'more';
}

function notePlace({ tracker, chunks, pace, report, isResumed }: Replay, reader: CsvReader): void {
  const place = reader.place();
  const isTop = !isResumed && report.rows() === 0;
  if (chunks !== null && (place !== null || isTop)) tracker.at(place, pace.state(), chunks.head());
}

/** At full speed many rows are one step. */
function stepBlock(replay: Replay, reader: CsvReader, schema: InternedSchema): 'more' | 'wait' {
  const { blocks, report } = replay;
  const builder = blocks.take(schema.series.length);
  notePlace(replay, reader);
  const bad = reader.fill(builder);
  const isEmpty = builder.count === 0;
  report.unreadable(reader.unreadable.take());
  if (isEmpty) blocks.giveBack(builder);
  else giveBlock(replay, builder, schema);
  if (bad !== null) report.skipped(bad);
  return bad === null && isEmpty ? stepEnd(replay, reader) : 'more';
}

function stepEnd(replay: Replay, reader: CsvReader): 'wait' {
  if (replay.isAtEnd && replay.passing > 0) startOver(replay);
  else if (reader.ended()) endPass(replay);
  else if (replay.isAtEnd && replay.options.follow) lookLater(replay);
  else replay.chunks?.pull();
  return 'wait';
}

/** Goes to where an earlier run stopped, if this is the file that it read. */
function findPlace(replay: Replay, reader: CsvReader, from: ReplayPosition): 'more' | 'wait' {
  const { chunks, tracker, report } = replay;
  const head = chunks?.head();
  if (chunks === null || head === undefined || (head.length === 0 && !replay.isAtEnd) || replay.isSeeking)
    return 'wait';
  if (!isSameFile(from.print, head)) {
    report.startedOver('it is another file than the one that was read before');
    startAtTop(replay);
    return 'more';
  }
  const { place, rows } = from;
  // What the columns hold is told by the top of the file.
  if (place !== null && reader.shape() === null && reader.next() === null) {
    if (!reader.ended()) chunks.pull();
    return 'wait';
  }
  replay.passing = rows;
  replay.isResumed = true;
  tracker.at(place, from.pace, head);
  report.resumed(place?.line ?? 1, rows);
  if (place === null) {
    replay.from = null;
    return 'more';
  }
  learn(replay, reader);
  replay.isSeeking = true;
  replay.isAtEnd = false;
  reader.seek(place);
  chunks.seek(place.offset);
  chunks.look((change) => {
    replay.isSeeking = false;
    replay.from = null;
    if (change === 'cut') startOver(replay);
    else chunks.pull();
  });
  return 'wait';
}

function startOver(replay: Replay): void {
  replay.report.startedOver('it is shorter than what was read of it before');
  startAtTop(replay);
  openFile(replay);
}

function startAtTop(replay: Replay): void {
  replay.from = null;
  replay.passing = 0;
  replay.isResumed = false;
  replay.pace = createPace(replay.options.speed, replay.env);
}

/** An earlier run has given it. */
function pass(replay: Replay, row: CsvRow): 'more' {
  if (row.kind === 'bad') return 'more';
  replay.passing -= 1;
  replay.pace.given(row.ts);
  replay.tracker.passed(1);
  return 'more';
}

/** Looks a while later what has become of the file. */
function lookLater(replay: Replay): void {
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
  const { reader, report } = replay;
  if (change === 'none') lookLater(replay);
  else if (change === 'cut') {
    report.rotated('it was cut');
    openFile(replay);
  } else if (change === 'grown' || !replay.isDrained) {
    // The last rows of a file that was replaced may have come since.
    replay.isDrained = change === 'replaced';
    replay.isAtEnd = false;
    chunks.pull();
  } else {
    reader?.end();
    pump(replay);
  }
}

function hold(replay: Replay, row: GoodRow, waitMs: number): void {
  replay.held = row;
  replay.report.waiting(row.line, waitMs);
  replay.timer = replay.env.clock.scheduler.schedule(() => {
    replay.timer = undefined;
    pump(replay);
  }, waitMs);
}

function endPass(replay: Replay): void {
  const { options, subscriber, report, pace, isResumed } = replay;
  const { loop, follow } = options;
  const isRotated = follow && !replay.chunks?.isCompressed();
  const rows = report.endPass(loop || isRotated);
  if (isRotated) {
    report.rotated('another file has its name');
    openFile(replay);
  } else if (!loop) subscriber.complete();
  else if (rows === 0 && !isResumed) fail(replay, new CsvError('no good row to repeat'));
  else {
    pace.nextPass();
    openFile(replay);
  }
}

/** The schema of a new pass; the same object while the columns stay the same. */
function learn(replay: Replay, reader: CsvReader): void {
  const shape = reader.shape();
  if (shape === null || replay.isLearnt) return;
  replay.isLearnt = true;
  const { source } = replay.options;
  const { clock } = replay.env;
  const learnt = internSchema({ source, boot: clock.bootId, series: [...shape.series] });
  if (replay.schema?.ref === learnt.ref) return;
  replay.schema = learnt;
  replay.report.opened(shape);
}

function give(replay: Replay, row: GoodRow): void {
  const { schema, options, env, pace, tracker, report } = replay;
  if (schema === null) return;
  pace.given(row.ts);
  report.given(1);
  const ts = options.ts === 'now' ? env.clock.now() : pace.shifted(row.ts);
  const { values } = row;
  replay.subscriber.next({ schema, ts, mono: env.clock.mono(), values, position: tracker.giving(1) });
}

function giveBlock(replay: Replay, builder: BlockBuilder, schema: InternedSchema): void {
  const { pace, blocks, options, tracker, report } = replay;
  const { clock } = replay.env;
  const { count } = builder;
  report.given(count);
  const position = tracker.giving(count);
  const ts = builder.ts.subarray(0, count);
  for (let row = 0; row < count; row += 1) {
    const at = ts[row] as number;
    pace.given(at);
    ts[row] = options.ts === 'now' ? clock.now() : pace.shifted(at);
  }
  const mono = builder.mono.subarray(0, count).fill(clock.mono());
  let isDone = false;
  const recycle = () => {
    if (!isDone) blocks.giveBack(builder);
    isDone = true;
  };
  replay.subscriber.next({ schema, ts, mono, columns: builder.columns(), recycle, position });
}
