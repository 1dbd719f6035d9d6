/** Tokens between real processes: who has none or a wrong one is told so, once, and loses nothing by it. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ledgerEntrySchema } from '../../src/protocol/api.ts';
import { agentStatus, journalStats, startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const AGENT_TOKEN = 'token-of-the-agents';
const OPERATOR_TOKEN = 'token-of-the-operators';
const WRONG = 'token-of-somebody';
const tokens = { HOLDFAST_AGENT_TOKEN: AGENT_TOKEN, HOLDFAST_OPERATOR_TOKEN: OPERATOR_TOKEN };

const ask = (url: string, token?: string, init: RequestInit = {}) =>
  fetch(url, {
    ...init,
    headers: { ...init.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
  });

describe('an HQ with tokens', () => {
  it('turns an agent with a wrong token away, who says so once, keeps its samples, and delivers them with the right one', async () => {
    const folder = temporaryFolder();
    const hq = await startHqProcess(join(folder, 'hq'), { ...built, env: tokens });
    const dataDir = join(folder, 'edge');
    const start = (token: string | undefined) =>
      startAgentProcess({
        id: 'edge',
        hq: hq.url,
        dataDir,
        sources: ['sim:hz=20,sensors=2,seed=1'],
        args: ['--uplink-backoff-initial-ms', '50', '--uplink-backoff-max-ms', '200'],
        ...built,
        env: token === undefined ? {} : { HOLDFAST_TOKEN: token },
      });

    for (const token of [undefined, WRONG, OPERATOR_TOKEN]) {
      const agent = start(token);
      const status = await until('it to try again and again', async () => {
        const now = await agentStatus(agent);
        return (now?.uplink?.attempt ?? 0) >= 4 && (now?.journal?.sampled ?? 0) > 0 && now;
      });
      expect(status.state).toBe('offline');
      expect(status.journal).toMatchObject({ pending: status.journal?.sampled });
      const lines = agent.stderr.filter((line) => line.includes('"link_down"'));
      expect(lines, 'once an episode').toHaveLength(1);
      expect(JSON.parse(lines[0] ?? '')).toMatchObject({
        level: 40,
        kind: 'unauthorized',
        detail: expect.stringContaining('agent token'),
      });
      expect(await agent.end('SIGTERM')).toBe(0);
      if (token !== undefined) expect(agent.stderr.join('\n')).not.toContain(token);
    }
    const kept = await journalStats(dataDir, built);
    expect(kept.pending).toBe(kept.sampled);

    const agent = start(AGENT_TOKEN);
    await until('it to be live', async () => (await agentStatus(agent))?.state === 'live');
    expect(await agent.end('SIGTERM')).toBe(0);
    const { epoch, sampled } = await journalStats(dataDir, built);
    const answer = await ask(`${hq.url}/api/v1/agents/edge/ledger`, OPERATOR_TOKEN);
    const { items } = z.object({ items: z.array(ledgerEntrySchema) }).parse(await answer.json());
    expect(items).toMatchObject([
      { epoch, sampled, stored: sampled, contiguous: sampled, pending: 0, dropped: {}, gaps: [] },
    ]);
    for (const secret of Object.values(tokens))
      expect([...hq.stderr, ...hq.stdout].join('\n')).not.toContain(secret);
  });

  it('answers people with the operator token only, machines with the agent token only, and probes without any', async () => {
    const hq = await startHqProcess(join(temporaryFolder(), 'hq'), { ...built, env: tokens });
    for (const path of ['/api/v1/agents', '/api/v1/agents/x/ledger', '/api/v1/chaos']) {
      for (const token of [undefined, WRONG, AGENT_TOKEN, '']) {
        const answer = await ask(`${hq.url}${path}`, token);
        expect(answer.status, `${path} with ${token}`).toBe(401);
        expect(answer.headers.get('content-type')).toContain('application/problem+json');
        expect(await answer.text()).not.toContain(OPERATOR_TOKEN);
      }
      expect([200, 404]).toContain((await ask(`${hq.url}${path}`, OPERATOR_TOKEN)).status);
    }
    const body = JSON.stringify({ agent: 'http', timestamp: '2026-01-31T12:00:00Z', metrics: { load: 1 } });
    const post = (token?: string) =>
      ask(`${hq.url}/telemetry`, token, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });
    for (const token of [undefined, WRONG, OPERATOR_TOKEN]) expect((await post(token)).status).toBe(401);
    expect((await post(AGENT_TOKEN)).status).toBe(202);
    const put = (token?: string) =>
      ask(`${hq.url}/api/v1/chaos`, token, {
        method: 'PUT',
        body: '{"mode":"down"}',
        headers: { 'content-type': 'application/json' },
      });
    expect((await put()).status).toBe(401);
    expect((await put(OPERATOR_TOKEN)).status, 'not enabled').not.toBe(200);
    for (const path of ['/healthz', '/readyz']) expect((await ask(`${hq.url}${path}`)).status).toBe(200);
    expect(await hq.end('SIGTERM')).toBe(0);
  });
});
