/** Reading the fleet and what it delivered: everything under `/api/v1/agents`. */
import { firstValueFrom } from 'rxjs';
import {
  agentSummarySchema,
  anomalyDocumentSchema,
  ledgerEntrySchema,
  sampleDocumentSchema,
  seriesDocumentSchema,
} from '../../../protocol/api.ts';
import { byKey, page, pageOf } from '../paging.ts';
import {
  agentParametersSchema,
  labelFilter,
  labelFilterSchema,
  pageSchema,
  rangeOf,
  rangeSchema,
  samplePageSchema,
} from '../parameters.ts';
import { SAMPLE_PAGE_BYTES } from '../reads/reads.ts';
import { type AgentFinder, createAgentFinder } from './agent-finder.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';
import { labelRoutes } from './labels.ts';
import { retireRoute } from './retire.ts';

/** What other pages take in memory, bytes. */
const PAGE_BYTES = 1024 * 1024;
const common = { config: { role: 'operator' } } as const;
const problems = problemResponses(400, 401, 403, 404, 429, 503, 504);

export function agentRoutes(app: GatewayApp, context: RouteContext): void {
  const finder = createAgentFinder(context);
  const tools: Tools = { ...context, ...finder };
  summaryRoutes(app, tools);
  sampleRoutes(app, tools);
  seriesRoutes(app, tools);
  anomalyRoutes(app, tools);
  ledgerRoutes(app, tools);
  retireRoute(app, context, finder);
  labelRoutes(app, context, finder.summaryOf);
}

type Tools = Pick<RouteContext, 'store' | 'fleet' | 'clock' | 'reads'> & AgentFinder;

function summaryRoutes(app: GatewayApp, { fleet, deadline, summaryOf }: Tools): void {
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

function sampleRoutes(app: GatewayApp, { store, clock, reads, knownId }: Tools): void {
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
    async (request, reply) => {
      const agent = await knownId(request.params.id);
      const { limit, cursor = null } = request.query;
      const range = rangeOf(request.query, clock.now());
      const found = await reads.run({ request, reply }, SAMPLE_PAGE_BYTES, () =>
        store.samples({ agent, limit, cursor, ...range }),
      );
      return { items: [...found.items], cursor: found.cursor };
    },
  );
}

function seriesRoutes(app: GatewayApp, { store, deadline, knownId }: Tools): void {
  app.get(
    '/api/v1/agents/:id/series',
    {
      ...common,
      schema: {
        operationId: 'listSeries',
        summary: 'Series of an agent, with unit, first and last time',
        description:
          'By key and source. One that several sources measure is there for each. Their times count every sample that HQ has acknowledged, but those dated ahead of its clock or before the year 0.',
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

function anomalyRoutes(app: GatewayApp, { store, clock, reads, knownId }: Tools): void {
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
    async (request, reply) => {
      const agent = await knownId(request.params.id);
      const range = rangeOf(request.query, clock.now());
      const { limit, cursor = null } = request.query;
      const found = await reads.run({ request, reply }, PAGE_BYTES, () =>
        store.anomalies({ agent, limit, cursor, ...range }),
      );
      return { items: [...found.items], cursor: found.cursor };
    },
  );
}

function ledgerRoutes(app: GatewayApp, { store, reads, knownId }: Tools): void {
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
    async (request, reply) => {
      const agent = await knownId(request.params.id);
      const found = await reads.run({ request, reply }, PAGE_BYTES, () => store.ledger(agent));
      return page(
        byKey(found, ({ epoch }) => epoch),
        ({ epoch }) => epoch,
        request.query,
      );
    },
  );
}
