/**
 * An agent without its outer edges: pipeline and uplink over any journal, link and sources, with their life from start
 * to ordered stop. `main.ts` puts LMDB, Socket.IO and the health page around it; a simulation puts others.
 */
import {
  AsyncSubject,
  BehaviorSubject,
  defer,
  EMPTY,
  merge,
  type Observable,
  Subject,
  takeUntil,
} from 'rxjs';
import type { Journal } from '../journal/port.ts';
import type { Clock } from '../platform/clock.ts';
import type { Ending } from '../platform/ending.ts';
import { errorText } from '../platform/error-text.ts';
import type { Random } from '../platform/random.ts';
import type { Emit } from '../platform/telemetry.ts';
import type { AgentState } from '../protocol/events.ts';
import type { AgentConfig } from './config.ts';
import type { agentEvents } from './events.ts';
import { createLinkWatch, type LinkWatch } from './link-watch.ts';
import type { DetectionStore } from './pipeline/detection-memory.ts';
import { parseLimits } from './pipeline/diagnose/parse-limits.ts';
import { createPipeline } from './pipeline/pipeline.ts';
import type { pipelineEvents } from './pipeline/pipeline-events.ts';
import type { Pipeline } from './pipeline/pipeline-types.ts';
import type { Source } from './sources/source.ts';
import { stopInOrder } from './stop-in-order.ts';
import type { Link, Way } from './uplink/link.ts';
import { createAgentMeter, type TrafficStore } from './uplink/metering/agent-meter.ts';
import type { UplinkGate } from './uplink/metering/gate.ts';
import { createMeteredLink } from './uplink/metering/metered-link.ts';
import { createOneHqLink } from './uplink/one-hq.ts';
import { createUplink, type Uplink, type UplinkOptions } from './uplink/uplink.ts';
import { createWayLimit } from './uplink/ways/way-limit.ts';
import { watchAgent } from './watch-agent.ts';

/** Of the quota of the journal, what detection has learned may take one part in so many, and so much in all. */
const STATE_SHARE = 64;
const MAX_STATE_BYTES = 1024 * 1024;

export type AssembleAgentOptions = {
  readonly config: Pick<AgentConfig, 'journal' | 'uplink' | 'detect'>;
  readonly identity: UplinkOptions['identity'];
  /** Belongs to the agent from now on: its stop closes it. */
  readonly journal: Journal;
  readonly link: Link;
  /** Where the count of the link's bytes is kept. */
  readonly traffic: TrafficStore;
  readonly sources: readonly Source[];
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit<typeof agentEvents>;
  readonly pipelineEmit: Emit<typeof pipelineEvents>;
};

export type AssembledAgent = {
  readonly pipeline: Pipeline;
  readonly uplink: Uplink;
  /** What the data budget lets go, and what it counted. */
  readonly gate: UplinkGate;
  /** The way to HQ of the latest connection; null before the first. */
  readonly way: () => Way | null;
  readonly linkWatch: Pick<LinkWatch, 'forecast'>;
  readonly state$: BehaviorSubject<AgentState>;
  /** Whether a stop has begun: at once, and when it does. */
  readonly stopping$: BehaviorSubject<boolean>;
  /** Starts sampling. To be called once, when the watchers are in place. */
  readonly start: () => void;
  /**
   * Emits when the uplink has crashed too often, or must begin a new epoch; completes after that, or when the agent has
   * ended.
   */
  readonly ending$: Observable<Ending>;
  /**
   * Samples that are not committed yet; once a stop has begun also those that it gave up: at its end, how many it lost.
   */
  readonly uncommitted: () => number;
  /**
   * Ends sampling, makes everything durable, sends what is live, says goodbye, closes the journal, then `last`.
   * Completes; never errors.
   */
  readonly stop: (last: Observable<unknown>) => Observable<never>;
};

export function assembleAgent(options: AssembleAgentOptions): AssembledAgent {
  const { config, identity, journal, sources, clock, random, emit, pipelineEmit } = options;
  const state$ = new BehaviorSubject<AgentState>('starting');
  const stopping$ = new BehaviorSubject(false);
  const ended$ = new Subject<void>();
  const flushed$ = new AsyncSubject<void>();

  const pipeline = createPipeline({
    sources,
    journal,
    detectionStore: detectionStoreOf(journal),
    clock,
    random,
    emit: pipelineEmit,
    settings: {
      commitMs: config.journal.commitMs,
      detection: config.detect,
      ranges: config.detect.limits.map(parseLimits),
    },
  });
  const meter = createAgentMeter({ settings: config.uplink, traffic: options.traffic, clock, emit });
  const limited = createWayLimit(
    createMeteredLink({ link: createOneHqLink(options.link, journal), meter, clock }),
    meter.gate,
    (way, before) =>
      emit({
        type: 'way_changed',
        url: way.url,
        way: way.index + 1,
        before: before.url,
        maxLane: way.maxLane,
      }),
  );
  const uplink = createUplink({
    identity,
    settings: config.uplink,
    link: limited.link,
    journal,
    clock,
    random,
    emit,
    agentState: () => state$.value,
    gate: limited.gate,
    linkReport: () => linkWatch.report(),
  });
  const linkWatch = createLinkWatch({ journal, gate: limited.gate, uplink: uplink.status, clock });
  watchAgent({ journal, pipeline, uplink, linkWatch, clock, emit, stopping$ })
    .pipe(takeUntil(ended$))
    .subscribe(state$);

  const { stop, uncommitted } = stopOf(options, { pipeline, uplink, meter, stopping$, ended$, flushed$ });
  return {
    pipeline,
    uplink,
    gate: limited.gate,
    way: limited.current,
    linkWatch,
    state$,
    stopping$,
    start: () => {
      pipeline.appended$.subscribe({
        next: ({ frame }) => {
          if (frame.notable) meter.anomaly();
          uplink.committed(frame);
        },
        complete: () => flushed$.complete(),
      });
    },
    ending$: uplink.ending$.pipe(takeUntil(ended$)),
    uncommitted,
    stop,
  };
}

function detectionStoreOf(journal: Journal): DetectionStore {
  return {
    keptState: journal.keptState,
    // A full disk keeps its room for samples.
    keepState: (bytes) => defer(() => (journal.stats().disk === 'full' ? EMPTY : journal.keepState(bytes))),
    maxStateBytes: Math.min(MAX_STATE_BYTES, journal.stats().maxBytes / STATE_SHARE),
  };
}

type Running = Pick<AssembledAgent, 'pipeline' | 'uplink' | 'stopping$'> & {
  readonly meter: ReturnType<typeof createAgentMeter>;
  readonly ended$: Subject<void>;
  /** Completes once everything sampled is durable. */
  readonly flushed$: Observable<void>;
};

function stopOf(
  { journal, clock, emit }: Pick<AssembleAgentOptions, 'journal' | 'clock' | 'emit'>,
  { pipeline, uplink, meter, stopping$, ended$, flushed$ }: Running,
): Pick<AssembledAgent, 'stop' | 'uncommitted'> {
  let clean = true;
  /** Before the stop; a journal that is closed has the pipeline discard what waits. */
  let discardedBefore: number | null = null;
  const discarded = () => discardedBefore ?? pipeline.status().commit.discarded;
  const uncommitted = () => {
    const { commit } = pipeline.status();
    return commit.uncommitted + commit.discarded - discarded();
  };
  const flush = defer(() => {
    stopping$.next(true);
    discardedBefore = discarded();
    pipeline.stop();
    return flushed$;
  });
  const closeJournal = defer(() => {
    ended$.next();
    return merge(meter.close(), journal.close());
  });
  /** Not before: a commit under way may end while the journal is closed. */
  const tellEnd = () => {
    const { pending } = journal.stats();
    const lost = { uncommitted: uncommitted(), discarded: discarded() };
    emit({ type: 'agent_stopped', pending, ...lost, clean });
  };
  return {
    uncommitted,
    stop: (last) =>
      stopInOrder({
        flush,
        leave: uplink.stop,
        closeJournal,
        closeHealth: defer(() => {
          tellEnd();
          return last;
        }),
        onUnclean: (step, error) => {
          clean = false;
          const reason = errorText(error);
          emit({ type: 'stop_unclean', step, reason });
        },
        scheduler: clock.scheduler,
      }),
  };
}
