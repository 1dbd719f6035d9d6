/** The adapter of `csv`: owns the file and the pace. */
import { Observable, type Subscriber, type Subscription } from 'rxjs';
import type { InternedSchema } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import type { RawRows, SourceEnv } from '../source.ts';
import type { BlockBuilder } from './block-builder.ts';
import { type BlockPool, createBlockPool } from './block-pool.ts';
import { type FileChunks, openFileChunks } from './file-chunks.ts';
import { CsvError } from './header.ts';
import { createPace, type Pace } from './pace.ts';
import { type CsvReader, type CsvRow, createCsvReader } from './rows.ts';

export type ReplayOptions = {
  readonly source: string;
  readonly path: string;
  /** Factor against the rhythm of the time column. */
  readonly speed: 'max' | number;
  readonly loop: boolean;
  readonly ts: 'row' | 'now';
  readonly time?: string | undefined;
  readonly delimiter?: string | undefined;
};
type GoodRow = Extract<CsvRow, { kind: 'row' }>;

const CHUNK_BYTES = 128 * 1024;
/** Bad rows that get a log line of their own in one pass. */
const LOGGED_BAD_ROWS = 10;

export function replayCsv(
  options: ReplayOptions,
  demand$: Observable<boolean>,
  env: SourceEnv,
): Observable<RawRows> {
  return new Observable((subscriber) => {
    const replay = createReplay(options, env, subscriber);
    subscriber.add(() => {
      replay.timer?.unsubscribe();
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
  readonly pace: Pace;
  readonly blocks: BlockPool;
  schema: InternedSchema | null;
  chunks: FileChunks | null;
  reader: CsvReader | null;
  /** Waits for its time. */
  held: GoodRow | null;
  timer: Subscription | undefined;
  room: boolean;
  pumping: boolean;
  /** Of this pass, as is `skipped`. */
  rows: number;
  skipped: number;
};

function createReplay(options: ReplayOptions, env: SourceEnv, subscriber: Subscriber<RawRows>): Replay {
  return {
    options,
    env,
    subscriber,
    pace: createPace(options.speed, env),
    blocks: createBlockPool(),
    schema: null,
    chunks: null,
    reader: null,
    held: null,
    timer: undefined,
    room: true,
    pumping: false,
    rows: 0,
    skipped: 0,
  };
}

function fail({ subscriber, options }: Replay, error: unknown): void {
  subscriber.error(
    error instanceof CsvError ? new CsvError(`${options.path}: ${error.message}`, { cause: error }) : error,
  );
}

function openFile(replay: Replay): void {
  const { path, time, delimiter } = replay.options;
  const reader = createCsvReader({ time, delimiter });
  replay.reader = reader;
  replay.rows = 0;
  replay.skipped = 0;
  replay.chunks?.close();
  replay.chunks = openFileChunks({
    path,
    chunkBytes: CHUNK_BYTES,
    onChunk: (bytes) => {
      reader.push(bytes);
      pump(replay);
    },
    onEnd: () => {
      reader.end();
      pump(replay);
    },
    onError: (error) => fail(replay, error),
  });
  replay.chunks.pull();
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
  // The first row of a pass tells its schema.
  if (replay.options.speed === 'max' && schema !== null && replay.rows + replay.skipped > 0)
    return stepBlock(replay, reader, schema);
  const row = replay.held ?? reader.next();
  replay.held = null;
  if (row === null) return stepEnd(replay, reader);
  learn(replay, reader);
  if (row.kind === 'bad') {
    skip(replay, row);
    return 'more';
  }
  const waitMs = pace.waitMs(row.ts);
  if (waitMs > 0) {
    hold(replay, row, waitMs);
    return 'wait';
  }
  pace.given(row.ts);
  give(replay, row);
  return 'more';
}

/** At full speed many rows are one step. */
function stepBlock(replay: Replay, reader: CsvReader, schema: InternedSchema): 'more' | 'wait' {
  const builder = replay.blocks.take(schema.series.length);
  const bad = reader.fill(builder);
  const isEmpty = builder.count === 0;
  if (isEmpty) replay.blocks.giveBack(builder);
  else giveBlock(replay, builder, schema);
  if (bad !== null) skip(replay, bad);
  return bad === null && isEmpty ? stepEnd(replay, reader) : 'more';
}

function stepEnd(replay: Replay, reader: CsvReader): 'wait' {
  if (reader.ended()) endPass(replay);
  else replay.chunks?.pull();
  return 'wait';
}

function hold(replay: Replay, row: GoodRow, waitMs: number): void {
  replay.held = row;
  replay.timer = replay.env.clock.scheduler.schedule(() => {
    replay.timer = undefined;
    pump(replay);
  }, waitMs);
}

function endPass(replay: Replay): void {
  const { options, env, subscriber, rows, skipped } = replay;
  env.emit({ type: 'csv_pass_ended', source: options.source, rows, skipped, again: options.loop });
  if (!options.loop) subscriber.complete();
  else if (rows === 0) fail(replay, new CsvError('no good row to repeat'));
  else {
    replay.pace.nextPass();
    openFile(replay);
  }
}

function skip(replay: Replay, { line, reason }: Extract<CsvRow, { kind: 'bad' }>): void {
  const { source } = replay.options;
  const { emit } = replay.env;
  replay.skipped += 1;
  emit({ type: 'csv_rows_skipped', source, count: 1 });
  if (replay.skipped > LOGGED_BAD_ROWS) return;
  const more = replay.skipped === LOGGED_BAD_ROWS ? '; further ones of this pass are only counted' : '';
  emit({ type: 'csv_row_skipped', source, line, reason: `${reason}${more}` });
}

/** The schema of a new pass; the same object while the columns stay the same. */
function learn(replay: Replay, reader: CsvReader): void {
  const shape = reader.shape();
  if (shape === null || replay.rows + replay.skipped > 0) return;
  const { source, path } = replay.options;
  const { clock, emit } = replay.env;
  const learnt = internSchema({ source, boot: clock.bootId, series: [...shape.series] });
  if (replay.schema?.ref === learnt.ref) return;
  replay.schema = learnt;
  const { timeColumn, series, ignored } = shape;
  emit({ type: 'csv_opened', source, path, series: series.length, timeColumn });
  if (ignored.length === 0) return;
  emit({
    type: 'csv_columns_ignored',
    source,
    columns: ignored.slice(0, 20),
    reason: 'they hold text',
  });
}

function give(replay: Replay, row: GoodRow): void {
  const { schema, options, env, pace } = replay;
  if (schema === null) return;
  replay.rows += 1;
  const ts = options.ts === 'now' ? env.clock.now() : pace.shifted(row.ts);
  replay.subscriber.next({ schema, ts, mono: env.clock.mono(), values: row.values });
}

function giveBlock(replay: Replay, builder: BlockBuilder, schema: InternedSchema): void {
  const { pace, blocks, options } = replay;
  const { clock } = replay.env;
  const { count } = builder;
  replay.rows += count;
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
  replay.subscriber.next({ schema, ts, mono, columns: builder.columns(), recycle });
}
