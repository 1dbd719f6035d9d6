/** `GET /api/v1/refusals`: who is not let in. */
import { refusalSchema } from '../../../protocol/api.ts';
import { pageOf } from '../paging.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

export function refusalRoutes(app: GatewayApp, { refusals }: Pick<RouteContext, 'refusals'>): void {
  app.get(
    '/api/v1/refusals',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'listRefusals',
        summary: 'Who is not let in, the latest first',
        description:
          'Agents, and programs that deliver over HTTP, whose token does not count, and agents whose hello HQ refuses, as long as they try. At most 256: the list has one page.',
        tags: ['agents'],
        response: { 200: pageOf(refusalSchema), ...problemResponses(401, 403, 429) },
      },
    },
    async () => ({ items: [...refusals()], cursor: null }),
  );
}
