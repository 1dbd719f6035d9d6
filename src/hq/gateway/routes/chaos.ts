/** `GET` and `PUT /api/v1/chaos`. */
import { z } from 'zod';
import { CHAOS_MODES, chaosSchema } from '../../../protocol/api.ts';
import { Problem } from '../../http/problem.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

const common = { config: { role: 'operator' } } as const;

export function chaosRoutes(app: GatewayApp, { chaos, emit }: RouteContext): void {
  app.get(
    '/api/v1/chaos',
    {
      ...common,
      schema: {
        operationId: 'getChaos',
        summary: 'What chaos does now',
        description: 'The mode that was set, and what is in force, which moves by itself in mode random.',
        tags: ['chaos'],
        response: { 200: chaosSchema, ...problemResponses(401, 403, 429) },
      },
    },
    async () => chaos.current(),
  );

  app.put(
    '/api/v1/chaos',
    {
      ...common,
      schema: {
        operationId: 'setChaos',
        summary: 'Set the chaos mode',
        description: 'Refused with 409 unless chaos is enabled by HQ settings.',
        tags: ['chaos'],
        body: z.object({ mode: z.enum(CHAOS_MODES) }).meta({ id: 'ChaosRequest' }),
        response: { 200: chaosSchema, ...problemResponses(400, 401, 403, 409, 415, 422, 429) },
      },
    },
    async (request) => {
      if (!chaos.setMode(request.body.mode)) {
        throw new Problem('chaos_disabled', 'chaos is not enabled at this HQ: start it with --chaos-enabled');
      }
      emit({ type: 'chaos_set', mode: request.body.mode });
      return chaos.current();
    },
  );
}
