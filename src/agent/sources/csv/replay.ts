/**
 * The adapter of `csv`: owns the pace. One subscription reads a file to its end, or for ever: in a loop, or as it
 * grows.
 */
import { Observable } from 'rxjs';
import type { InternedSchema } from '../../../protocol/sample.ts';
import type { RawRows, SourceEnv } from '../source.ts';
import type { BlockBuilder } from './block-builder.ts';
import { CsvError } from './csv-error.ts';
import type { CsvReader, CsvRow } from './reader.ts';
import { findPlace, lookLater, lostPlace, openFile } from './replay-file.ts';
import { createReplay, fail, type GoodRow, learn, type Replay, type ReplayOptions } from './replay-state.ts';

export function replayCsv(
  options: ReplayOptions,
  demand$: Observable<boolean>,
  env: SourceEnv,
): Observable<RawRows> {
  return new Observable((subscriber) => {
    const replay = createReplay(options, env, subscriber, pump);
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
  if (replay.search !== null) return findPlace(replay, reader, replay.search);
  const isPassing = replay.passing > 0;
  if (!isPassing && replay.held === null && isSlowed(replay)) return 'wait';
  const { fill } = reader;
  if (
    fill !== undefined &&
    replay.options.speed === 'max' &&
    schema !== null &&
    replay.learnt !== null &&
    !isPassing &&
    replay.throttle?.isThrottled() !== true
  )
    return stepBlock(replay, { ...reader, fill }, schema);
  if (replay.held === null && !isPassing) notePlace(replay, reader);
  const row = replay.held ?? (isPassing ? reader.one() : reader.next());
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
function stepBlock(replay: Replay, reader: Required<CsvReader>, schema: InternedSchema): 'more' | 'wait' {
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
  if (replay.isAtEnd && replay.passingTo !== null)
    lostPlace(
      replay,
      { from: replay.passingTo, isLast: false },
      'it is shorter than what was read of it before',
    );
  else if (reader.ended()) endPass(replay);
  else if (replay.isAtEnd && replay.options.follow) lookLater(replay);
  else replay.chunks?.pull();
  return 'wait';
}

/** An earlier run has given it. */
function pass(replay: Replay, row: CsvRow): 'more' {
  if (row.kind === 'bad') return 'more';
  replay.passing -= 1;
  if (replay.passing === 0) replay.passingTo = null;
  replay.pace.given(row.ts);
  replay.tracker.passed(1);
  return 'more';
}

/** What the throttle makes the replay wait for does not count as late in the rhythm of the file. */
function isSlowed(replay: Replay): boolean {
  const waitMs = replay.throttle?.waitMs() ?? 0;
  if (waitMs === 0) return false;
  replay.pace.late(waitMs);
  pause(replay, waitMs);
  return true;
}

function pause(replay: Replay, ms: number): void {
  replay.timer = replay.env.clock.scheduler.schedule(() => {
    replay.timer = undefined;
    pump(replay);
  }, ms);
}

function hold(replay: Replay, row: GoodRow, waitMs: number): void {
  replay.held = row;
  replay.report.waiting(row.line, waitMs);
  pause(replay, waitMs);
}

function endPass(replay: Replay): void {
  const { options, subscriber, report, pace, isResumed } = replay;
  const { loop, follow } = options;
  const isRotated = follow && (replay.isEarlier || !replay.chunks?.isCompressed());
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

function give(replay: Replay, row: GoodRow): void {
  const { schema, options, env, pace, tracker, report } = replay;
  if (schema === null) return;
  pace.given(row.ts);
  const { rows = 1 } = row;
  report.given(rows);
  const position = tracker.giving(rows);
  const ts = options.ts === 'now' ? env.clock.now() : pace.shifted(row.ts);
  replay.throttle?.given(1);
  const { values } = row;
  replay.subscriber.next({ schema, ts, mono: env.clock.mono(), values, position: () => position(rows) });
}

function giveBlock(replay: Replay, builder: BlockBuilder, schema: InternedSchema): void {
  const { pace, blocks, options, tracker, report } = replay;
  const { clock } = replay.env;
  const { count } = builder;
  report.given(count);
  replay.throttle?.given(count);
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
