/** The adapter of `csv`: owns the file and the pace. */
import { Observable, type Subscription } from 'rxjs';
import type { InternedSchema } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import type { RawRows, SourceEnv } from '../source.ts';
import { type BlockBuilder, createBlockBuilder } from './block-builder.ts';
import { type FileChunks, openFileChunks } from './file-chunks.ts';
import { CsvError } from './header.ts';
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
/** Blocks whose memory is kept for the next: about as many as wait for their commit. */
const MAX_SPARES = 16;
/** Bad rows that get a log line of their own in one pass. */
const LOGGED_BAD_ROWS = 10;

export function replayCsv(
  options: ReplayOptions,
  demand$: Observable<boolean>,
  env: SourceEnv,
): Observable<RawRows> {
  return new Observable((subscriber) => {
    const { clock } = env;
    const pace = createPace(options, env);
    let schema: InternedSchema | null = null;
    let chunks: FileChunks | null = null;
    let reader: CsvReader | null = null;
    let held: GoodRow | null = null;
    const spares: BlockBuilder[] = [];
    let timer: Subscription | undefined;
    let room = true;
    let pumping = false;
    let rows = 0;
    let skipped = 0;

    const fail = (error: unknown) => {
      subscriber.error(
        error instanceof CsvError
          ? new CsvError(`${options.path}: ${error.message}`, { cause: error })
          : error,
      );
    };

    const openFile = () => {
      const rowsOf = createCsvReader({ time: options.time, delimiter: options.delimiter });
      reader = rowsOf;
      rows = 0;
      skipped = 0;
      chunks?.close();
      chunks = openFileChunks({
        path: options.path,
        chunkBytes: CHUNK_BYTES,
        onChunk: (bytes) => {
          rowsOf.push(bytes);
          pump();
        },
        onEnd: () => {
          rowsOf.end();
          pump();
        },
        onError: fail,
      });
      chunks.pull();
    };

    const endPass = () => {
      env.emit({ type: 'csv_pass_ended', source: options.source, rows, skipped, again: options.loop });
      if (!options.loop) subscriber.complete();
      else if (rows === 0) fail(new CsvError('no good row to repeat'));
      else {
        pace.nextPass();
        openFile();
      }
    };

    const skip = (row: Extract<CsvRow, { kind: 'bad' }>) => {
      skipped += 1;
      env.emit({ type: 'csv_rows_skipped', source: options.source, count: 1 });
      if (skipped > LOGGED_BAD_ROWS) return;
      const more = skipped === LOGGED_BAD_ROWS ? '; further ones of this pass are only counted' : '';
      env.emit({
        type: 'csv_row_skipped',
        source: options.source,
        line: row.line,
        reason: `${row.reason}${more}`,
      });
    };

    /** The schema of a new pass; the same object while the columns stay the same. */
    const learn = (from: CsvReader) => {
      const shape = from.shape();
      if (shape === null || rows + skipped > 0) return;
      const learnt = internSchema({ source: options.source, boot: clock.bootId, series: [...shape.series] });
      if (schema?.ref === learnt.ref) return;
      schema = learnt;
      env.emit({
        type: 'csv_opened',
        source: options.source,
        path: options.path,
        series: shape.series.length,
        timeColumn: shape.timeColumn,
      });
      if (shape.ignored.length > 0) {
        env.emit({
          type: 'csv_columns_ignored',
          source: options.source,
          columns: shape.ignored.slice(0, 20),
          reason: 'they hold text',
        });
      }
    };

    const give = (row: GoodRow) => {
      if (schema === null) return;
      rows += 1;
      const ts = options.ts === 'now' ? clock.now() : pace.shifted(row.ts);
      subscriber.next({ schema, ts, mono: clock.mono(), values: row.values });
    };

    /** An empty block of this width. */
    const takeBuilder = (width: number): BlockBuilder => {
      const spare = spares.pop();
      return spare?.width === width ? spare : createBlockBuilder(width);
    };

    const spareBuilder = (builder: BlockBuilder) => {
      builder.reset();
      if (spares.length < MAX_SPARES) spares.push(builder);
    };

    const giveBlock = (builder: BlockBuilder, shape: InternedSchema) => {
      const { count } = builder;
      rows += count;
      const ts = builder.ts.subarray(0, count);
      for (let row = 0; row < count; row += 1) {
        const at = ts[row] as number;
        pace.given(at);
        ts[row] = options.ts === 'now' ? clock.now() : pace.shifted(at);
      }
      const mono = builder.mono.subarray(0, count).fill(clock.mono());
      let isDone = false;
      const recycle = () => {
        if (!isDone) spareBuilder(builder);
        isDone = true;
      };
      subscriber.next({ schema: shape, ts, mono, columns: builder.columns(), recycle });
    };

    /** At full speed many rows are one step. */
    const stepBlock = (from: CsvReader, shape: InternedSchema): 'more' | 'wait' => {
      const builder = takeBuilder(shape.series.length);
      const bad = from.fill(builder);
      const isEmpty = builder.count === 0;
      if (isEmpty) spareBuilder(builder);
      else giveBlock(builder, shape);
      if (bad !== null) skip(bad);
      return bad === null && isEmpty ? stepEnd(from) : 'more';
    };

    const stepEnd = (from: CsvReader): 'wait' => {
      if (from.ended()) endPass();
      else chunks?.pull();
      return 'wait';
    };

    const step = (): 'more' | 'wait' => {
      if (reader === null) return 'wait';
      // The first row of a pass tells its schema.
      if (options.speed === 'max' && schema !== null && rows + skipped > 0) return stepBlock(reader, schema);
      const row = held ?? reader.next();
      held = null;
      if (row === null) return stepEnd(reader);
      learn(reader);
      if (row.kind === 'bad') {
        skip(row);
        return 'more';
      }
      const waitMs = pace.waitMs(row.ts);
      if (waitMs > 0) {
        held = row;
        timer = clock.scheduler.schedule(() => {
          timer = undefined;
          pump();
        }, waitMs);
        return 'wait';
      }
      pace.given(row.ts);
      give(row);
      return 'more';
    };

    // One loop at a time: taking a sample can change the demand, which calls back here.
    const pump = () => {
      if (pumping) return;
      pumping = true;
      try {
        while (room && timer === undefined && !subscriber.closed && step() === 'more');
      } catch (error) {
        fail(error);
      } finally {
        pumping = false;
      }
    };

    subscriber.add(() => {
      timer?.unsubscribe();
      chunks?.close();
    });
    openFile();
    subscriber.add(
      demand$.subscribe((open) => {
        room = open;
        if (open) pump();
      }),
    );
  });
}

type Pace = {
  /** How long to wait before the row of this time, ms; 0 or less: not at all. */
  readonly waitMs: (rowTs: number) => number;
  readonly given: (rowTs: number) => void;
  /** The row's time, moved on by the passes before. */
  readonly shifted: (rowTs: number) => number;
  readonly nextPass: () => void;
};

/** Keeps the rhythm of the time column from the first row on, so that delays of single rows never add up. */
function createPace(options: ReplayOptions, env: SourceEnv): Pace {
  const { speed } = options;
  const now = () => env.clock.scheduler.now();
  let begun: { readonly at: number; readonly ts: number } | null = null;
  let last: number | null = null;
  let interval = 0;
  let shiftMs = 0;
  let passShiftMs = 0;
  return {
    waitMs: (rowTs) => {
      if (speed === 'max') return 0;
      begun ??= { at: now(), ts: rowTs };
      return begun.at + (rowTs + shiftMs - begun.ts) / speed - now();
    },
    given: (rowTs) => {
      begun ??= { at: now(), ts: rowTs };
      if (last !== null && rowTs > last) interval = rowTs - last;
      last = rowTs;
      passShiftMs = Math.max(passShiftMs, rowTs + interval - begun.ts);
    },
    shifted: (rowTs) => rowTs + shiftMs,
    nextPass: () => {
      shiftMs += passShiftMs;
      last = null;
      passShiftMs = 0;
    },
  };
}
