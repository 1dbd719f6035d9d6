/** One subscription of a replay, as its parts share it. */
import type { Subscriber, Subscription } from 'rxjs';
import { errorText } from '../../../platform/error-text.ts';
import type { InternedSchema } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import type { RawRows, SourceEnv } from '../source.ts';
import { type BlockPool, createBlockPool } from './block-pool.ts';
import type { FileChunks } from './bytes/file-chunks.ts';
import { CsvError } from './csv-error.ts';
import { createPace, type Pace } from './pace.ts';
import { createPositionTracker, type PositionTracker, type ReplayPosition } from './position.ts';
import type { CsvReader, CsvRow, CsvShape } from './reader.ts';
import { createReplayReport, type ReplayReport } from './replay-report.ts';
import { createThrottle, type Throttle, type ThrottleSettings } from './throttle.ts';

export type ReplayOptions = {
  readonly source: string;
  readonly path: string;
  /** Undefined: found out. */
  readonly encoding?: string | undefined;
  /** Factor against the rhythm of the time column. */
  readonly speed: 'max' | number;
  readonly loop: boolean;
  /** Waits for more at the end of the file, and for the file that takes its place. */
  readonly follow: boolean;
  readonly ts: 'row' | 'now';
  /** Null: it is never slowed. */
  readonly throttle: ThrottleSettings | null;
  readonly createReader: () => CsvReader;
  /** Where to go on; null: at the top. */
  readonly from: ReplayPosition | null;
  /** Told of the tracker that knows how far the replay has come. */
  readonly onTracker: (tracker: PositionTracker) => void;
};
/** What a replay looks for before it reads rows. */
export type Search =
  /** The place of this position. `isLast`: no other file is looked for when it is not in this one. */
  | { readonly kind: 'place'; readonly from: ReplayPosition; readonly isLast: boolean }
  /** The place has been gone to; whether it is the one that was read before is not known yet. */
  | { readonly kind: 'gone'; readonly from: ReplayPosition; readonly isLast: boolean }
  /** The file that was read before and has lost its name. */
  | { readonly kind: 'file' };

export type GoodRow = Extract<CsvRow, { kind: 'row' }>;

export type Replay = {
  readonly options: ReplayOptions;
  readonly env: SourceEnv;
  readonly subscriber: Subscriber<RawRows>;
  readonly report: ReplayReport;
  readonly blocks: BlockPool;
  pace: Pace;
  readonly tracker: PositionTracker;
  readonly throttle: Throttle | null;
  /** Takes rows as far as there are some and the pipeline has room. */
  readonly pump: () => void;
  schema: InternedSchema | null;
  chunks: FileChunks | null;
  reader: CsvReader | null;
  /** Null: rows are read. */
  search: Search | null;
  /** Where the rows that are being passed over end; null: none are. */
  passingTo: ReplayPosition | null;
  /** Files that have lost the name, to be read before the one that has it. */
  earlier: string[];
  /** Whether the file that is open is one of those. */
  isEarlier: boolean;
  /** Good rows that an earlier run has given already. */
  passing: number;
  /** Whether this pass began behind the top. */
  isResumed: boolean;
  /** What the schema of this pass was learnt of; null: it is not known. */
  learnt: CsvShape | null;
  /** What has come of the file is read; more may come, where it is followed. */
  isAtEnd: boolean;
  /** The file has lost its name, and was read to its end after that. */
  isDrained: boolean;
  /** Waits for its time. */
  held: GoodRow | null;
  timer: Subscription | undefined;
  looking: Subscription | undefined;
  room: boolean;
  pumping: boolean;
};

export function createReplay(
  options: ReplayOptions,
  env: SourceEnv,
  subscriber: Subscriber<RawRows>,
  pump: (replay: Replay) => void,
): Replay {
  const { speed, source, path, from } = options;
  const tracker = createPositionTracker();
  options.onTracker(tracker);
  const replay: Replay = {
    options,
    env,
    subscriber,
    report: createReplayReport({ source, path }, env.emit),
    blocks: createBlockPool(),
    pace: createPace(speed, env, from?.pace),
    tracker,
    throttle: throttleOf(options, env, () => replay.pace),
    pump: () => pump(replay),
    schema: null,
    chunks: null,
    reader: null,
    search: from === null ? null : { kind: 'place', from, isLast: false },
    passingTo: null,
    earlier: [],
    isEarlier: false,
    passing: 0,
    isResumed: false,
    learnt: null,
    isAtEnd: false,
    isDrained: false,
    held: null,
    timer: undefined,
    looking: undefined,
    room: true,
    pumping: false,
  };
  return replay;
}

/** The journal of an agent that keeps none holds nothing. */
function throttleOf(
  { throttle, source, speed }: ReplayOptions,
  env: SourceEnv,
  pace: () => Pace,
): Throttle | null {
  if (throttle === null) return null;
  const { clock, emit, pending = () => 0 } = env;
  const rhythm = () => {
    const { interval } = pace().state();
    return speed === 'max' || interval === 0 ? null : (speed * 1000) / interval;
  };
  return createThrottle({ ...throttle, source, emit, scheduler: clock.scheduler, pending, rhythm });
}

export function fail({ subscriber, options }: Replay, error: unknown): void {
  const { path } = options;
  // Not every message of the system names the file.
  const isPlaced = !(error instanceof CsvError) && error instanceof Error && error.message.includes(path);
  subscriber.error(isPlaced ? error : new CsvError(`${path}: ${errorText(error)}`, { cause: error }));
}

/** The schema of a new pass; the same object while the columns stay the same. */
export function learn(replay: Replay, reader: CsvReader): void {
  const shape = reader.shape();
  if (shape === null || shape === replay.learnt) return;
  replay.learnt = shape;
  const { source } = replay.options;
  const { clock } = replay.env;
  const learnt = internSchema({ source, boot: clock.bootId, series: [...shape.series] });
  if (replay.schema?.ref === learnt.ref) return;
  replay.schema = learnt;
  if (shape.isNext !== true) replay.report.opened(shape);
}
