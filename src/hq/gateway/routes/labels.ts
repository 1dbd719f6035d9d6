/** `GET` and `PUT /api/v1/agents/:id/labels`. */
import { lastValueFrom, timeout } from 'rxjs';
import { z } from 'zod';
import { type AgentLabels, type AgentSummary, agentLabelsSchema } from '../../../protocol/api.ts';
import { effectiveLabels, setLabelsSchema } from '../../../protocol/labels.ts';
import { agentParametersSchema } from '../parameters.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

const common = { config: { role: 'operator' } } as const;
/** A write that takes longer is given up, ms. */
const WRITE_DEADLINE_MS = 30_000;

/** `summaryOf`: rejects with a Problem when HQ does not know the agent. */
export function labelRoutes(
  app: GatewayApp,
  { fleet, clock, emit }: RouteContext,
  summaryOf: (id: string) => Promise<AgentSummary>,
): void {
  const labelsOf = (id: string): AgentLabels => {
    const record = fleet.labels(id);
    return { id, labels: effectiveLabels(record), told: { ...record.told }, set: { ...record.set } };
  };

  app.get(
    '/api/v1/agents/:id/labels',
    {
      ...common,
      schema: {
        operationId: 'getLabels',
        summary: 'Labels of an agent',
        description: 'Those that count, and which the agent tells and which HQ sets.',
        tags: ['agents'],
        params: agentParametersSchema,
        response: { 200: agentLabelsSchema, ...problemResponses(400, 401, 403, 404, 429, 503) },
      },
    },
    async ({ params }) => labelsOf((await summaryOf(params.id)).id),
  );

  app.put(
    '/api/v1/agents/:id/labels',
    {
      ...common,
      schema: {
        operationId: 'setLabels',
        summary: 'Set labels over those that the agent tells',
        description:
          'In place of all that HQ has set before: `{"labels": {}}` leaves those of the agent. Null hides one that the agent tells. They are kept over restarts of HQ and of the agent; each change is a line in the log (`labels_set`).',
        tags: ['agents'],
        params: agentParametersSchema,
        body: z.strictObject({ labels: setLabelsSchema }).meta({ id: 'LabelsRequest' }),
        response: {
          200: agentLabelsSchema,
          ...problemResponses(400, 401, 403, 404, 415, 422, 429, 503),
        },
      },
    },
    async ({ params, body, ip }) => {
      const { id } = await summaryOf(params.id);
      const before = fleet.labels(id).set;
      const saved = fleet
        .setLabels(id, body.labels)
        .pipe(timeout({ first: WRITE_DEADLINE_MS, scheduler: clock.scheduler }));
      await lastValueFrom(saved, { defaultValue: undefined });
      emit({ type: 'labels_set', agent: id, address: ip, set: body.labels, before });
      return labelsOf(id);
    },
  );
}
