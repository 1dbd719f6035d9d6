/**
 * HQ on a disk that fills up, a tmpfs, while an agent stays connected: it refuses, says when it can store again, and
 * has all.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { agentStatus, impatient, startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { canMount, mountSmallDisk } from '../support/small-disk.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

/** What the last page of a file has room for is written on a full disk, too. */
const PAGE = 4096;

describe.skipIf(!canMount)(
  `HQ's disk that is full${canMount ? '' : ' (skipped: needs root to mount)'}`,
  () => {
    it('also keeps its log, which has no room either: HQ goes on, and logs again once there is room', async () => {
      const folder = temporaryFolder();
      const disk = mountSmallDisk(folder, 16 * 2 ** 20);
      const log = join(disk.path, 'hq.log');
      const hq = await startHqProcess(join(disk.path, 'hq'), {
        args: ['--log-level', 'debug'],
        logTo: log,
        ...built,
      });
      const agent = startAgentProcess({
        ...built,
        id: 'edge',
        hq: hq.url,
        dataDir: join(folder, 'edge'),
        sources: ['sim:hz=100,sensors=8,seed=1'],
      });
      await until('samples at HQ', async () => ((await ledgerOf(hq.url, 'edge'))[0]?.stored ?? 0) > 0);
      disk.fillUp();
      await until('HQ to be unready', async () => (await fetch(`${hq.url}/readyz`)).status === 503);
      let size = 0;
      await until('lines to find no room', async () => {
        // A connection that may not come in is a line.
        await fetch(`${hq.url}/api/v1/agents`, { headers: { host: 'foreign.example' } });
        const before = size;
        size = statSync(log).size;
        return size === before && size % PAGE === 0;
      });
      disk.free();
      await until('HQ to be ready', async () => (await fetch(`${hq.url}/readyz`)).status === 200);
      await until('all to be delivered', async () => (await agentStatus(agent))?.state === 'live');
      expect(await agent.end('SIGTERM')).toBe(0);
      expect(await hq.end('SIGTERM')).toBe(0);
      const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
      expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ component: 'hq' });
    });

    it('is delivered to again as soon as it has room, over the connection that there is, whatever the breaker waits for', async () => {
      const folder = temporaryFolder();
      const disk = mountSmallDisk(folder, 16 * 2 ** 20);
      const hq = await startHqProcess(join(disk.path, 'hq'), built);
      const agent = startAgentProcess({
        ...built,
        id: 'edge',
        hq: hq.url,
        dataDir: join(folder, 'edge'),
        sources: ['sim:hz=100,sensors=8,seed=1'],
        args: [...impatient, '--uplink-breaker-open-ms', '3600000', '--uplink-breaker-failures', '2'],
      });
      const sampled = async () => (await agentStatus(agent))?.journal?.sampled ?? 0;
      await until('samples at HQ', async () => ((await ledgerOf(hq.url, 'edge'))[0]?.stored ?? 0) > 0);
      disk.fillUp();
      await until('the breaker to open', async () => (await agentStatus(agent))?.uplink?.breaker === 'open', {
        deadlineMs: 60_000,
      });
      expect((await fetch(`${hq.url}/readyz`)).status).toBe(503);

      disk.free();
      const before = await sampled();
      await until('what was sampled meanwhile to arrive', async () => {
        const [entry] = await ledgerOf(hq.url, 'edge');
        return entry !== undefined && entry.contiguous >= before;
      });
      const [entry] = await ledgerOf(hq.url, 'edge');
      expect(entry).toMatchObject({ thinned: {}, dropped: {}, gaps: [], ranges: [] });
      expect(await agentStatus(agent)).toMatchObject({ uplink: { breaker: 'closed' } });
      const connects = agent.stderr.filter((line) => line.includes('"link_up"'));
      expect(connects).toHaveLength(1);
      expect(await agent.end('SIGTERM')).toBe(0);
      expect(await hq.end('SIGTERM')).toBe(0);
    });
  },
);
