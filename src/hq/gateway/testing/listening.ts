/** A test gateway that listens on a free loopback port and serves dashboards, ended with the test. */
import type { AddressInfo } from 'node:net';
import { attachDashboards } from '../dashboard.ts';
import { createSocketServer } from '../socket-server.ts';
import { createTestGateway, TEST_CONNECTIONS, type TestGatewayOptions } from './test-gateway.ts';

export async function startTestGateway(options: TestGatewayOptions = {}) {
  const gateway = await createTestGateway(options);
  const { app, config, fleet, access, clock, emit } = gateway;
  const io = createSocketServer(app.server, config, {
    access,
    clock,
    emit,
    alarms: { note: () => {} },
    connections: TEST_CONNECTIONS,
  });
  const detach = attachDashboards({
    io,
    fleet,
    access,
    clock,
    emit,
    updateMs: config.dashboard.updateMs,
    stallMs: config.dashboard.stallMs,
    maxDashboards: config.limits.maxDashboards,
    trustedProxies: 0,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const stop = async () => {
    detach();
    gateway.chaos.stop();
    io.engine.close();
    app.server.closeAllConnections();
    await app.close();
  };
  return { ...gateway, io, port, url: `http://127.0.0.1:${port}`, stop };
}
