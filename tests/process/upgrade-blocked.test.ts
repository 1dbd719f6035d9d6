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

/**
 * What the gateway does with upgrades; a number is an HTTP status. `away`: HTTP 502 to all requests; `back`: to
 * upgrades until another request comes.
 */
type Upgrades = number | 'pass' | 'reset' | 'swallow' | 'away' | 'back';
type Gateway = {
  readonly url: string;
  /** Other requests than upgrades. */
  readonly requests: () => number;
  readonly upgrades: () => number;
  readonly set: (does: Upgrades) => void;
  /** Ends all connections. */
  readonly cut: () => void;
};

/** A reverse proxy with a will about upgrades. */
async function startGateway(hqUrl: string, first: Upgrades): Promise<Gateway> {
  const hq = new URL(hqUrl);
  let requests = 0;
  let upgrades = 0;
  let does = first;
  const server: Server = createServer((incoming, outgoing) => {
    requests += 1;
    if (does === 'back') does = 'pass';
    if (does === 'away') {
      outgoing.writeHead(502).end();
      return;
    }
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
    upgrades += 1;
    const status = does === 'away' || does === 'back' ? 502 : does;
    if (typeof status === 'number') {
      client.end(`HTTP/1.1 ${status} No\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>No</p>`);
      return;
    }
    if (does === 'reset') client.resetAndDestroy();
    if (does !== 'pass') return;
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
  const cut = () => {
    for (const socket of open) socket.destroy();
    open.clear();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  return {
    cut,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    upgrades: () => upgrades,
    set: (next) => {
      does = next;
    },
  };
}

async function behind(does: Upgrades, transport: string) {
  const folder = temporaryFolder();
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const gateway = await startGateway(hq.url, does);
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

  it.each([
    [200, 'protocol', 'HTTP 200 to the upgrade'],
    ['swallow', 'timeout', 'the upgrade gets no answer'],
  ] as const)('says what it saw where that may be a block (%s)', async (does, kind, seen) => {
    const { agent, gateway } = await behind(does, 'websocket');
    const failure = await until('the failure', () =>
      agent.stderr.find((line) => line.includes('"link_down"')),
    );
    for (const part of [`"kind":"${kind}"`, gateway.url, seen, 'uplink.transport'])
      expect(failure).toContain(part);
    expect(gateway.requests()).toBe(0);
  });

  it.each(['auto', 'polling'])('delivers by long polling with %s, without a hole', async (transport) => {
    const { agent, gateway, ledger, delivers } = await behind(403, transport);
    await delivers(40);
    expect(gateway.requests()).toBeGreaterThan(3);
    const said = agent.stderr.filter((line) => line.includes('"upgrade_blocked"'));
    expect(said).toHaveLength(transport === 'auto' ? 1 : 0);
    // What is set already is no advice.
    expect(said.join('')).not.toContain('uplink.transport');
    expect(agent.stderr.filter((line) => line.includes('"link_down"'))).toEqual([]);
    // The last heartbeat and the goodbye go the same way.
    expect(await agent.end('SIGTERM')).toBe(0);
    const left = await ledger();
    expect(left).toMatchObject({ stored: left?.sampled, pending: 0, gaps: [] });
  });

  it.each([
    [200, 'HTTP 200 to the upgrade'],
    [502, 'HTTP 502 to the upgrade'],
    ['reset', 'the connection ends at the upgrade'],
    ['swallow', 'the upgrade gets no answer'],
  ] as const)('finds a block out that has no name (%s), and delivers by polling', async (does, seen) => {
    const { agent, gateway, delivers } = await behind(does, 'auto');
    await delivers(40);
    const said = () => agent.stderr.filter((line) => line.includes('"upgrade_blocked"'));
    const blocked = await until('the block', () => said()[0]);
    expect(blocked).toContain(`blocked on the way (${seen})`);
    // The one that failed, and the one alongside polling that made sure.
    expect(gateway.upgrades()).toBe(2);
    expect(said()).toHaveLength(1);
    expect(agent.stderr.filter((line) => line.includes('"link_down"'))).toEqual([]);
    expect(JSON.stringify(await agentStatus(agent))).toContain(seen);
  });

  it('goes by WebSocket with auto where it can', async () => {
    const { gateway, delivers } = await behind('pass', 'auto');
    await delivers(20);
    expect(gateway.requests()).toBe(0);
  });

  it('moves to a WebSocket at once with auto where HQ comes back just then', async () => {
    const { agent, gateway, delivers } = await behind('back', 'auto');
    // One fails, one alongside polling gets through, and one is moved to.
    await until('a WebSocket', () => gateway.upgrades() === 3);
    await delivers(20);
    const before = gateway.requests();
    await delivers(80);
    expect(gateway.requests()).toBe(before);
    expect(gateway.upgrades()).toBe(3);
    expect(agent.stderr.join('\n')).not.toContain('"upgrade_blocked"');
  });

  it('keeps to WebSockets with auto while HQ is away', async () => {
    const { agent, gateway, delivers } = await behind('pass', 'auto');
    await delivers(20);
    gateway.set('away');
    gateway.cut();
    await until('attempts', () => gateway.upgrades() > 20);
    // After 4 failures, and after 8 more.
    expect(gateway.requests()).toBeLessThanOrEqual(2);
    gateway.set('pass');
    await delivers(60);
    expect(agent.stderr.join('\n')).not.toContain('"upgrade_blocked"');
  });
});
