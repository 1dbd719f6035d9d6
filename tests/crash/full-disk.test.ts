/** A real disk that fills up, a tmpfs of a few megabytes, under a real agent whose quota is larger than it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { agentStatus, impatient, journalStats, startAgentProcess } from '../support/agent.ts';
import { expectEveryFate } from '../support/fate.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { startProxy } from '../support/proxy.ts';
import { type Recording, writeRecording } from '../support/recording.ts';
import { canMount, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const MEBIBYTE = 2 ** 20;
const DISK_BYTES = 8 * MEBIBYTE;
const COUNT = 200_000;
const DRAIN_MS = 5_000;
/** Generous: to fill the disk is work, and the machine may be busy. */
const FILLED = { deadlineMs: 200_000 };

/** An agent on the disk with so much room left, and an HQ that it cannot reach yet. */
async function startOn(disk: SmallDisk, folder: string, recording: Recording, policy: string) {
  const hq = await startHqProcess(join(folder, 'hq'));
  const link = await startProxy(() => Number(new URL(hq.url).port));
  link.set({ kind: 'refuse' });
  const dataDir = join(disk.path, 'edge');
  const start = (source = `csv:path=${recording.path},name=log,speed=max`) => {
    const agent = startAgentProcess({
      id: 'edge',
      hq: link.url,
      dataDir,
      sources: [source],
      args: [...impatient, '--journal-overflow', policy],
    });
    return { agent, status: () => agentStatus(agent) };
  };
  return { hq, link, dataDir, start };
}

describe.skipIf(!canMount)(`a disk that is full${canMount ? '' : ' (skipped: needs root to mount)'}`, () => {
  it('gives up the oldest samples, commits each new one, and drains within 5 s once there is room', async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(folder, DISK_BYTES);
    const recording = writeRecording(folder, { source: 'log', count: COUNT, stepMs: 100, seed: 3 });
    disk.fill(3 * MEBIBYTE);
    const { hq, link, dataDir, start } = await startOn(disk, folder, recording, 'drop-oldest');
    const { agent, status } = start();
    const full = await until(
      'everything to be sampled',
      async () => {
        const now = await status();
        return now?.journal?.sampled === COUNT && now;
      },
      FILLED,
    );
    expect(full).toMatchObject({ state: 'degraded', journal: { disk: 'full' } });
    expect(full.pipeline?.commit, 'each was committed').toMatchObject({ committed: COUNT, discarded: 0 });
    expect(disk.freeBytes()).toBeLessThan(MEBIBYTE);
    expect(full.troubles.map(({ what }) => what)).toContain('The disk of the journal');

    disk.free();
    link.set({ kind: 'pass' });
    const begun = performance.now();
    const drained = await until('everything to be delivered', async () => {
      const now = await status();
      return now?.journal?.pending === 0 && now;
    });
    expect(performance.now() - begun).toBeLessThan(DRAIN_MS);
    expect(drained.journal?.sampled).toBe(COUNT);
    await until('the quota to count again', async () => {
      const now = await status();
      return now?.journal?.disk === 'good' && now.state === 'live';
    });
    expect(existsSync(join(dataDir, 'reserve.bin'))).toBe(true);
    expect(await agent.end('SIGTERM')).toBe(0);
    const [entry, ...others] = await ledgerOf(hq.url, 'edge');
    expect(others).toEqual([]);
    if (entry === undefined) throw new Error('HQ has no ledger of the agent');
    await expectEveryFate({ recording, hqUrl: hq.url, entry, journal: await journalStats(dataDir) });
    const dropped = entry.dropped.overflow_oldest ?? 0;
    expect(dropped).toBeGreaterThan(COUNT / 10);
    expect(entry.stored).toBeGreaterThan(COUNT / 10);
    expect(entry.gaps, 'only the oldest').toMatchObject([{ firstSeq: 1, lastSeq: dropped }]);
  });

  it('is no obstacle to starting again after a crash, and to draining', async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(folder, DISK_BYTES);
    const recording = writeRecording(folder, { source: 'log', count: COUNT, stepMs: 100, seed: 4 });
    disk.fill(3 * MEBIBYTE);
    const { hq, link, start } = await startOn(disk, folder, recording, 'drop-oldest');
    const first = start();
    const before = await until(
      'the disk to be full',
      async () => {
        const now = await first.status();
        return now?.journal?.disk === 'full' && now.journal;
      },
      FILLED,
    );
    await first.agent.end('SIGKILL');
    disk.fillUp();
    expect(disk.freeBytes()).toBe(0);

    const again = start('sim:hz=20,sensors=2,seed=7');
    const after = await until('new samples on the full disk', async () => {
      const now = await again.status();
      return (now?.pipeline?.commit.committed ?? 0) > 20 && now;
    });
    expect(after).toMatchObject({ state: 'degraded', journal: { epoch: before.epoch, disk: 'full' } });
    link.set({ kind: 'pass' });
    await until('the backlog to be delivered', async () => {
      const now = await again.status();
      return now !== null && (now.journal?.acked ?? 0) > 1000 && (now.journal?.pending ?? 0) < 40;
    });
    expect(await again.agent.end('SIGTERM')).toBe(0);
    const [entry, ...others] = await ledgerOf(hq.url, 'edge');
    if (entry === undefined) throw new Error('HQ has no ledger of the agent');
    expect(others).toEqual([]);
    const { overflow_oldest: oldest = 0, ...elsehow } = entry.dropped;
    expect(elsehow).toEqual({});
    expect(entry).toMatchObject({ epoch: before.epoch, pending: 0, stored: entry.sampled - oldest });
    expect(entry.stored).toBeGreaterThan(1000);
  });
});
