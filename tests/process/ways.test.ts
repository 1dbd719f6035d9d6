/**
 * An agent with two ways to one HQ: it goes over to the second when the first fails, and back when it is there again
 * for a while.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { agentMetrics, agentStatus, impatient, startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { type LinkMode, startProxy } from '../support/proxy.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const RETURN_MS = '800ms';
const waySchema = z.looseObject({
  hq: z.string(),
  way: z.looseObject({ of: z.number(), taken: z.looseObject({ index: z.number() }).nullable() }).nullable(),
});

const failingSchema = z.looseObject({
  way: z.looseObject({ failing: z.array(z.looseObject({ reason: z.string() })) }),
  troubles: z.array(z.looseObject({ detail: z.string() })),
});

async function start(args: (urls: { first: string; second: string }) => readonly string[]) {
  const folder = temporaryFolder();
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const { port } = new URL(hq.url);
  const first = await startProxy(() => Number(port));
  const second = await startProxy(() => Number(port));
  const agent = startAgentProcess({
    ...built,
    id: 'edge',
    hq: first.url,
    dataDir: join(folder, 'edge'),
    sources: ['sim:hz=20,sensors=2'],
    args: [
      ...impatient,
      ...['--uplink-return-after-ms', RETURN_MS],
      ...args({ first: first.url, second: second.url }),
    ],
  });
  const stored = async () =>
    (await ledgerOf(hq.url, 'edge').catch(() => [])).reduce((sum, entry) => sum + entry.stored, 0);
  const over = async (proxy: { readonly url: string }) => {
    await until(`samples over ${proxy.url}`, async () => {
      const status = waySchema.parse(await agentStatus(agent));
      return status.hq === proxy.url && status.way?.taken != null;
    });
    const before = await stored();
    await until('more samples', async () => (await stored()) > before + 10);
  };
  return { hq, agent, first, second, over };
}

describe('an agent with two ways to HQ', () => {
  it.each<LinkMode>([{ kind: 'refuse' }, { kind: 'half-open' }])(
    'goes over and back when the first is gone: $kind',
    async (mode) => {
      const { hq, agent, first, second, over } = await start(({ second: url }) => ['--hq', url]);
      await over(first);
      first.set(mode);
      await over(second);
      first.set({ kind: 'pass' });
      await over(first);
      expect(await agent.end('SIGTERM')).toBe(0);
      const [entry, ...others] = await ledgerOf(hq.url, 'edge');
      expect(others).toEqual([]);
      expect(entry).toMatchObject({ stored: entry?.sampled, pending: 0, dropped: {}, ranges: [] });
      const changes = agent.stderr.filter((line) => line.includes('"way_changed"'));
      expect(changes.length).toBe(2);
    },
  );

  it('keeps the backlog off a way that only live samples may take', async () => {
    const { hq, agent, first, second } = await start(({ second: url }) => [
      ...['--uplink-routes', `${url},maxLane=live`],
    ]);
    second.set({ kind: 'refuse' });
    first.set({ kind: 'refuse' });
    await until('a backlog', async () => ((await agentStatus(agent))?.journal?.pending ?? 0) > 100);
    second.set({ kind: 'pass' });
    const entry = async () => (await ledgerOf(hq.url, 'edge').catch(() => []))[0];
    const live = await until('live samples', async () => {
      const now = await entry();
      return now !== undefined && now.stored > 40 ? now : null;
    });
    // What was sampled meanwhile came, what lay there did not.
    expect((live.ranges.at(-1)?.[0] ?? 0) - live.contiguous).toBeGreaterThan(50);
    expect((await agentStatus(agent))?.journal?.pending).toBeGreaterThan(50);
    first.set({ kind: 'pass' });
    await until('the backlog over the first way', async () => {
      const now = await entry();
      return now !== undefined && now.contiguous > live.sampled;
    });
    expect(await agent.end('SIGTERM')).toBe(0);
  });

  it('says once that the first never worked, and why, for as long as the second is taken', async () => {
    const folder = temporaryFolder();
    const hq = await startHqProcess(join(folder, 'hq'), built);
    const dead = 'http://127.0.0.1:1';
    const agent = startAgentProcess({
      ...built,
      id: 'edge',
      hq: dead,
      dataDir: join(folder, 'edge'),
      sources: ['sim:hz=20,sensors=2'],
      args: [...impatient, '--hq', hq.url, '--uplink-return-after-ms', RETURN_MS],
    });
    const { way } = await until('the second way', async () => {
      const status = failingSchema.parse(await agentStatus(agent));
      return status.way.failing.length > 0 && status;
    });
    const reason = `Nothing accepts connections at ${dead}: is HQ running there?`;
    expect(way.failing).toEqual([
      { way: expect.objectContaining({ index: 0, url: dead }), reason, since: expect.any(Number) },
    ]);
    const { troubles } = failingSchema.parse(await agentStatus(agent));
    expect(troubles).toContainEqual(expect.objectContaining({ detail: reason }));
    expect(await agentMetrics(agent)).toMatch(/^holdfast_agent_way_failures_total(\{.*\})? 1$/m);
    expect(await agent.end('SIGTERM')).toBe(0);
    const warnings = agent.stderr.filter((line) => line.includes('"way_failed"'));
    expect(warnings.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ way: 1, url: dead, detail: reason }),
    ]);
  });

  it('does not stay without HQ, nor come back, when the first leads to another one; it does once that is mended', async () => {
    const folder = temporaryFolder();
    const south = await startHqProcess(join(folder, 'south'), built);
    const north = await startHqProcess(join(folder, 'north'), built);
    const own = {
      id: 'edge',
      hq: north.url,
      dataDir: join(folder, 'edge'),
      sources: ['sim:hz=20,sensors=2'],
    };
    const stored = async () =>
      (await ledgerOf(north.url, 'edge').catch(() => [])).reduce((sum, entry) => sum + entry.stored, 0);
    const before = startAgentProcess({ ...built, ...own });
    await until('samples at its HQ', async () => (await stored()) > 0);
    expect(await before.end('SIGTERM')).toBe(0);

    let target = south.url;
    const first = await startProxy(() => Number(new URL(target).port));
    // A wait after a refusal would outlast the test.
    const patient = ['--uplink-backoff-max-ms', '3600000', '--uplink-heartbeat-ms', '250'];
    const agent = startAgentProcess({
      ...built,
      ...own,
      hq: first.url,
      args: [...patient, '--hq', north.url, '--uplink-return-after-ms', '400'],
    });
    const more = async (count: number) => {
      const held = await stored();
      await until('more samples', async () => (await stored()) > held + count);
    };
    await more(20);
    const connections = async () =>
      z.looseObject({ uplink: z.looseObject({ connection: z.number() }) }).parse(await agentStatus(agent))
        .uplink.connection;
    const taken = await connections();
    const asked = first.bytesUp();
    await until('looks at the first way', () => first.bytesUp() > asked + 2_000);
    await more(10);
    expect(await connections()).toBe(taken);

    target = north.url;
    await until('the first way', async () => waySchema.parse(await agentStatus(agent)).hq === first.url);
    await more(10);
    expect(await agent.end('SIGTERM')).toBe(0);
    expect(await ledgerOf(south.url, 'edge').catch(() => [])).toEqual([]);
  });
});
