/** Reading the fleet and what it delivered: everything under `/api/v1/agents`. */
import { firstValueFrom, type MonoTypeOperatorFunction, timeout } from 'rxjs';
import { z } from 'zod';
import {
  type AgentSummary,
  agentSummarySchema,
  anomalyDocumentSchema,
  bucketSchema,
  ledgerEntrySchema,
  type SeriesDocument,
  sampleDocumentSchema,
  seriesDocumentSchema,
} from '../../../protocol/api.ts';
import { Problem } from '../../http/problem.ts';
import { byKey, page, pageOf } from '../paging.ts';
import {
  agentParametersSchema,
  labelFilter,
  labelFilterSchema,
  pageSchema,
  rangeOf,
  rangeSchema,
  samplePageSchema,
  seriesParametersSchema,
  seriesRestParametersSchema,
  seriesSchema,
  sourceSchema,
  stepOf,
  stepSchema,
} from '../parameters.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';
import { labelRoutes } from './labels.ts';
import { retireRoute } from './retire.ts';

/** A read that takes longer is given up, ms. */
const READ_DEADLINE_MS = 30_000;
const common = { config: { role: 'operator' } } as const;
const problems = problemResponses(400, 401, 403, 404, 429, 503);

const bucketsSchema = pageOf(bucketSchema).extend({
  series: z.string(),
  source: z.string().describe('of the agent, that measures the series'),
  unit: z.string(),
  from: z.number(),
  to: z.number(),
  stepMs: z.number(),
});

export function agentRoutes(app: GatewayApp, context: RouteContext): void {
  const reads = createReads(context);
  summaryRoutes(app, reads);
  sampleRoutes(app, reads);
  seriesRoutes(app, reads);
  bucketRoutes(app, reads);
  anomalyRoutes(app, reads);
  ledgerRoutes(app, reads);
  retireRoute(app, context, reads.summaryOf);
  labelRoutes(app, context, reads.summaryOf);
}

type Reads = Pick<RouteContext, 'store' | 'fleet' | 'clock'> & {
  readonly deadline: <T>() => MonoTypeOperatorFunction<T>;
  /** Rejects with a Problem when HQ does not know the agent. */
  readonly summaryOf: (id: string) => Promise<AgentSummary>;
  /** The same id. Those of retired agents are known. */
  readonly knownId: (id: string) => Promise<string>;
};

function createReads({ store, fleet, clock }: RouteContext): Reads {
  const deadline = <T>() => timeout<T, never>({ first: READ_DEADLINE_MS, scheduler: clock.scheduler });
  const recordOf = (id: string) => firstValueFrom(store.agent(id).pipe(deadline()));
  const neverHeardOf = (id: string) => new Problem('not_found', `HQ has never heard of an agent "${id}"`);
  return {
    store,
    fleet,
    clock,
    deadline,
    summaryOf: async (id) => {
      const summary = await firstValueFrom(fleet.summary(id).pipe(deadline()));
      if (summary !== undefined) return summary;
      const retiredTs = (await recordOf(id))?.retiredTs;
      if (retiredTs === undefined) throw neverHeardOf(id);
      const since = new Date(retiredTs).toISOString();
      throw new Problem(
        'not_found',
        `agent "${id}" is retired since ${since}; its ledger, and its samples until retention removes them, can be read`,
      );
    },
    knownId: async (id) => {
      const summary = await firstValueFrom(fleet.summary(id).pipe(deadline()));
      if (summary === undefined && (await recordOf(id)) === null) throw neverHeardOf(id);
      return id;
    },
  };
}

function summaryRoutes(app: GatewayApp, { fleet, deadline, summaryOf }: Reads): void {
  app.get(
    '/api/v1/agents',
    {
      ...common,
      schema: {
        operationId: 'listAgents',
        summary: 'Agents, by id',
        description: 'Every agent that HQ has heard of, those that only deliver over HTTP among them.',
        tags: ['agents'],
        querystring: pageSchema.extend(labelFilterSchema.shape),
        response: { 200: pageOf(agentSummarySchema), ...problems },
      },
    },
    async (request) => {
      const found = await firstValueFrom(fleet.summaries().pipe(deadline()));
      const fits = labelFilter(request.query);
      return page(
        byKey(
          found.filter(({ labels }) => fits(labels)),
          ({ id }) => id,
        ),
        ({ id }) => id,
        request.query,
      );
    },
  );

  app.get(
    '/api/v1/agents/:id',
    {
      ...common,
      schema: {
        operationId: 'getAgent',
        summary: 'One agent',
        description: 'How it is, what it has delivered, and what is still to come.',
        tags: ['agents'],
        params: agentParametersSchema,
        response: { 200: agentSummarySchema, ...problems },
      },
    },
    async (request) => summaryOf(request.params.id),
  );
}

function sampleRoutes(app: GatewayApp, { store, clock, deadline, knownId }: Reads): void {
  app.get(
    '/api/v1/agents/:id/samples',
    {
      ...common,
      schema: {
        operationId: 'listSamples',
        summary: 'Raw samples, oldest first',
        description:
          'Samples that came thinned are not among them: only statistics of them are left, which the buckets of their series have. The ledger says how many they are.',
        tags: ['samples'],
        params: agentParametersSchema,
        querystring: rangeSchema.extend(samplePageSchema.shape),
        response: { 200: pageOf(sampleDocumentSchema), ...problems },
      },
    },
    async (request) => {
      const agent = await knownId(request.params.id);
      const { limit, cursor = null } = request.query;
      const range = rangeOf(request.query, clock.now());
      const found = await firstValueFrom(store.samples({ agent, limit, cursor, ...range }).pipe(deadline()));
      return { items: [...found.items], cursor: found.cursor };
    },
  );
}

function seriesRoutes(app: GatewayApp, { store, deadline, knownId }: Reads): void {
  app.get(
    '/api/v1/agents/:id/series',
    {
      ...common,
      schema: {
        operationId: 'listSeries',
        summary: 'Series of an agent, with unit, first and last time',
        description: 'By key and source. One that several sources measure is there for each.',
        tags: ['series'],
        params: agentParametersSchema,
        querystring: pageSchema,
        response: { 200: pageOf(seriesDocumentSchema), ...problems },
      },
    },
    async (request) => {
      const agent = await knownId(request.params.id);
      const keyOf = (one: { series: string; source: string }) => `${one.series}\n${one.source}`;
      const found = await firstValueFrom(store.series(agent).pipe(deadline()));
      return page(byKey(found, keyOf), keyOf, request.query);
    },
  );
}

/** What both forms of the question say of the answer. */
const BUCKETS =
  'Series of several sources are never mixed: when more than one source of the agent has the series, `source` must say which, else the answer is 400 and names them. Count, least, greatest and mean value a bucket; null where nothing came. Samples that came thinned count too, `thinned` says how many: those thinned together count together, in the bucket of the earliest of them. When they reach beyond that bucket, `until` says how far, and the buckets up to there may be empty. Those whose earliest is before `from` are left out.';
const bucketQuerySchema = rangeSchema.extend({ ...stepSchema.shape, ...sourceSchema.shape });

function bucketRoutes(app: GatewayApp, reads: Reads): void {
  const shared = { tags: ['series'], response: { 200: bucketsSchema, ...problems } };
  app.get(
    '/api/v1/agents/:id/query',
    {
      ...common,
      schema: {
        operationId: 'queryBuckets',
        summary: 'Buckets of one series of one source',
        description: `The series stands in the query: a slash in its name, as in \`mountpoint=/\`, passes every proxy there. ${BUCKETS}`,
        params: agentParametersSchema,
        querystring: bucketQuerySchema.extend(seriesSchema.shape),
        ...shared,
      },
    },
    async ({ params, query }) => bucketsOf(reads, params.id, query.series, query),
  );

  app.get(
    '/api/v1/agents/:id/series/:series',
    {
      ...common,
      schema: {
        operationId: 'getBuckets',
        summary: 'The same, with the series in the path',
        description: `A slash in the name of the series is written %2F; where a proxy has decoded it, HQ takes it as it is. Some proxies refuse such paths, or make one slash of two: the query form passes them all. ${BUCKETS}`,
        params: seriesParametersSchema,
        querystring: bucketQuerySchema,
        ...shared,
      },
    },
    async ({ params, query }) => bucketsOf(reads, params.id, params.series, query),
  );
  // The same again, as proxies that decode %2F pass it on.
  app.get(
    '/api/v1/agents/:id/series/*',
    {
      ...common,
      schema: {
        hide: true,
        params: seriesRestParametersSchema,
        querystring: bucketQuerySchema,
        response: shared.response,
      },
    },
    async ({ params, query }) => bucketsOf(reads, params.id, params['*'], query),
  );
}

async function bucketsOf(
  { store, clock, deadline, knownId }: Reads,
  id: string,
  wanted: string,
  query: z.output<typeof bucketQuerySchema>,
) {
  const agent = await knownId(id);
  const all = await firstValueFrom(store.series(agent).pipe(deadline()));
  const { series, source, unit } = seriesOf(agent, all, wanted, query.source);
  const range = rangeOf(query, clock.now());
  const stepMs = stepOf(query.step, range);
  const items = await firstValueFrom(
    store.buckets({ agent, source, series, stepMs, ...range }).pipe(deadline()),
  );
  return { series, source, unit, ...range, stepMs, items: [...items], cursor: null };
}

function anomalyRoutes(app: GatewayApp, { store, clock, deadline, knownId }: Reads): void {
  app.get(
    '/api/v1/agents/:id/anomalies',
    {
      ...common,
      schema: {
        operationId: 'listAnomalies',
        summary: 'Anomalies, by start',
        description: 'Episodes that overlap the range, each once, however often the agent reported it.',
        tags: ['samples'],
        params: agentParametersSchema,
        querystring: rangeSchema.extend(pageSchema.shape),
        response: { 200: pageOf(anomalyDocumentSchema), ...problems },
      },
    },
    async (request) => {
      const agent = await knownId(request.params.id);
      const range = rangeOf(request.query, clock.now());
      const { limit, cursor = null } = request.query;
      const found = await firstValueFrom(
        store.anomalies({ agent, limit, cursor, ...range }).pipe(deadline()),
      );
      return { items: [...found.items], cursor: found.cursor };
    },
  );
}

function ledgerRoutes(app: GatewayApp, { store, deadline, knownId }: Reads): void {
  app.get(
    '/api/v1/agents/:id/ledger',
    {
      ...common,
      schema: {
        operationId: 'getLedger',
        summary: 'What became of every sample, by epoch',
        description:
          'In every epoch sampled = stored + pending + thinned + dropped, exactly. Stored are whole samples; of thinned ones, whose agent ran out of room, HQ has statistics; dropped ones are lost, with the reason.',
        tags: ['ledger'],
        params: agentParametersSchema,
        querystring: pageSchema,
        response: { 200: pageOf(ledgerEntrySchema), ...problems },
      },
    },
    async (request) => {
      const agent = await knownId(request.params.id);
      const found = await firstValueFrom(store.ledger(agent).pipe(deadline()));
      return page(
        byKey(found, ({ epoch }) => epoch),
        ({ epoch }) => epoch,
        request.query,
      );
    },
  );
}

/** Throws a Problem when no source, or more than one, has the series. */
function seriesOf(
  agent: string,
  known: readonly SeriesDocument[],
  series: string,
  source: string | undefined,
): SeriesDocument {
  const all = known.filter((one) => one.series === series);
  const [found, ...more] = source === undefined ? all : all.filter((one) => one.source === source);
  if (found === undefined) {
    const whose = source === undefined || all.length === 0 ? '' : ` of a source "${source}"`;
    throw new Problem('not_found', `agent "${agent}" has no series "${series}"${whose}`);
  }
  if (more.length === 0) return found;
  const message = `say which source measures it: ${all.map((one) => one.source).join(', ')}`;
  throw new Problem('bad_request', `source: several have the series "${series}"; ${message}`, {
    errors: [{ field: 'source', message }],
  });
}
