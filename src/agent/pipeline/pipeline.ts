/**
 * The pipeline: source → detect → diagnose → collect → journal.
 *
 * The order of samples of one source is kept. Detection and diagnosis are synchronous; nothing before the journal waits
 * but the batch that gathers. A source that fails is started again by itself and disturbs no other.
 */
import {
  AsyncSubject,
  auditTime,
  BehaviorSubject,
  defer,
  identity,
  map,
  merge,
  Subject,
  share,
  startWith,
  takeUntil,
  tap,
} from 'rxjs';
import { rowCount } from '../../protocol/sample-block.ts';
import { saveEvery } from '../../streams/save-every.ts';
import type { RawRows, Source } from '../sources/source.ts';
import { annotate } from './annotate.ts';
import { commit } from './commit.ts';
import { createDetectionMemory } from './detection-memory.ts';
import {
  type CommitStatus,
  PIPELINE_BOUNDS,
  type Pipeline,
  type PipelineOptions,
  type PipelineSettings,
  type PipelineStatus,
  type SourceStatus,
} from './pipeline-types.ts';
import { supervise } from './supervise.ts';

/** What detection has learned is kept this often, ms. */
const KEEP_DETECTION_MS = 60_000;
/** Counts of the status move at most this often, ms. */
const STATUS_MS = 250;

export function createPipeline(options: PipelineOptions): Pipeline {
  const { sources, journal, clock, random, emit } = options;
  const settings: PipelineSettings = { ...PIPELINE_BOUNDS, ...options.settings };
  const stopped$ = new AsyncSubject<void>();
  const demand$ = new BehaviorSubject(true);
  const urgent$ = new Subject<void>();
  const counted$ = new Subject<void>();
  const tracks = sources.map(createTrack);
  const memory = createDetectionMemory({ store: options.detectionStore, clock, emit });
  let commitStatus: CommitStatus = { uncommitted: 0, committed: 0, discarded: 0, failure: null };

  const bufferTrouble = (): string | null => {
    if (commitStatus.failure !== null) return `the journal takes no samples: ${commitStatus.failure}`;
    const { overflowing, disk } = journal.stats();
    if (disk === 'absent') return 'the data directory cannot be written: samples are kept in memory only';
    if (disk === 'failing') return 'the last commit of the journal failed';
    if (!overflowing) return null;
    return `the ${disk === 'full' ? 'disk' : 'journal'} is full and the overflow policy is at work`;
  };

  const onStatus = (next: CommitStatus, urgent: boolean) => {
    commitStatus = next;
    if (urgent) urgent$.next();
    else counted$.next();
  };

  const run = (track: Track) => {
    const { source } = track;
    const onState = (state: SourceStatus['state']) => {
      track.state = state;
      urgent$.next();
    };
    return supervise(source, { clock, random, emit, demand$, onState }).pipe(
      tap(track.note),
      annotate({ source, settings, emit, memory, bufferTrouble }),
    );
  };

  const appended$ = defer(() => merge(...tracks.map(run))).pipe(
    takeUntil(stopped$),
    commit({
      append: journal.append,
      settings,
      clock,
      random,
      emit,
      onDemand: (room) => demand$.next(room),
      onStatus,
    }),
    // Behind the commit: what is kept has seen all that is durable.
    options.detectionStore === undefined
      ? identity
      : saveEvery(KEEP_DETECTION_MS, memory.keep, clock.scheduler),
    share({ resetOnComplete: false, resetOnError: false }),
  );

  const status = (): PipelineStatus => ({
    sources: tracks.map((track) => track.status()),
    commit: commitStatus,
    degraded: bufferTrouble() !== null,
  });

  return {
    appended$,
    status$: merge(urgent$, counted$.pipe(auditTime(STATUS_MS, clock.scheduler))).pipe(
      startWith(undefined),
      map(status),
    ),
    status,
    stop: () => {
      stopped$.next();
      stopped$.complete();
    },
  };
}

type Track = {
  readonly source: Source;
  state: SourceStatus['state'];
  readonly note: (raw: RawRows) => void;
  readonly status: () => SourceStatus;
};

function createTrack(source: Source): Track {
  let samples = 0;
  let lastTs: number | null = null;
  const track: Track = {
    source,
    state: { kind: 'starting' },
    note: (raw) => {
      samples += rowCount(raw);
      lastTs = typeof raw.ts === 'number' ? raw.ts : (raw.ts.at(-1) ?? lastTs);
    },
    status: () => ({ name: source.name, samples, lastTs, state: track.state }),
  };
  return track;
}
