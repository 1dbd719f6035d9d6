/**
 * HQ without its outer edges: store, chaos, fleet state and the agents' way in over any Storage and any AgentServer.
 * `main.ts` puts LMDB, HTTP and Socket.IO around it; a simulation puts others.
 */
import { concatMap, interval, map, type Observable, Subject } from 'rxjs';
import type { Clock } from '../platform/clock.ts';
import type { Ids } from '../platform/ids.ts';
import type { Random } from '../platform/random.ts';
import { createEmit, type Telemetry } from '../platform/telemetry.ts';
import type { Storage } from '../storage/storage.ts';
import type { Access } from './access.ts';
import { createFleet } from './aggregate/create-fleet.ts';
import type { Fleet } from './aggregate/fleet.ts';
import { pauseChanges } from './aggregate/pauses.ts';
import { type ChaosControl, createChaos } from './chaos.ts';
import type { HqConfig } from './config.ts';
import { hqAlarmEvents } from './hq-alarm-events.ts';
import { createHqAlarms, type HqAlarms } from './hq-alarms.ts';
import { type IdentityCopy, openIdentity } from './identity.ts';
import type { AgentServer } from './ingest/core/agent-server.ts';
import { type AgentsGateway, attachAgents } from './ingest/core/attach-agents.ts';
import { createIngestCore, type IngestCore } from './ingest/core/ingest-core.ts';
import { type IngestEmit, ingestEvents } from './ingest/core/ingest-events.ts';
import type { LinkEvent } from './ingest/core/link-event.ts';
import { type LogLife, openLogLife } from './log-life.ts';
import { refusalEvents } from './refusal-events.ts';
import { createRefusals, type Refusals } from './refusals.ts';
import { failureText, type StorageHealth, watchStorageHealth } from './storage-health.ts';
import { openHqStore } from './store/open-hq-store.ts';
import type { Rebuild } from './store/rebuild-parts.ts';
import type { HqStore } from './store/store.ts';
import { type StoreEmit, storeEvents } from './store/store-events.ts';
import type { UndoSteps } from './undo-steps.ts';

export type AssembleHqOptions = {
  readonly config: Pick<HqConfig, 'retention' | 'dedupTtlMs' | 'chaos' | 'chaosEnabled' | 'limits'>;
  /** Belongs to HQ from now on. */
  readonly storage: Storage;
  /** Another engine behind the ports of the store. Default: the one over `storage`. */
  readonly openStore?: typeof openHqStore;
  /** What is made again before HQ listens. Default: nothing. */
  readonly rebuild?: readonly Rebuild[];
  readonly access: Access;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly identityCopy?: IdentityCopy;
  readonly telemetry: Telemetry;
  readonly version: string;
  /** How each part is ended is pushed here, in the order in which they were started. */
  readonly undo: Pick<UndoSteps, 'push'>;
};

export type AssembledHq = {
  readonly store: HqStore;
  readonly chaos: ChaosControl;
  readonly fleet: Fleet;
  /** For deliveries over HTTP; agents come through it too. */
  readonly ingest: IngestCore;
  /** Which HQ this is; null when it could not be noted. */
  readonly identity: string | null;
  /** Which life of the log this is; null when it could not be noted. */
  readonly logLife: LogLife | null;
  readonly storageFailure: StorageHealth<Storage>['failure'];
  /** Agents that were not let in; who else refuses some notes them there. */
  readonly refusals: Refusals;
  readonly alarms: HqAlarms;
  /** Lets agents in through this server. To be called once. */
  readonly serveAgents: (server: AgentServer) => AgentsGateway;
};

const DAY_MS = 86_400_000;
const ALARM_SWEEP_MS = 10_000;

/** Emits once the store is open and what is kept in memory is loaded, then completes. */
export function assembleHq(options: AssembleHqOptions): Observable<AssembledHq> {
  const { config, clock, ids, telemetry, undo, openStore = openHqStore } = options;
  const alarms = createHqAlarms(clock, createEmit(hqAlarmEvents, telemetry));
  const health = watchStorageHealth(options.storage, clock, (failure) =>
    alarms.set(
      'storage_failing',
      failure === null ? null : `the storage of HQ takes no commits: ${failureText(failure)}`,
    ),
  );
  const probing = health.probe$.subscribe();
  undo.push('end the probing of the storage', () => void probing.unsubscribe());
  const links = new Subject<LinkEvent>();
  const store$ = openStore({
    storage: health.storage,
    clock,
    ids,
    maxAgeMs: config.retention.rawDays * DAY_MS,
    maxBytes: config.retention.maxBytes,
    rollupKeepMs: [
      config.retention.rollupTenSecondsDays * DAY_MS,
      config.retention.rollupMinutesDays * DAY_MS,
      config.retention.rollupHoursDays * DAY_MS,
      Number.POSITIVE_INFINITY,
    ],
    dedupTtlMs: config.dedupTtlMs,
    maxBytesPerAgent: config.limits.maxBytesPerAgent,
    maxEpisodes: config.limits.maxAnomalies,
    maxKeys: config.limits.maxIdempotencyKeys,
    maxAheadMs: config.limits.maxClockAheadMs,
    rebuild: options.rebuild ?? [],
    eventLimits: { maxAgeMs: config.retention.eventDays * DAY_MS, maxEvents: config.limits.maxEvents },
    emit: notingQuotas(createEmit(storeEvents, telemetry), links, clock),
  });
  // The store first: what it does about damage goes ahead of every other commit.
  return store$.pipe(
    concatMap((store) => {
      undo.push('close the store', () => store.close());
      return openIdentity({ storage: health.storage, ids, copy: options.identityCopy }).pipe(
        concatMap((identity) =>
          openLogLife({ storage: health.storage, ids }).pipe(
            map((logLife) => ({ store, identity, logLife })),
          ),
        ),
      );
    }),
    concatMap(({ store, ...known }) => {
      const refusals = createRefusals(clock, createEmit(refusalEvents, telemetry));
      const emit = notingRegistry(notingRefusals(createEmit(ingestEvents, telemetry), refusals), alarms);
      const { limits } = config;
      return createIngestCore({ store, clock, emit, limits, maxDeliveries: limits.ingestInFlight }).pipe(
        concatMap((ingest) =>
          assembleOver(options, { store, ...known, refusals, alarms, emit, ingest, health, links }),
        ),
      );
    }),
  );
}

function notingRefusals(emit: IngestEmit, refusals: Refusals): IngestEmit {
  return (event) => {
    emit(event);
    if (event.type === 'agent_unauthorized')
      refusals.note({ address: event.address, reason: event.reason, over: 'link' });
    if (event.type === 'hello_refused') {
      const { address, agent, reason, detail } = event;
      refusals.note({ address, agent, reason, detail, over: 'link' });
    }
    if (event.type === 'agent_connected') refusals.letIn(event.agent);
  };
}

/** An agent that is over its quota has an alarm. */
function notingQuotas(emit: StoreEmit, links: Subject<LinkEvent>, clock: Pick<Clock, 'now'>): StoreEmit {
  return (event) => {
    emit(event);
    if (event.type !== 'store_quota_exceeded') return;
    const { agent, quotaBytes } = event;
    const detail = `its samples take more than ${Math.round(quotaBytes)} bytes of HQ's storage (limits.maxBytesPerAgent): the oldest of them are removed`;
    links.next({ kind: 'alarm', agent, alarm: 'over_quota', detail, ts: clock.now() });
  };
}

/** A full registry is an alarm for as long as it is full. */
function notingRegistry(emit: IngestEmit, alarms: HqAlarms): IngestEmit {
  return (event) => {
    emit(event);
    if (event.type !== 'known_agents') return;
    const { agents, maxAgents } = event;
    alarms.set(
      'registry_full',
      agents < maxAgents
        ? null
        : `HQ knows ${agents} agents, as many as it takes (limits.maxAgents), and refuses others: retire some (DELETE /api/v1/agents/ID), or raise the limit`,
    );
  };
}

type Opened = Pick<AssembledHq, 'store' | 'identity' | 'logLife' | 'ingest' | 'refusals' | 'alarms'> & {
  readonly emit: IngestEmit;
  readonly health: StorageHealth<Storage>;
  readonly links: Subject<LinkEvent>;
};

function assembleOver(options: AssembleHqOptions, opened: Opened): Observable<AssembledHq> {
  const { config, access, clock, random, version, undo } = options;
  const { store, identity, logLife, ingest, refusals, alarms, emit, health, links } = opened;
  const sweeping = interval(ALARM_SWEEP_MS, clock.scheduler).subscribe(alarms.sweep);
  undo.push('end the alarms', () => void sweeping.unsubscribe());
  undo.push('see the last commits through', () => ingest.commits.idle('all'));
  const chaos = createChaos({
    mode: config.chaos,
    enabled: config.chaosEnabled || config.chaos !== 'off',
    clock,
    random,
  });
  undo.push('end chaos', () => void chaos.stop());
  const serveAgents = (server: AgentServer) => {
    const isStoring = () => health.failure() === null;
    const { limits } = config;
    const shared = { store, ingest, access, chaos, isStoring, clock, limits, identity, emit };
    const agents = attachAgents({ server, ...shared });
    agents.links$.subscribe(links);
    pauseChanges(agents.links$).subscribe((change) => emit({ type: 'agent_paused', ...change }));
    undo.push('end the links of agents', () => agents.close());
    return agents;
  };
  const { maxClockAheadMs: maxAheadMs } = config.limits;
  return createFleet({ store, links$: links, chaos, clock, maxAheadMs, hqVersion: version }).pipe(
    map((fleet): AssembledHq => {
      undo.push('end the fleet state', () => void fleet.close());
      return {
        store,
        chaos,
        fleet,
        ingest,
        identity,
        logLife,
        storageFailure: health.failure,
        refusals,
        alarms,
        serveAgents,
      };
    }),
  );
}
