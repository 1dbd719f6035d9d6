/** A gateway over a fake store and a fake fleet, for tests: requests are injected or, once it listens, sent. */
import { defer, EMPTY, firstValueFrom, map, Subject } from 'rxjs';
import { type Clock, createSystemClock } from '../../../platform/clock.ts';
import { silentLogger } from '../../../platform/logger.ts';
import { seededRandom } from '../../../platform/random.ts';
import { createEmit, createRegistry } from '../../../platform/telemetry.ts';
import type { AgentSummary, ChaosMode, FleetDelta, FleetSnapshot } from '../../../protocol/api.ts';
import { effectiveLabels, type SetLabels } from '../../../protocol/labels.ts';
import { type Access, createAccess } from '../../access.ts';
import type { Backups } from '../../backup/backups.ts';
import { createChaos } from '../../chaos.ts';
import { type HqConfig, hqConfigSchema } from '../../config.ts';
import { createIngestCore } from '../../ingest/core/ingest-core.ts';
import { ingestEvents } from '../../ingest/core/ingest-events.ts';
import type { Refusals } from '../../refusals.ts';
import type { FrameLog } from '../../store/store.ts';
import { createTurns } from '../../store/turns.ts';
import { registerFleetMetrics } from '../fleet-metrics.ts';
import { gatewayEvents } from '../gateway-events.ts';
import { registerProcessMetrics } from '../process-metrics.ts';
import { createGateway } from '../server.ts';
import { createFakeStore } from './fake-store.ts';

export type TestGatewayOptions = {
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly chaos?: ChaosMode;
  readonly reasons?: readonly string[];
  readonly identity?: string;
  readonly log?: string;
  /** Default: there is no folder for them. */
  readonly backups?: Pick<Backups, 'list' | 'start'>;
  /** Default: nobody was refused. */
  readonly refusals?: Refusals['list'];
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Default: by the settings. */
  readonly access?: Access;
  /** Stands between the group commit and the fake store. */
  readonly append?: (append: FrameLog['append']) => FrameLog['append'];
};

export async function createTestGateway(options: TestGatewayOptions = {}) {
  const config: HqConfig = hqConfigSchema.parse({
    port: 0,
    dashboard: { dir: '/nonexistent' },
    ...options.settings,
  });
  const clock = options.clock ?? createSystemClock();
  const registry = createRegistry();
  const emit = createEmit(gatewayEvents, { logger: silentLogger, registry });
  const store = createFakeStore();
  const delta$ = new Subject<FleetDelta>();
  const chaos = createChaos({
    mode: options.chaos ?? 'off',
    enabled: options.chaos !== undefined,
    clock,
    random: seededRandom(1),
  });
  const access: Access = options.access ?? createAccess(config);
  const ingest = await firstValueFrom(
    createIngestCore({
      store: { ...store, append: options.append?.(store.append) ?? store.append },
      clock,
      emit: createEmit(ingestEvents, { logger: silentLogger, registry }),
      limits: config.limits,
      maxDeliveries: config.limits.ingestInFlight,
    }),
  );
  const labels = new Map<string, SetLabels>();
  const labelled = (agent: string) => ({
    ...summaryOf(agent),
    labels: effectiveLabels({ told: {}, set: labels.get(agent) ?? {} }),
  });
  const fleet = {
    delta$,
    summaries: () => store.agents().pipe(map((agents) => agents.map(({ agent }) => labelled(agent)))),
    summary: (agent: string) =>
      store.agent(agent).pipe(map((record) => (record === null ? undefined : labelled(agent)))),
    alarms: () => new Map([['lost_at_hq', 2]] as const),
    retire: () => {},
    labels: (agent: string) => ({ told: {}, set: labels.get(agent) ?? {} }),
    setLabels: (agent: string, set: SetLabels) =>
      defer(() => {
        labels.set(agent, set);
        return EMPTY;
      }),
    snapshot: () =>
      fleet.summaries().pipe(
        map(
          (agents): FleetSnapshot => ({
            ts: clock.now(),
            hqVersion: '0.0.0',
            agents,
            totals: NO_TOTALS,
            chaos: chaos.current(),
            chaosSpans: [],
            ingest: [],
          }),
        ),
      ),
  };
  registerProcessMetrics(registry, clock);
  registerFleetMetrics(registry, fleet);
  const app = await createGateway({
    config,
    clock,
    turns: createTurns(clock),
    registry,
    emit,
    store,
    ingest,
    chaos,
    access,
    fleet,
    logger: silentLogger,
    version: '0.0.0',
    identity: options.identity ?? null,
    log: options.log ?? null,
    backups: options.backups ?? { list: () => null, start: () => 'disabled' },
    refusals: options.refusals ?? (() => []),
    alarms: { note: () => {}, list: () => [] },
    connections: TEST_CONNECTIONS,
    unreadiness: () => options.reasons ?? [],
  });
  return { app, store, ingest, chaos, clock, config, access, fleet, delta$, emit, registry };
}

export const TEST_CONNECTIONS = { max: 1000, maxPerAddress: 1000 };

export const NO_TOTALS = {
  agents: 0,
  connected: 0,
  stored: 0,
  pending: 0,
  thinned: 0,
  dropped: 0,
  samplesPerSecond: 0,
  bytesPerSecond: 0,
};

export function summaryOf(id: string): AgentSummary {
  return {
    id,
    epoch: null,
    over: null,
    connected: false,
    state: 'unknown',
    stateSince: null,
    refusal: null,
    breaker: 'unknown',
    version: null,
    connectedSince: null,
    heardTs: null,
    deliversEveryMs: null,
    lastSampleTs: null,
    lastArrivalTs: null,
    lagMs: null,
    clockOffsetMs: null,
    rttMs: null,
    link: null,
    samplesPerSecond: 0,
    sampled: 0,
    stored: 0,
    pending: 0,
    pendingBytes: 0,
    pendingThinned: 0,
    thinned: 0,
    dropped: 0,
    completeness: 1,
    openAnomalies: 0,
    anomaliesTotal: 0,
    seriesCount: 0,
    labels: {},
    alarm: null,
  };
}

export function deltaOf(ts: number, agents: readonly AgentSummary[]): FleetDelta {
  return {
    ts,
    agents: [...agents],
    totals: NO_TOTALS,
    chaos: { mode: 'off', enabled: false, effect: 'none', since: 0 },
    ingest: [{ t: ts, samples: 1, bytes: 1 }],
  };
}
