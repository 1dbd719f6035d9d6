/** `GET /api/v1/alarms`: what an operator should see to. */
import { firstValueFrom } from 'rxjs';
import { alarmSchema } from '../../../protocol/api.ts';
import { byKey, page, pageOf } from '../paging.ts';
import { pageSchema } from '../parameters.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

/** No id begins with a space. */
const keyOf = ({ agent, kind }: { readonly agent: string | null; readonly kind: string }) =>
  agent === null ? ` ${kind}` : agent;

export function alarmRoutes(
  app: GatewayApp,
  { alarms, fleet }: Pick<RouteContext, 'alarms' | 'fleet'>,
): void {
  app.get(
    '/api/v1/alarms',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'listAlarms',
        summary: 'Alarms that stand, those of HQ itself first',
        description:
          'Of HQ itself: that its storage fails or was damaged, that its registry of agents is full, or that it has refused connections within the last five minutes. Of an agent: the one in its summary.',
        tags: ['agents'],
        querystring: pageSchema,
        response: { 200: pageOf(alarmSchema), ...problemResponses(400, 401, 403, 429, 503) },
      },
    },
    async (request) => {
      const summaries = await firstValueFrom(fleet.summaries());
      const all = [
        ...alarms.list().map((alarm) => ({ agent: null, ...alarm })),
        ...summaries.flatMap(({ id, alarm }) => (alarm === null ? [] : [{ agent: id, ...alarm }])),
      ];
      return page(byKey(all, keyOf), keyOf, request.query);
    },
  );
}
