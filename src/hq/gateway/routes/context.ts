/** What the routes of the gateway need. */
import type { Registry } from '@prometheus-io/client';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Clock } from '../../../platform/clock.ts';
import type { Emit } from '../../../platform/telemetry.ts';
import type { Fleet } from '../../aggregate/fleet.ts';
import type { Backups } from '../../backup/backups.ts';
import type { ChaosControl } from '../../chaos.ts';
import type { HqConfig } from '../../config.ts';
import type { HqAlarms } from '../../hq-alarms.ts';
import { problemSchema } from '../../http/problem.ts';
import type { IngestCore } from '../../ingest/core/ingest-core.ts';
import type { Refusals } from '../../refusals.ts';
import type { AgentRegistry, EventStore, QueryStore } from '../../store/store.ts';
import type { Turns } from '../../store/turns.ts';
import type { GatewayEvents } from '../gateway-events.ts';
import type { Reads } from '../reads/reads.ts';

export type GatewayApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export type RouteContext = {
  readonly config: HqConfig;
  readonly store: AgentRegistry & QueryStore & Pick<EventStore, 'events'>;
  readonly ingest: IngestCore;
  readonly fleet: Pick<
    Fleet,
    'snapshot' | 'delta$' | 'summary' | 'summaries' | 'retire' | 'labels' | 'setLabels'
  >;
  readonly chaos: ChaosControl;
  readonly clock: Clock;
  /** For what reads much of the store. */
  readonly reads: Reads;
  /** For what takes long besides reads of the store. */
  readonly turns: Turns;
  readonly emit: Emit<GatewayEvents>;
  readonly registry: Registry;
  readonly version: string;
  /** Which HQ this is. Default: it is told to nobody. */
  readonly identity?: string | null;
  /** Which life of the log. Default: as with the identity. */
  readonly log?: string | null;
  readonly backups: Pick<Backups, 'list' | 'start'>;
  readonly refusals: Refusals['list'];
  /** Of HQ itself. */
  readonly alarms: Pick<HqAlarms, 'list' | 'note'>;
  /** Why HQ is not ready; empty when it is. */
  readonly unreadiness: () => readonly string[];
};

/** Response schemas of the problems that a route answers with. */
export function problemResponses<S extends number>(...statuses: S[]) {
  const response = { content: { 'application/problem+json': { schema: problemSchema } } };
  return Object.fromEntries(statuses.map((status) => [status, response])) as Record<S, typeof response>;
}
