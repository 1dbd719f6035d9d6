/** Where samples are, and how completely and how soon they come: `…/custody` and `GET /api/v1/completeness`. */
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';
import { effectiveLabels } from '../../../protocol/labels.ts';
import type { CustodyTable } from '../../store/store.ts';
import { pageOf } from '../paging.ts';
import {
  agentParametersSchema,
  asOfSchema,
  labelFilter,
  labelFilterSchema,
  rangeOf,
  rangeSchema,
  stepOf,
  stepSchema,
  withinSchema,
} from '../parameters.ts';
import { type AgentFinder, createAgentFinder } from './agent-finder.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

/** What the counts of one step take in memory, bytes. */
const CELL_BYTES = 5 * 8;
const problems = problemResponses(400, 401, 403, 404, 429, 503, 504);
const common = { config: { role: 'operator' } } as const;
const samples = z.number().int();

const countsSchema = z.object({
  t: z.number().describe('when the step begins'),
  sampled: samples.describe(
    'the sum of those that are somewhere: journal, in flight, stored, thinned and dropped',
  ),
  stored: samples,
  onTime: samples.describe('of those that are stored: arrived within `within` of their own time'),
  thinned: samples,
  dropped: samples,
});
const custodySchema = countsSchema
  .extend({
    journal: samples.describe('of which HQ has heard, and which have not come'),
    inFlight: samples.describe('that HQ has received and not stored durably yet'),
    sinks: z
      .record(z.string(), z.object({ done: samples, dead: samples, skipped: samples }))
      .describe('by the name of the sink; empty where HQ forwards to none'),
  })
  .meta({ id: 'Custody' });
const spanSchema = z.object({ from: z.number(), to: z.number(), stepMs: z.number(), withinMs: z.number() });

const SPREAD =
  'Samples count in the step of their own time. Of samples that never came nobody knows the times one by one: they are spread evenly over the time between their neighbours, as whole samples, so that sums are exact.';

export function custodyRoute(app: GatewayApp, context: RouteContext): void {
  const { store, clock, config, reads, ingest } = context;
  const { knownId } = createAgentFinder(context);
  app.get(
    '/api/v1/agents/:id/custody',
    {
      ...common,
      schema: {
        operationId: 'getCustody',
        summary: 'Where the samples of an agent are, by steps of time',
        description: `${SPREAD} What retention has removed is not counted: read the ledger for sums over all time.`,
        tags: ['agents'],
        params: agentParametersSchema,
        querystring: rangeSchema.extend({ ...stepSchema.shape, ...withinSchema.shape }),
        response: { 200: pageOf(custodySchema).extend(spanSchema.shape), ...problems },
      },
    },
    async (request, reply) => {
      const agent = await knownId(request.params.id);
      const { query } = request;
      const now = clock.now();
      const range = rangeOf(query, now);
      const stepMs = stepOf(query.step, range, { maxBuckets: config.limits.bucketsPerQuery });
      const steps = Math.ceil((range.to - range.from) / stepMs);
      const table = await reads.run({ request, reply }, steps * CELL_BYTES, () =>
        store.custody({
          ...{ ...range, stepMs, rows: 1, agents: [{ agent, row: 0 }] },
          ...{ asOf: Number.POSITIVE_INFINITY, withinMs: query.within },
        }),
      );
      let arrived = ingest.commits.inFlight(agent);
      const items = Array.from({ length: table.length }, (_, step) => {
        const counts = countsOf(table, 0, step);
        const { pending, ...told } = counts;
        const t = range.from + step * stepMs;
        // What is in flight is of now: the newest that is pending.
        const inFlight = t + stepMs > now ? Math.min(arrived, pending) : 0;
        arrived -= inFlight;
        return { t, ...told, journal: pending - inFlight, inFlight, sinks: {} };
      });
      return { items, cursor: null, ...range, stepMs, withinMs: query.within };
    },
  );
}

const completenessSchema = countsSchema.extend({
  pending: samples.describe('that have not come, or came after `asOf`'),
  onTimeRatio: z.number().nullable().describe('on time, of those sampled, 0 … 1; null: nothing was sampled'),
  eventualRatio: z
    .number()
    .nullable()
    .describe('stored or thinned, of those sampled, 0 … 1; null: nothing was sampled'),
});
const rowSchema = z
  .object({
    agent: z.string().optional(),
    labels: z
      .record(z.string(), z.string().nullable())
      .optional()
      .describe('those that rows are told apart by; null: of agents without it'),
    agents: z.number().int().describe('agents that the row counts together'),
    steps: z.array(completenessSchema),
  })
  .meta({ id: 'Completeness' });

const LABEL = 'label:';
const bySchema = z.object({
  by: z
    .string()
    .regex(/^(agent|all|label:[A-Za-z][A-Za-z0-9._-]{0,62})$/, 'must be agent, all, or label:NAME')
    .default('agent')
    .describe('what rows are told apart by: agent, a label as in `label:site`, or nothing (`all`)'),
});

export function completenessRoute(app: GatewayApp, context: RouteContext): void {
  const { store, clock, config, reads } = context;
  const { deadline } = createAgentFinder(context);
  app.get(
    '/api/v1/completeness',
    {
      ...common,
      schema: {
        operationId: 'getCompleteness',
        summary: 'How much has come, on time and in the end, by agent or label',
        description: `${SPREAD} With \`asOf\` the answer is the one that HQ could have given then: what arrived later is pending. Steps of an hour make days of any time zone.`,
        tags: ['agents'],
        querystring: rangeSchema.extend({
          ...{ ...bySchema.shape, ...stepSchema.shape, ...withinSchema.shape },
          ...{ ...asOfSchema.shape, ...labelFilterSchema.shape },
        }),
        response: {
          200: pageOf(rowSchema).extend({ ...spanSchema.shape, asOf: z.number().nullable() }),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { query } = request;
      const range = rangeOf(query, clock.now());
      const heads = await headsOf({ ...context, deadline }, query);
      const rows = heads.length;
      const { bucketsPerQuery: maxBuckets } = config.limits;
      const stepMs = stepOf(query.step, range, { rows: Math.max(1, rows), maxBuckets });
      const cells = rows * Math.ceil((range.to - range.from) / stepMs);
      const table = await reads.run({ request, reply }, cells * CELL_BYTES, () =>
        store.custody({
          ...{ ...range, stepMs, rows },
          agents: heads.flatMap(({ members }, row) => members.map((agent) => ({ agent, row }))),
          ...{ asOf: query.asOf ?? Number.POSITIVE_INFINITY, withinMs: query.within },
        }),
      );
      const items = heads.map(({ head, members }, row) => ({
        ...head,
        agents: members.length,
        steps: Array.from({ length: table.length }, (_, step) =>
          completenessOf(table, row, step, range.from + step * stepMs),
        ),
      }));
      return { items, cursor: null, ...range, stepMs, withinMs: query.within, asOf: query.asOf ?? null };
    },
  );
}

type Grouped = {
  readonly head: { readonly agent?: string; readonly labels?: Readonly<Record<string, string | null>> };
  readonly members: readonly string[];
};
type Groupers = Pick<RouteContext, 'store' | 'fleet'> & Pick<AgentFinder, 'deadline'>;

/** Agents by what rows are told apart by, in its order; who has none comes last. */
async function headsOf(
  { store, fleet, deadline }: Groupers,
  query: z.output<typeof bySchema> & z.output<typeof labelFilterSchema>,
): Promise<readonly Grouped[]> {
  const fits = labelFilter(query);
  const label = query.by.startsWith(LABEL) ? query.by.slice(LABEL.length) : null;
  const groups = new Map<string | null, string[]>();
  for (const { agent } of await firstValueFrom(store.agents().pipe(deadline()))) {
    const labels = effectiveLabels(fleet.labels(agent));
    if (query.label !== undefined && !fits(labels)) continue;
    const ofLabel = label !== null && Object.hasOwn(labels, label) ? (labels[label] ?? null) : null;
    const name = query.by === 'agent' ? agent : ofLabel;
    groups.set(name, [...(groups.get(name) ?? []), agent]);
  }
  const ordered = [...groups].sort(([one], [other]) => compareNames(one, other));
  return ordered.map(([name, members]) => ({
    head: query.by === 'agent' ? { agent: name ?? '' } : label === null ? {} : { labels: { [label]: name } },
    members,
  }));
}

function compareNames(one: string | null, other: string | null): number {
  if (one === other) return 0;
  if (one === null || other === null) return one === null ? 1 : -1;
  return one < other ? -1 : 1;
}

function countsOf({ length, ...counts }: CustodyTable, row: number, step: number) {
  const cell = row * length + step;
  const [stored, onTime] = [counts.stored[cell] ?? 0, counts.onTime[cell] ?? 0];
  const [thinned, dropped] = [counts.thinned[cell] ?? 0, counts.dropped[cell] ?? 0];
  const pending = counts.pending[cell] ?? 0;
  return { sampled: stored + thinned + dropped + pending, stored, onTime, thinned, dropped, pending };
}

function completenessOf(table: CustodyTable, row: number, step: number, t: number) {
  const counts = countsOf(table, row, step);
  const { sampled, stored, onTime, thinned } = counts;
  const ratio = (part: number) => (sampled === 0 ? null : part / sampled);
  return { t, ...counts, onTimeRatio: ratio(onTime), eventualRatio: ratio(stored + thinned) };
}
