/** GPUs of the fleet and what was measured of them: everything under `/api/v1/gpus`. */
import { firstValueFrom, type MonoTypeOperatorFunction, timeout } from 'rxjs';
import { z } from 'zod';
import { gpuSampleSchema, gpuSchema } from '../../../protocol/api.ts';
import { effectiveLabels } from '../../../protocol/labels.ts';
import { findGpu, gpuKey } from '../gpus/find-gpu.ts';
import { createGpuCatalogue, type MeasuredGpu } from '../gpus/gpu-catalogue.ts';
import { gpuTelemetry, metricsOf } from '../gpus/gpu-telemetry.ts';
import { byKey, page, pageOf } from '../paging.ts';
import {
  agentFilterSchema,
  gpuParametersSchema,
  labelFilter,
  labelFilterSchema,
  pageSchema,
  samplePageSchema,
  timesOf,
  timesSchema,
} from '../parameters.ts';
import { SAMPLE_PAGE_BYTES } from '../reads/reads.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

/** A read that takes longer is given up, ms. */
const READ_DEADLINE_MS = 30_000;
const common = { config: { role: 'operator' } } as const;
const problems = problemResponses(400, 401, 403, 429, 503);

const telemetrySchema = pageOf(gpuSampleSchema).extend({
  gpu: gpuSchema.shape.gpu,
  agent: z.string(),
});

export function gpuRoutes(app: GatewayApp, context: RouteContext): void {
  const { store, fleet, clock, reads } = context;
  const catalogue = createGpuCatalogue({ store, fleet, clock });
  const deadline = <T>(): MonoTypeOperatorFunction<T> =>
    timeout<T, never>({ first: READ_DEADLINE_MS, scheduler: clock.scheduler });

  app.get(
    '/api/v1/gpus',
    {
      ...common,
      schema: {
        operationId: 'listGpus',
        summary: 'GPUs that agents measure',
        description:
          'Found by the attributes of series: `uuid` and `gpu_id` (or `UUID` and `gpu`), as the source `gpu` and exports of DCGM have them. One that several agents or sources measure is there for each. By agent, then by GPU.',
        tags: ['gpus'],
        querystring: pageSchema.extend({ ...labelFilterSchema.shape, ...agentFilterSchema.shape }),
        response: { 200: pageOf(gpuSchema), ...problems },
      },
    },
    async ({ query }) => {
      const fits = labelFilter(query);
      const found = await firstValueFrom(catalogue.all().pipe(deadline()));
      const kept = found.filter(
        ({ agent }) =>
          (query.agent === undefined || agent === query.agent) && fits(effectiveLabels(fleet.labels(agent))),
      );
      const keyOf = (one: MeasuredGpu) => [one.agent, gpuKey(one), one.source, one.host ?? ''].join('\n');
      const { items, cursor } = page(byKey(kept, keyOf), keyOf, query);
      return { items: items.map((one) => ({ gpu: gpuKey(one), ...one })), cursor };
    },
  );

  app.get(
    '/api/v1/gpus/:gpu/telemetry',
    {
      ...common,
      schema: {
        operationId: 'getGpuTelemetry',
        summary: 'What was measured of a GPU, oldest first',
        description:
          'The GPU is named by its uuid, or by its index where that names one alone; otherwise the answer is 409 and has the candidates, and `agent` says whose. Values are by metric, without the attributes that say which GPU it is. A page with a cursor may have fewer samples than `limit`: its agent measures much else. Samples that came thinned are not among them.',
        tags: ['gpus'],
        params: gpuParametersSchema,
        querystring: timesSchema.extend({ ...samplePageSchema.shape, ...agentFilterSchema.shape }),
        response: { 200: telemetrySchema, ...problemResponses(400, 401, 403, 404, 409, 429, 503, 504) },
      },
    },
    async (request, reply) => {
      const { params, query } = request;
      const all = await firstValueFrom(catalogue.all().pipe(deadline()));
      const found = findGpu(all, params.gpu, query.agent);
      const [{ agent } = { agent: '' }] = found;
      const metrics = metricsOf(found, await firstValueFrom(store.series(agent).pipe(deadline())));
      const range = timesOf(query, clock.now());
      const asked = { agent, ...range, limit: query.limit, cursor: query.cursor ?? null };
      const { items, cursor } = await reads.run({ request, reply }, SAMPLE_PAGE_BYTES, () =>
        gpuTelemetry(store, metrics, asked),
      );
      const [first] = found;
      return { gpu: first === undefined ? params.gpu : gpuKey(first), agent, items: [...items], cursor };
    },
  );
}
