/** Composition root of the agent: what talks to what, in which order it starts and stops. */
import { join } from 'node:path';
import { type DefaultedStateObservable, state } from '@rx-state/core';
import {
  catchError,
  EMPTY,
  filter,
  firstValueFrom,
  lastValueFrom,
  map,
  merge,
  type Observable,
  of,
} from 'rxjs';
import type { Journal } from '../journal/port.ts';
import { type Clock, machineUptime } from '../platform/clock.ts';
import type { Ending } from '../platform/ending.ts';
import { errorText } from '../platform/error-text.ts';
import type { Ids } from '../platform/ids.ts';
import { registerLogMetrics } from '../platform/log-metrics.ts';
import type { Logger } from '../platform/logger.ts';
import { speakPlainly } from '../platform/plain-error.ts';
import type { Random } from '../platform/random.ts';
import { expectWork } from '../platform/spare-memory.ts';
import { createEmit, createRegistry, type Emit } from '../platform/telemetry.ts';
import { VERSION } from '../platform/version.ts';
import type { AgentState } from '../protocol/events.ts';
import { defaultAgentId, lastingHostName } from './agent-id.ts';
import { type AssembledAgent, assembleAgent } from './assemble-agent.ts';
import { type AgentConfig, checkAgentConfig } from './config.ts';
import { agentEvents } from './events.ts';
import { type HealthServer, type HealthServerOptions, startHealthServer } from './health/health-server.ts';
import { type AgentStore, openStore } from './open-store.ts';
import { pipelineEvents } from './pipeline/pipeline-events.ts';
import { createSources } from './sources/registry.ts';
import { sourceEvents } from './sources/source-events.ts';
import { isFullSpeed, readSource, type SourceSpec } from './sources/spec.ts';
import { type AgentStatus, unreadiness } from './status.ts';
import { createTroubles } from './troubles.ts';
import { lagOf } from './uplink/heartbeat.ts';
import type { TrafficStore } from './uplink/metering/agent-meter.ts';
import { createTrafficFile, readTrafficFile } from './uplink/metering/traffic-file.ts';
import { boundTo } from './uplink/one-hq.ts';
import type { Environment } from './uplink/proxy/proxy-settings.ts';
import { createTokenReader } from './uplink/token.ts';
import { configuredWays } from './uplink/ways/configured-ways.ts';
import { createHqLink, type HqLink } from './uplink/ways/hq-link.ts';
import { proxyProblems } from './uplink/ways/proxy-problems.ts';

export type AgentPlatform = {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Names HTTP proxies (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY). Default: none. */
  readonly environment?: Environment;
};

export type RunningAgent = {
  readonly id: string;
  /** Of this agent alone, also where several share one. */
  readonly dataDir: string;
  /** Resolves when the first source runs, or when the agent is stopped before that. */
  readonly ready: Promise<void>;
  /** Address of the health page; null when it could not be served. */
  readonly healthUrl: string | null;
  readonly state$: DefaultedStateObservable<AgentState>;
  readonly status: () => AgentStatus;
  /**
   * Resolves when the agent can no longer do its work: `failed` when its journal is stuck or its uplink crashed too
   * often; `restart` when the disk that it could not write to is back, or when its journal is to begin a new epoch.
   */
  readonly ending: Promise<Ending>;
  /** Ends sampling, makes everything durable, sends what is live, says goodbye and closes, within 30 s. Idempotent. */
  readonly stop: () => Promise<void>;
  /** What ending now loses, or what the stop has lost, in a sentence; null when nothing. */
  readonly loss: () => string | null;
};

/** Settings that contradict each other; `problems` has a sentence for each. */
export class AgentConfigError extends Error {
  override readonly name = 'AgentConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export type StartOptions = {
  /** Gives the journal a new epoch, in which what is pending is kept. */
  readonly newEpoch?: boolean;
};

/**
 * Starts an agent; resolves once its journal is open and its sources are started. Rejects with AgentConfigError on
 * settings that cannot be used, and with StorageError when the journal cannot be opened. On a disk that cannot be
 * written the journal is in memory (open-store.ts).
 */
export async function startAgent(
  config: AgentConfig,
  platform: AgentPlatform,
  { newEpoch = false }: StartOptions = {},
): Promise<RunningAgent> {
  speakPlainly();
  const { specs, ways } = checked(config, platform);
  if (specs.some(isFullSpeed)) expectWork();
  const voice = createVoice(platform);
  const { emit } = voice;
  const view = createView(config, { ways, clock: platform.clock, troubles: voice.troubles });

  // Up before the journal, whose recovery may take a while that people want to look into.
  const { healthHost: host, healthPort: port } = config;
  const health = await openHealth({ host, port, status: view.status, registry: voice.registry }, emit);
  const store = await openStore({ ...platform, config, newEpoch }).catch(async (error: unknown) => {
    await finished(health?.close() ?? EMPTY);
    throw error;
  });
  if (store.inMemory !== null) emit({ type: 'journal_in_memory', detail: store.inMemory });
  const parts = await assemble({ config, platform, ways, specs, voice, store });
  view.show({ ...parts, dataDir: store.dataDir });
  return run({ parts, store, health, ways, emit, status: view.status });
}

/** The settings that can be used as they are. Throws AgentConfigError. */
function checked(config: AgentConfig, { environment = {} }: AgentPlatform): Plan {
  const problems = checkAgentConfig(config);
  if (problems.length > 0) throw new AgentConfigError(problems);
  const ways = configuredWays(config);
  const wrongProxies = proxyProblems(ways, environment);
  if (wrongProxies.length > 0) throw new AgentConfigError(wrongProxies);
  return { ways, specs: config.source.map(readSource) };
}

type Plan = {
  readonly ways: ReturnType<typeof configuredWays>;
  readonly specs: readonly SourceSpec[];
};

/** What the agent says of itself: log, metrics, troubles. */
function createVoice({ clock, logger }: AgentPlatform) {
  const registry = createRegistry();
  registerLogMetrics(registry, logger);
  const troubles = createTroubles(clock);
  const emits = { logger, registry };
  return {
    registry,
    troubles,
    emit: troubles.watch(createEmit(agentEvents, emits)),
    sourceEmit: troubles.watch(createEmit(sourceEvents, emits)),
    pipelineEmit: troubles.watch(createEmit(pipelineEvents, emits)),
  };
}

type Voice = ReturnType<typeof createVoice>;
type Parts = AssembledAgent & Pick<HqLink, 'failing'> & { readonly id: string; readonly journal: Journal };
type Shown = Parts & Pick<AgentStore, 'dataDir'>;

/** The status, which people may ask for before the agent is put together. */
function createView(
  config: AgentConfig,
  { ways, clock, troubles }: Pick<Plan, 'ways'> & Pick<AgentPlatform, 'clock'> & Pick<Voice, 'troubles'>,
) {
  const startedTs = clock.now();
  let parts: Shown | null = null;
  const status = (): AgentStatus => {
    const journal = parts?.journal.stats() ?? null;
    return {
      agent: parts?.id ?? config.id ?? '',
      version: VERSION,
      hq: parts?.way()?.url ?? ways[0]?.way.url ?? '',
      way:
        ways.length === 1
          ? null
          : { of: ways.length, taken: parts?.way() ?? null, failing: parts?.failing() ?? [] },
      dataDir: parts?.dataDir ?? config.dataDir,
      now: clock.now(),
      startedTs,
      state: parts?.state$.value ?? 'starting',
      journal,
      uplink: parts?.uplink.status() ?? null,
      budget: parts?.gate.status() ?? null,
      forecast: parts?.linkWatch.forecast() ?? { kind: 'unknown' },
      pipeline: parts?.pipeline.status() ?? null,
      lagMs: journal === null ? 0 : lagOf(journal, clock.now()),
      troubles: troubles.list(),
    };
  };
  const show = (now: Shown) => {
    parts = now;
  };
  return { status, show };
}

type AssembleOptions = Plan & {
  readonly config: AgentConfig;
  readonly platform: AgentPlatform;
  readonly voice: Voice;
  readonly store: AgentStore;
};

async function assemble(options: AssembleOptions): Promise<Parts> {
  const { config, platform, ways, specs, voice, store } = options;
  const { clock, random, ids, environment = {} } = platform;
  const { emit, pipelineEmit } = voice;
  const { journal, dataDir, inMemory } = store;
  // Those that share a directory may share a host, too.
  const host = config.sharedDataDir ? '' : lastingHostName();
  const id = config.id ?? defaultAgentId({ hostname: host, dataDir, ids, isWritable: inMemory === null });
  const instance = ids.hex(8);
  const { connectTimeoutMs, returnAfterMs, transport } = config.uplink;
  const { link, failing } = createHqLink({
    ways,
    token: createTokenReader(config),
    instance,
    connectTimeoutMs,
    returnAfterMs,
    transport,
    clock,
    environment,
    hq: () => boundTo(journal),
    onFailing: ({ way, reason }) =>
      emit({ type: 'way_failed', url: way.url, way: way.index + 1, detail: reason }),
  });
  const agent = assembleAgent({
    config,
    identity: {
      ...{ agent: id, instance, version: VERSION },
      ...(Object.keys(config.labels).length > 0 && { labels: config.labels }),
    },
    journal,
    link,
    traffic: await openTraffic(dataDir),
    sources: createSources(specs, {
      clock,
      random,
      emit: voice.sourceEmit,
      position: journal.position,
      pending: () => journal.stats().pending,
    }),
    clock,
    random,
    emit,
    pipelineEmit,
  });
  return { id, journal, failing, ...agent };
}

type RunOptions = Pick<Plan, 'ways'> & {
  readonly parts: Parts;
  readonly store: AgentStore;
  readonly health: HealthServer | null;
  readonly emit: Emit<typeof agentEvents>;
  readonly status: () => AgentStatus;
};

function run({ parts, store, health, ways, emit, status }: RunOptions): RunningAgent {
  const { id, journal, pipeline, stopping$ } = parts;
  const ending = firstEnding(merge(store.ending$, parts.ending$));
  store.damage$.subscribe(({ what, detail, quarantine }) => {
    emit(
      what === 'missing'
        ? { type: 'journal_missing', detail }
        : { type: 'journal_damaged', what, detail, quarantine },
    );
  });
  const ready = firstValueFrom(
    merge(pipeline.status$, stopping$).pipe(
      filter(() => stopping$.value || unreadiness(status()) === null),
      map(() => undefined),
    ),
  );
  emit({
    type: 'agent_started',
    agent: id,
    epoch: journal.epoch,
    hq: ways.map(({ way }) => way.url).join(' '),
    dataDir: store.dataDir,
  });
  parts.start();
  let stopped: Promise<void> | null = null;

  return {
    id,
    dataDir: store.dataDir,
    ready,
    healthUrl: health?.url ?? null,
    state$: state(parts.state$, 'starting'),
    status,
    ending,
    stop: () => {
      stopped ??= finished(parts.stop(health?.close() ?? EMPTY));
      return stopped;
    },
    loss: () => {
      const count = parts.uncommitted();
      return count === 0 ? null : `${count} samples could not be committed to the journal and are lost`;
    },
  };
}

/** The count of the link's bytes lies alongside the journal. */
async function openTraffic(dataDir: string): Promise<TrafficStore> {
  const path = join(dataDir, 'traffic.json');
  return { file: createTrafficFile(path), read: await readTrafficFile(path), uptime: machineUptime };
}

/** An agent without its health page is still an agent. */
function openHealth(
  options: HealthServerOptions,
  emit: Emit<typeof agentEvents>,
): Promise<HealthServer | null> {
  return firstValueFrom(
    startHealthServer(options).pipe(
      map((server) => {
        emit({ type: 'health_listening', url: server.url });
        return server;
      }),
      catchError((error: unknown) => {
        emit({ type: 'health_failed', reason: errorText(error) });
        return of(null);
      }),
    ),
  );
}

function finished(work: Observable<unknown>): Promise<void> {
  return lastValueFrom(work.pipe(map(() => undefined)), { defaultValue: undefined });
}

/** The first one; never rejects, and stays open when there is none. An error is one, too. */
function firstEnding(source: Observable<Ending>): Promise<Ending> {
  return new Promise((resolve) => {
    source.subscribe({ next: resolve, error: (error: unknown) => resolve({ kind: 'failed', error }) });
  });
}
