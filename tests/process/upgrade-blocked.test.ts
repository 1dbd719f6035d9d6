/** Agents behind something that lets HTTP through and no WebSocket. */
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { agentStatus, impatient, startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

type Gateway = { readonly url: string; readonly requests: () => number };

/** A reverse proxy that answers upgrades with this status; null: it lets them through. */
async function startGateway(hqUrl: string, status: number | null): Promise<Gateway> {
  const hq = new URL(hqUrl);
  let requests = 0;
  const server: Server = createServer((incoming, outgoing) => {
    requests += 1;
    const { method, url, headers } = incoming;
    const forwarded = request({ host: hq.hostname, port: hq.port, path: url, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => void open.add(socket));
  server.on('upgrade', (incoming, client: Socket, head: Buffer) => {
    client.on('error', () => {});
    if (status !== null) {
      client.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    const target = connect(Number(hq.port), hq.hostname, () => {
      const lines = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      target.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join('')}\r\n`);
      target.write(head);
      client.pipe(target).pipe(client);
    });
    target.on('error', () => client.destroy());
    client.on('close', () => target.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests: () => requests };
}

async function behind(status: number | null, transport: string) {
  const folder = temporaryFolder();
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const gateway = await startGateway(hq.url, status);
  const agent = startAgentProcess({
    ...built,
    id: 'edge',
    hq: gateway.url,
    dataDir: join(folder, 'edge'),
    sources: ['sim:hz=20,sensors=2'],
    args: [...impatient, '--uplink-transport', transport],
  });
  const ledger = async () => (await ledgerOf(hq.url, 'edge').catch(() => [])).at(0);
  const delivers = (more: number) =>
    until('samples', async () => ((await ledger())?.stored ?? 0) > more, { deadlineMs: 60_000 });
  return { hq, gateway, agent, ledger, delivers };
}

describe('an agent without WebSockets', () => {
  it.each([400, 403, 405, 426, 501])('says so by name where it is to use them (HTTP %d)', async (status) => {
    const { agent, gateway, ledger } = await behind(status, 'websocket');
    const failure = await until('the failure', () =>
      agent.stderr.find((line) => line.includes('"link_down"')),
    );
    for (const part of ['"kind":"upgrade_blocked"', gateway.url, `HTTP ${status}`, 'uplink.transport'])
      expect(failure).toContain(part);
    expect(JSON.stringify(await agentStatus(agent))).toContain(`(HTTP ${status} to the upgrade)`);
    expect(await ledger()).toBeUndefined();
    expect(gateway.requests()).toBe(0);
  });

  it.each(['auto', 'polling'])('delivers by long polling with %s, without a hole', async (transport) => {
    const { agent, gateway, ledger, delivers } = await behind(403, transport);
    await delivers(40);
    expect(gateway.requests()).toBeGreaterThan(3);
    const said = agent.stderr.filter((line) => line.includes('"upgrade_blocked"'));
    expect(said).toHaveLength(transport === 'auto' ? 1 : 0);
    expect(agent.stderr.filter((line) => line.includes('"link_down"'))).toEqual([]);
    // The last heartbeat and the goodbye go the same way.
    expect(await agent.end('SIGTERM')).toBe(0);
    const left = await ledger();
    expect(left).toMatchObject({ stored: left?.sampled, pending: 0, gaps: [] });
  });

  it('goes by WebSocket with auto where it can', async () => {
    const { gateway, delivers } = await behind(null, 'auto');
    await delivers(20);
    expect(gateway.requests()).toBe(0);
  });
});
