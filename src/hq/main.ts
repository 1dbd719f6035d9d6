/**
 * HQ, put together: storage, store, fleet state, HTTP, Socket.IO and ingest, in the order in which each needs the
 * other. Whatever was started is ended in reverse order, at a stop as well as when a later part fails to start.
 */
import type { Server } from 'node:http';
import { resolve } from 'node:path';
import { filter, firstValueFrom } from 'rxjs';
import type { Clock } from '../platform/clock.ts';
import { errorText } from '../platform/error-text.ts';
import type { Ids } from '../platform/ids.ts';
import { registerLogMetrics } from '../platform/log-metrics.ts';
import type { Logger } from '../platform/logger.ts';
import { fileLimit } from '../platform/open-files.ts';
import type { Random } from '../platform/random.ts';
import { createEmit, createRegistry, type Emit, type Telemetry } from '../platform/telemetry.ts';
import { VERSION } from '../platform/version.ts';
import { effectiveLabels } from '../protocol/labels.ts';
import { readHqIdentity, writeHqIdentity } from '../storage/directory/data-directory.ts';
import { type LmdbStorage, type LmdbStorageOptions, openLmdbStorage } from '../storage/lmdb/lmdb-storage.ts';
import type { StorageErrorCode } from '../storage/storage.ts';
import { type Access, createAccess, isLoopback } from './access.ts';
import { type AssembledHq, assembleHq } from './assemble-hq.ts';
import { type Backups, createBackups } from './backup/backups.ts';
import { runBackup } from './backup/run-backup.ts';
import { checkHqConfig, type HqConfig, trustedProxiesOf } from './config.ts';
import { type ConnectionLimits, connectionLimits } from './connection-limits.ts';
import { hqEvents } from './events.ts';
import { attachDashboards } from './gateway/dashboard.ts';
import { registerFleetMetrics } from './gateway/fleet-metrics.ts';
import { CHAOS_SEVERITY, type GatewayEvents, gatewayEvents } from './gateway/gateway-events.ts';
import { registerProcessMetrics } from './gateway/process-metrics.ts';
import { createGateway } from './gateway/server.ts';
import { createSocketServer } from './gateway/socket-server.ts';
import { attachTelemetryStream } from './gateway/streams/telemetry-stream.ts';
import type { IdentityCopy } from './identity.ts';
import { createSocketIoAgents } from './ingest/socketio/socketio-agents.ts';
import { HqStartError, listen } from './listen.ts';
import type { Refusals } from './refusals.ts';
import { failureText } from './storage-health.ts';
import type { Rebuild } from './store/rebuild-parts.ts';
import { createTurns, type Turns } from './store/turns.ts';
import { withTokensOfFiles } from './token-files.ts';
import { createUndoSteps, type UndoSteps } from './undo-steps.ts';

export type HqPlatform = {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
};

export type RunningHq = {
  readonly url: string;
  readonly port: number;
  /**
   * Resolves, with the reason, when HQ can no longer do its work and should be stopped and started again. Never
   * rejects.
   */
  readonly failed: Promise<unknown>;
  /** Refuses what is new, ends all connections, flushes and closes; within `stopTimeoutMs`. Never rejects. */
  readonly stop: () => Promise<void>;
};

const STOPPING = 'HQ is stopping';
type HqEmit = Emit<typeof hqEvents>;

const identityCopyIn = (directory: string): IdentityCopy => ({
  read: () => readHqIdentity(directory),
  write: (identity) => writeHqIdentity(directory, identity),
});

export type HqStart = {
  /** What is made again before HQ listens. Default: nothing. */
  readonly rebuild?: readonly Rebuild[];
};

/** Resolves once HQ listens. Rejects with HqStartError or StorageError, whose messages say what to do. */
export async function startHq(
  given: HqConfig,
  platform: HqPlatform,
  start: HqStart = {},
): Promise<RunningHq> {
  const { config, problems: unread } = withTokensOfFiles(given);
  const problems = [...unread, ...checkHqConfig(config)];
  if (problems.length > 0) throw new HqStartError(problems.join('\n'));
  const telemetry: Telemetry = { logger: platform.logger, registry: createRegistry() };
  const emit = createEmit(hqEvents, telemetry);
  const undo = createUndoSteps(platform.clock, (step, error) =>
    emit({ type: 'stop_incomplete', step, error: errorText(error) }),
  );
  try {
    return await assemble(config, platform, { telemetry, emit, undo, start });
  } catch (error) {
    await undo.runAll(config.stopTimeoutMs);
    throw error;
  }
}

type Tools = {
  readonly telemetry: Telemetry;
  readonly emit: HqEmit;
  readonly undo: UndoSteps;
  readonly start: HqStart;
};

async function assemble(
  config: HqConfig,
  platform: HqPlatform,
  { telemetry, emit, undo, start }: Tools,
): Promise<RunningHq> {
  const { clock, random, ids, logger } = platform;
  const access = createAccess(config);
  registerProcessMetrics(telemetry.registry, clock);
  registerLogMetrics(telemetry.registry, logger);

  const dataDir = resolve(config.dataDir);
  const opened = await openStorage(dataDir, clock, emit);
  undo.push('close the storage', () => opened.close());
  const unreadiness: string[] = [];
  const failed = watchStorage(opened, emit);
  void failed.then(() => unreadiness.push('the storage has failed; HQ has to be restarted'));
  const hq = await firstValueFrom(
    assembleHq({
      identityCopy: identityCopyIn(dataDir),
      config,
      storage: opened,
      rebuild: start.rebuild ?? [],
      access,
      clock,
      random,
      ids,
      telemetry,
      version: VERSION,
      undo,
    }),
  );
  const { store, chaos, fleet, refusals, alarms } = hq;
  opened.damage$.subscribe(({ detail }) => alarms.set('storage_damaged', detail));
  const gatewayEmit = notingRefusals(createEmit(gatewayEvents, telemetry), refusals);
  registerFleetMetrics(telemetry.registry, fleet);
  // That nothing is disturbed is no news at the start.
  chaos.state$
    .pipe(filter(({ effect }, index) => index > 0 || effect !== 'none'))
    .subscribe(({ mode, effect }) =>
      gatewayEmit({ type: 'chaos_effect', mode, effect, severity: CHAOS_SEVERITY[effect] }),
    );

  const connections = limitConnections(config, gatewayEmit);
  const turns = createTurns(clock);
  const app = await createGateway({
    config,
    connections,
    store,
    ingest: hq.ingest,
    fleet,
    chaos,
    access,
    clock,
    turns,
    logger,
    emit: gatewayEmit,
    registry: telemetry.registry,
    version: VERSION,
    identity: hq.identity,
    log: hq.logLife?.log ?? null,
    backups: backupsOf(config, { dataDir, clock, emit: gatewayEmit, undo }),
    refusals: refusals.list,
    alarms,
    unreadiness: () => withFailure(unreadiness, hq.storageFailure()),
  });
  undo.push('end HTTP', () => app.close());

  serveSockets(app.server, config, { hq, access, clock, emit: gatewayEmit, connections, turns, undo });

  const { url, port } = await listen(app, config.host, config.port);
  warnOfAccess(config, access.demoRoles, emit);
  emit({ type: 'hq_listening', url, version: VERSION, dataDir });
  saySignIn(url, config, access.demoRoles, emit);
  return {
    url,
    port,
    failed,
    stop: async () => {
      if (!unreadiness.includes(STOPPING)) {
        unreadiness.push(STOPPING);
        emit({ type: 'hq_stopping' });
      }
      await undo.runAll(config.stopTimeoutMs);
    },
  };
}

function openStorage(directory: string, clock: Clock, emit: HqEmit): Promise<LmdbStorage> {
  const onUpgrade: LmdbStorageOptions['onUpgrade'] = (upgrade) =>
    emit({ type: 'storage_upgrade', ...upgrade });
  return firstValueFrom(openLmdbStorage({ directory, role: 'hq', clock, onUpgrade }));
}

type BackupTools = {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly emit: Emit<GatewayEvents>;
  readonly undo: UndoSteps;
};

function backupsOf({ backup }: HqConfig, { dataDir, clock, emit, undo }: BackupTools): Backups {
  const onEnd = (end: { readonly name: string; readonly tookMs: number; readonly error: string | null }) =>
    emit({ type: 'backup_ended', ...end });
  const backups = createBackups({ dir: backup.dir, dataDir, clock, version: VERSION, run: runBackup, onEnd });
  undo.push('end a backup that runs', () => void backups.stop());
  return backups;
}

type SocketTools = {
  readonly hq: AssembledHq;
  readonly access: Access;
  readonly clock: Clock;
  readonly emit: Emit<GatewayEvents>;
  readonly connections: ConnectionLimits;
  readonly turns: Turns;
  readonly undo: UndoSteps;
};

/** Lets agents and dashboards in. */
function serveSockets(server: Server, config: HqConfig, tools: SocketTools): void {
  const { hq, access, clock, emit, connections, turns, undo } = tools;
  const trustedProxies = trustedProxiesOf(config);
  const { alarms, fleet } = hq;
  const io = createSocketServer(server, config, { access, clock, emit, alarms, connections });
  undo.push('end Socket.IO', () => void io.engine.close());
  hq.serveAgents(createSocketIoAgents(io, trustedProxies));
  const detachDashboards = attachDashboards({
    io,
    fleet,
    access,
    clock,
    emit,
    updateMs: config.dashboard.updateMs,
    stallMs: config.dashboard.stallMs,
    maxDashboards: config.limits.maxDashboards,
    trustedProxies,
  });
  undo.push('end the dashboards', () => void detachDashboards());
  const detachStream = attachTelemetryStream({
    server,
    ...{ access, clock, emit, trustedProxies, turns },
    store: hq.store,
    labelsOf: (agent) => effectiveLabels(fleet.labels(agent)),
    updateMs: config.dashboard.updateMs,
    stallMs: config.dashboard.stallMs,
    pingIntervalMs: config.socket.pingIntervalMs,
    pingTimeoutMs: config.socket.pingTimeoutMs,
    maxStreams: config.limits.maxStreams,
    requestsPerMinute: config.limits.requestsPerMinute,
  });
  undo.push('end the telemetry streams', () => void detachStream());
}

/** Says at the start how many connections HQ takes. */
function limitConnections({ limits }: HqConfig, emit: Emit<GatewayEvents>): ConnectionLimits {
  const openFiles = fileLimit() ?? Number.POSITIVE_INFINITY;
  const connections = connectionLimits(limits, openFiles);
  const { max: maxConnections, maxPerAddress: maxConnectionsPerAddress } = connections;
  emit({ type: 'connection_limits', maxConnections, maxConnectionsPerAddress });
  if (maxConnections < limits.maxConnections) emit({ type: 'few_files', openFiles, maxConnections });
  return connections;
}

/** Why HQ is not ready. `failure`: of the last commit; null: it succeeded. */
function withFailure(reasons: readonly string[], failure: StorageErrorCode | null): readonly string[] {
  if (failure === null) return reasons;
  return [...reasons, `the storage takes no commits: ${failureText(failure)}`];
}

/** How to get at the dashboard; only a token that everybody knows is shown. */
function saySignIn(
  dashboard: string,
  { operatorToken }: HqConfig,
  demoRoles: readonly string[],
  emit: HqEmit,
): void {
  if (operatorToken === '') {
    emit({ type: 'open_dashboard', dashboard });
    return;
  }
  const own = 'the operator token of this HQ (HOLDFAST_OPERATOR_TOKEN or --operator-token-file)';
  emit({ type: 'sign_in', dashboard, token: demoRoles.includes('operator') ? operatorToken : own });
}

/** Programs that deliver over HTTP are refused like agents. */
function notingRefusals(emit: Emit<GatewayEvents>, refusals: Refusals): Emit<GatewayEvents> {
  return (event) => {
    emit(event);
    if (event.type === 'access_refused' && event.role === 'agent')
      refusals.note({
        address: event.address,
        reason: event.reason,
        over: event.where === '/socket.io' ? 'link' : 'http',
      });
  };
}

/** Resolves with the error after which the storage never commits again. */
function watchStorage(storage: LmdbStorage, emit: HqEmit): Promise<unknown> {
  storage.damage$.subscribe(({ what, detail, quarantine }) =>
    emit(
      what === 'missing'
        ? { type: 'storage_missing', detail }
        : { type: 'storage_damage', what, detail, quarantine },
    ),
  );
  return new Promise((fail) => {
    storage.fatal$.subscribe((error) => {
      emit({ type: 'storage_failed', error: error.message });
      fail(error);
    });
  });
}

function warnOfAccess(config: HqConfig, demoRoles: readonly string[], emit: HqEmit): void {
  for (const role of demoRoles) {
    emit({ type: 'demo_token', role, variable: `HOLDFAST_${role.toUpperCase()}_TOKEN` });
  }
  if (!isLoopback(config.host) && (config.agentToken === '' || config.operatorToken === '')) {
    emit({ type: 'anonymous', host: config.host });
  }
}
