/** Agents behind an HTTP proxy. HQ's name resolves at the proxy only. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startConnectProxy } from '../../src/agent/testing/connect-proxy.ts';
import { agentMetrics, agentStatus, impatient, startAgentProcess } from '../support/agent.ts';
import { built, runToEnd } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const AUTHORIZATION = `Basic ${Buffer.from('joe:s3cret/1').toString('base64')}`;
const storedAt = async (url: string) =>
  (await ledgerOf(url, 'edge').catch(() => [])).reduce((sum, entry) => sum + entry.stored, 0);

describe('an agent behind an HTTP proxy', () => {
  it('delivers over CONNECT with user and password, names the proxy where it refuses, and shows no password', async () => {
    const folder = temporaryFolder();
    const hq = await startHqProcess(join(folder, 'hq'), built);
    const proxy = await startConnectProxy(Number(new URL(hq.url).port), AUTHORIZATION);
    proxy.refuse(403);
    const shown = `http://127.0.0.1:${proxy.port}`;
    const agent = startAgentProcess({
      ...built,
      id: 'edge',
      hq: 'http://hq.ship.test:8000',
      dataDir: join(folder, 'edge'),
      sources: ['sim:hz=20,sensors=2'],
      args: impatient,
      env: { HTTP_PROXY: `http://joe:s3cret%2F1@127.0.0.1:${proxy.port}` },
    });
    const failure = await until('the refusal', () =>
      agent.stderr.find((line) => line.includes('"link_down"')),
    );
    for (const part of ['"kind":"proxy"', shown, 'HTTP 403', 'hq.ship.test:8000'])
      expect(failure).toContain(part);
    proxy.refuse(null);
    await until('samples', async () => (await storedAt(hq.url)) > 20, { deadlineMs: 30_000 });
    expect(new Set(proxy.targets)).toEqual(new Set(['hq.ship.test:8000']));
    const told = [JSON.stringify(await agentStatus(agent)), await agentMetrics(agent), ...agent.stderr];
    expect(told.join('\n')).not.toMatch(/s3cret|joe/);
    expect(await agent.end('SIGTERM')).toBe(0);
  });

  it.each([
    ['asks for a password', 407, 'asks for user and password (HTTP 407)'],
    ['is not there', null, 'accepts no connections'],
  ])('says which proxy %s', async (_what, status, says) => {
    const proxy = await startConnectProxy(1, 'nobody has it');
    const port = status === null ? 1 : proxy.port;
    const agent = startAgentProcess({
      ...built,
      id: 'edge',
      hq: 'http://hq.ship.test:8000',
      dataDir: join(temporaryFolder(), 'edge'),
      sources: ['sim:hz=20,sensors=2'],
      args: impatient,
      env: { http_proxy: `http://127.0.0.1:${port}` },
    });
    const failure = await until('the failure', () =>
      agent.stderr.find((line) => line.includes('"kind":"proxy"')),
    );
    expect(failure).toContain(`http://127.0.0.1:${port} (http_proxy)`);
    expect(failure).toContain(says);
  });

  it.each(['socks5://joe:s3cret@proxy', 'http://joe:s3cret@proxy:99999'])(
    'does not start with a proxy that cannot be: %s',
    async (proxy) => {
      const { code, stderr } = await runToEnd(
        ['agent', '--hq', 'https://hq.ship.test', '--data-dir', temporaryFolder()],
        {
          ...built,
          env: { HTTPS_PROXY: proxy },
        },
      );
      expect(code).toBe(78);
      expect(stderr).toContain('HTTPS_PROXY is no address of an HTTP proxy');
      expect(stderr).not.toContain('s3cret');
    },
  );
});
