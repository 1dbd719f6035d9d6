/** `GET /api/v1/ws/telemetry` for who comes without an upgrade. */
import { Problem } from '../../http/problem.ts';
import { STREAM_PATH } from '../streams/telemetry-stream.ts';
import type { GatewayApp } from './context.ts';

/** OpenAPI has no words for a WebSocket: the description of the document names it. */
export function streamRoute(app: GatewayApp): void {
  app.get(STREAM_PATH, { config: { role: 'operator' }, schema: { hide: true } }, async () => {
    throw new Problem('upgrade_required', 'this is a WebSocket: ask with `Upgrade: websocket`', {
      headers: { upgrade: 'websocket', connection: 'Upgrade' },
    });
  });
}
