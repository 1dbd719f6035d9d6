/** Composition root of the agent: what talks to what, in which order it starts and stops. */
import { hostname } from 'node:os';
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
import type { Ids } from '../platform/ids.ts';
import type { Logger } from '../platform/logger.ts';
import type { Random } from '../platform/random.ts';
import { expectWork } from '../platform/spare-memory.ts';
import { createEmit, createRegistry, type Emit } from '../platform/telemetry.ts';
import { VERSION } from '../platform/version.ts';
import type { AgentState } from '../protocol/events.ts';
import { defaultAgentId } from './agent-id.ts';
import { type AssembledAgent, assembleAgent } from './assemble-agent.ts';
import { type AgentConfig, checkAgentConfig } from './config.ts';
import { agentEvents } from './events.ts';
import { type HealthServer, type HealthServerOptions, startHealthServer } from './health/health-server.ts';
import { openStore } from './open-store.ts';
import { pipelineEvents } from './pipeline/pipeline-events.ts';
import { createSources } from './sources/registry.ts';
import { sourceEvents } from './sources/source-events.ts';
import { isFullSpeed, parseSourceSpec } from './sources/spec.ts';
import { type AgentStatus, unreadiness } from './status.ts';
import { createTroubles } from './troubles.ts';
import { lagOf } from './uplink/heartbeat.ts';
import type { TrafficStore } from './uplink/metering/agent-meter.ts';
import { createTrafficFile, readTrafficFile } from './uplink/metering/traffic-file.ts';
import { boundTo } from './uplink/one-hq.ts';
import type { Environment } from './uplink/proxy/proxy-settings.ts';
import { createTokenReader } from './uplink/token.ts';
import { configuredWays } from './uplink/ways/configured-ways.ts';
import { createHqLink, type HqLink, proxyProblems } from './uplink/ways/hq-link.ts';

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
  /** Resolves when the first source runs, or when the agent is stopped before that. */
  readonly ready: Promise<void>;
  /** Address of the health page; null when it could not be served. */
  readonly healthUrl: string | null;
  readonly state$: DefaultedStateObservable<AgentState>;
  readonly status: () => AgentStatus;
  /**
   * Resolves when the agent can no longer do its work and should be started again: its journal is stuck, its uplink
   * crashed too often, or the disk that it could not write to is back.
   */
  readonly failed: Promise<Error>;
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

type Parts = AssembledAgent & Pick<HqLink, 'failing'> & { readonly journal: Journal };

/**
 * Starts an agent; resolves once its journal is open and its sources are started. Rejects with AgentConfigError on settings
 * that cannot be used, and with StorageError when the journal cannot be opened. On a disk that cannot be written the journal is in
 * memory (open-store.ts).
 */
export async function startAgent(
  config: AgentConfig,
  platform: AgentPlatform,
  { newEpoch = false }: StartOptions = {},
): Promise<RunningAgent> {
  const problems = checkAgentConfig(config);
  if (problems.length > 0) throw new AgentConfigError(problems);
  const specs = config.source.map(parseSourceSpec);
  if (specs.some(isFullSpeed)) expectWork();
  const ways = configuredWays(config);
  const { environment = {} } = platform;
  const wrongProxies = proxyProblems(ways, environment);
  if (wrongProxies.length > 0) throw new AgentConfigError(wrongProxies);
  const { clock, random, ids, logger } = platform;
  const registry = createRegistry();
  const troubles = createTroubles(clock);
  const emit: Emit<typeof agentEvents> = troubles.watch(createEmit(agentEvents, { logger, registry }));
  const startedTs = clock.now();
  let id = config.id ?? '';
  let parts: Parts | null = null;

  const status = (): AgentStatus => {
    const journal = parts?.journal.stats() ?? null;
    return {
      agent: id,
      version: VERSION,
      hq: parts?.way()?.url ?? ways[0]?.way.url ?? '',
      way:
        ways.length === 1
          ? null
          : { of: ways.length, taken: parts?.way() ?? null, failing: parts?.failing() ?? [] },
      dataDir: config.dataDir,
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

  // Up before the journal, whose recovery may take a while that people want to look into.
  const health = await openHealth(
    { host: config.healthHost, port: config.healthPort, status, registry },
    emit,
  );
  const store = await openStore({ config, clock, ids, newEpoch }).catch(async (error: unknown) => {
    await finished(health?.close() ?? EMPTY);
    throw error;
  });
  const { journal, inMemory } = store;
  if (inMemory !== null) emit({ type: 'journal_in_memory', detail: inMemory });
  const { dataDir } = config;
  id = config.id ?? defaultAgentId({ hostname: hostname(), dataDir, ids, isWritable: inMemory === null });
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
    identity: { agent: id, instance, version: VERSION },
    journal,
    link,
    traffic: await openTraffic(dataDir),
    sources: createSources(specs, {
      clock,
      random,
      emit: troubles.watch(createEmit(sourceEvents, { logger, registry })),
    }),
    clock,
    random,
    emit,
    pipelineEmit: troubles.watch(createEmit(pipelineEvents, { logger, registry })),
  });
  const { pipeline, stopping$ } = agent;
  parts = { journal, failing, ...agent };

  const failed = firstError(merge(store.failed$, agent.failed$));
  store.damage$.subscribe(({ what, detail, quarantine }) => {
    emit({ type: 'journal_damaged', what, detail, quarantine });
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
    dataDir,
  });
  agent.start();
  let stopped: Promise<void> | null = null;

  return {
    id,
    ready,
    healthUrl: health?.url ?? null,
    state$: state(agent.state$, 'starting'),
    status,
    failed,
    stop: () => {
      stopped ??= finished(agent.stop(health?.close() ?? EMPTY));
      return stopped;
    },
    loss: () => {
      const count = agent.uncommitted();
      return count === 0 ? null : `${count} samples could not be committed to the journal and are lost`;
    },
  };
}

/** The count of the link's bytes lies beside the journal. */
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
        emit({ type: 'health_failed', reason: messageOf(error) });
        return of(null);
      }),
    ),
  );
}

function finished(work: Observable<unknown>): Promise<void> {
  return lastValueFrom(work.pipe(map(() => undefined)), { defaultValue: undefined });
}

/** The first thing that it emits or fails with; never rejects, and stays open when it just ends. */
function firstError(source: Observable<unknown>): Promise<Error> {
  return new Promise((resolve) => {
    const take = (error: unknown) =>
      resolve(error instanceof Error ? error : new Error(`the agent failed: ${messageOf(error)}`));
    source.subscribe({ next: take, error: take });
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
