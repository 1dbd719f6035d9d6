/** A real disk that fills up, a tmpfs of a few megabytes, under a real agent whose quota is larger than it. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LedgerEntry } from '../../src/protocol/api.ts';
import { readInUse, writeInUse } from '../../src/storage/directory/data-directory.ts';
import { agentStatus, impatient, journalStats, startAgentProcess } from '../support/agent.ts';
import { expectEveryFate } from '../support/fate.ts';
import { built } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { expectWithin, sized } from '../support/long.ts';
import { startProxy } from '../support/proxy.ts';
import { type Recording, writeRecording } from '../support/recording.ts';
import { canMount, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const MEBIBYTE = 2 ** 20;
const DISK_BYTES = 8 * MEBIBYTE;
const COUNT = sized(120_000, 200_000);
const SHORT = sized(70_000, 100_000);
const DRAIN_MS = 5_000;
/**
 * Room in bytes that so many samples do not fit into, however large the frames are: one takes 13.5 bytes of entropy
 * alone.
 */
const tooLittleFor = (samples: number): number => samples * 10;
/** Generous: to fill the disk is work, and the machine may be busy. */
const FILLED = { deadlineMs: 200_000 };

/** An agent on the disk with so much room left, and an HQ that it cannot reach yet. */
async function startOn(disk: SmallDisk, folder: string, recording: Recording, policy: string) {
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const link = await startProxy(() => Number(new URL(hq.url).port));
  link.set({ kind: 'refuse' });
  const dataDir = join(disk.path, 'edge');
  const start = (source = `csv:path=${recording.path},name=log,speed=max`) => {
    const agent = startAgentProcess({
      ...built,
      id: 'edge',
      hq: link.url,
      dataDir,
      sources: [source],
      // Values without any order are no anomalies here.
      args: [...impatient, '--journal-overflow', policy, '--detect-threshold', '100'],
    });
    return { agent, status: () => agentStatus(agent) };
  };
  return { hq, link, dataDir, start };
}

async function onlyEntry(hqUrl: string): Promise<LedgerEntry> {
  const [entry, ...others] = await ledgerOf(hqUrl, 'edge');
  if (entry === undefined) throw new Error('HQ has no ledger of the agent');
  expect(others).toEqual([]);
  return entry;
}

/** Waits until nothing moves any more: the source is held and the batch under way is too. */
async function heldCounts(status: () => ReturnType<typeof agentStatus>) {
  let [last, same] = ['', 0];
  return until('everything to stand still', async () => {
    const now = await status();
    if (now?.journal == null || now.pipeline === null) return null;
    const counts = { ...now.journal, ...now.pipeline.commit };
    const text = JSON.stringify([counts.sampled, counts.uncommitted]);
    same = text === last ? same + 1 : 0;
    last = text;
    return same >= 20 && counts;
  });
}

describe.skipIf(!canMount)(`a disk that is full${canMount ? '' : ' (skipped: needs root to mount)'}`, () => {
  it('gives up the oldest samples, commits each new one, and drains within 5 s once there is room', async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(folder, DISK_BYTES);
    const recording = writeRecording(folder, { source: 'log', count: COUNT, stepMs: 100, seed: 3 });
    disk.fill(tooLittleFor(COUNT));
    const { hq, link, dataDir, start } = await startOn(disk, folder, recording, 'drop-oldest');
    const { agent, status } = start();
    const full = await until(
      'everything to be sampled',
      async () => {
        const now = await status();
        return now?.journal?.sampled === COUNT && now.state === 'degraded' && now;
      },
      FILLED,
    );
    expect(full).toMatchObject({ journal: { disk: 'full' } });
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
    expectWithin(performance.now() - begun, DRAIN_MS);
    expect(drained.journal?.sampled).toBe(COUNT);
    await until('the quota to count again', async () => {
      const now = await status();
      return now?.journal?.disk === 'good' && now.state === 'live';
    });
    expect(existsSync(join(dataDir, 'reserve.bin'))).toBe(true);
    expect(await agent.end('SIGTERM')).toBe(0);
    const entry = await onlyEntry(hq.url);
    await expectEveryFate({ recording, hqUrl: hq.url, entry, journal: await journalStats(dataDir, built) });
    const dropped = entry.dropped.overflow_oldest ?? 0;
    expect(dropped).toBeGreaterThan(COUNT / 10);
    expect(entry.stored).toBeGreaterThan(COUNT / 10);
    expect(entry.gaps, 'only the oldest').toMatchObject([{ firstSeq: 1, lastSeq: dropped }]);
  });

  it('under thin: thins the oldest and drops none; when it starts again without any room left, it goes on and counts what it gives up', async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(folder, DISK_BYTES);
    const recording = writeRecording(folder, { source: 'log', count: SHORT, stepMs: 100, seed: 7 });
    disk.fill(MEBIBYTE);
    const { hq, link, start } = await startOn(disk, folder, recording, 'thin');
    // Slow enough for thinning to keep up on a busy machine.
    const source = `csv:path=${recording.path},name=log,speed=200`;
    const first = start(source);
    const before = await until(
      'samples to be thinned',
      async () => {
        const now = await first.status();
        return now?.state === 'degraded' && Number(now.journal?.thinned) > 1_000 && now;
      },
      FILLED,
    );
    expect(before).toMatchObject({ journal: { disk: 'full', dropped: {} } });
    await first.agent.end('SIGKILL');
    disk.fillUp();

    const again = start('sim:hz=100,sensors=2,seed=7');
    await until('new samples on the full disk', async () => {
      const now = await again.status();
      return (now?.pipeline?.commit.committed ?? 0) > 300;
    });
    disk.free();
    link.set({ kind: 'pass' });
    await until('everything to be delivered', async () => {
      const now = await again.status();
      return now?.journal?.disk === 'good' && now.journal.pending < 100 && now.state === 'live';
    });
    expect(await again.agent.end('SIGTERM')).toBe(0);
    const entry = await onlyEntry(hq.url);
    expect(entry).toMatchObject({ pending: 0, contiguous: entry.sampled });
    const { overflow_oldest: dropped = 0, ...elsehow } = entry.dropped;
    expect(elsehow).toEqual({});
    // Killed amid thinning, it may have no pages left to write what is thinned to.
    expect(entry.gaps).toMatchObject(dropped === 0 ? [] : [{ firstSeq: 1, lastSeq: dropped }]);
    const thinned = entry.thinned.overflow ?? 0;
    expect(thinned).toBeGreaterThan(0);
    expect(entry.stored + thinned + dropped).toBe(entry.sampled);
  });

  it('under drop-newest: keeps what it has, counts what it does not take, and takes new samples within 5 s once there is room', async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(folder, DISK_BYTES);
    const recording = writeRecording(folder, { source: 'log', count: COUNT, stepMs: 100, seed: 5 });
    disk.fill(1.5 * MEBIBYTE);
    const { hq, link, dataDir, start } = await startOn(disk, folder, recording, 'drop-newest');
    // Slow enough to be still under way when there is room again.
    const { agent, status } = start(`csv:path=${recording.path},name=log,speed=1000`);
    const refused = await until(
      'samples to be refused',
      async () => {
        const now = await status();
        if (now?.journal == null || now.state !== 'degraded') return null;
        return now.journal.sampled - now.journal.pending >= 5_000 && now;
      },
      FILLED,
    );
    expect(refused).toMatchObject({ journal: { disk: 'full', acked: 0 } });
    expect(refused.pipeline?.commit).toMatchObject({ discarded: 0 });
    expect(disk.freeBytes()).toBeLessThan(MEBIBYTE);
    expect(refused.troubles.map(({ what }) => what)).toContain('The disk of the journal');
    disk.fillUp();
    const before = refused.journal?.pending ?? 0;
    await until('more to be refused on a disk that is full to the last byte', async () => {
      const { journal } = (await status()) ?? {};
      return journal != null && journal.sampled - journal.pending >= 10_000;
    });
    expect((await status())?.journal?.pending, 'gives up nothing').toBeGreaterThanOrEqual(before);

    disk.free();
    const begun = performance.now();
    const kept = (await status())?.journal?.pending ?? 0;
    await until('new samples to be taken', async () => {
      const now = await status();
      return now?.journal?.disk === 'good' && now.journal.pending >= kept + 1_000;
    });
    expectWithin(performance.now() - begun, DRAIN_MS);
    link.set({ kind: 'pass' });
    await until('everything to be delivered', async () => {
      const now = await status();
      return now?.journal?.sampled === COUNT && now.journal.pending === 0 && now.state === 'live';
    });
    expect(existsSync(join(dataDir, 'reserve.bin'))).toBe(true);
    expect(await agent.end('SIGTERM')).toBe(0);
    const entry = await onlyEntry(hq.url);
    await expectEveryFate({ recording, hqUrl: hq.url, entry, journal: await journalStats(dataDir, built) });
    expect(Object.keys(entry.dropped)).toEqual(['overflow_newest']);
    expect(entry.dropped.overflow_newest).toBeGreaterThanOrEqual(10_000);
    const [first, last] = [entry.gaps[0], entry.gaps.at(-1)];
    expect(first?.firstSeq, 'the oldest are kept').toBeGreaterThan(COUNT / 10);
    expect(last?.lastSeq, 'and the newest').toBeLessThan(COUNT);
  });

  it('under block: holds sampling, goes on as soon as samples are delivered or there is room, and loses none', async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(folder, DISK_BYTES);
    const recording = writeRecording(folder, { source: 'log', count: SHORT, stepMs: 100, seed: 6 });
    disk.fill(tooLittleFor(SHORT));
    const { hq, link, dataDir, start } = await startOn(disk, folder, recording, 'block');
    const { agent, status } = start();
    const held = await until(
      'sampling to be held',
      async () => {
        const now = await status();
        return now?.state === 'degraded' && now.journal?.disk === 'full' && now;
      },
      FILLED,
    );
    expect(held.troubles.map(({ what }) => what)).toContain('The disk of the journal');
    disk.fillUp();
    const waiting = await heldCounts(status);
    expect(waiting).toMatchObject({ pending: waiting.sampled, acked: 0, discarded: 0 });
    expect(waiting.sampled).toBeLessThan(SHORT);

    link.set({ kind: 'pass' });
    const begun = performance.now();
    await until('sampling to go on in the room of what was delivered', async () => {
      const now = await status();
      return (now?.journal?.sampled ?? 0) > waiting.sampled;
    });
    expectWithin(performance.now() - begun, DRAIN_MS);
    disk.free();
    await until('everything to be sampled and delivered', async () => {
      const now = await status();
      return now?.journal?.sampled === SHORT && now.journal.pending === 0 && now.state === 'live';
    });
    expect(existsSync(join(dataDir, 'reserve.bin'))).toBe(true);
    expect(await agent.end('SIGTERM')).toBe(0);
    const entry = await onlyEntry(hq.url);
    expect(entry).toMatchObject({ stored: SHORT, dropped: {}, gaps: [] });
    await expectEveryFate({ recording, hqUrl: hq.url, entry, journal: await journalStats(dataDir, built) });
  });

  it('keeps nothing of a small file that did not get onto it', () => {
    const disk = mountSmallDisk(temporaryFolder(), 64 * 1024);
    disk.fill(0);
    const inUse = { bootId: 'boot', uncleanEnds: 0, suspect: false, fruitless: 0 };
    expect(() => writeInUse(disk.path, inUse)).toThrow(
      `Cannot write ${join(disk.path, 'in-use.json')}: the disk is full. Free some space on it, or choose another data directory.`,
    );
    expect(readdirSync(disk.path)).toEqual(['filler']);
    disk.free();
    writeInUse(disk.path, inUse);
    expect(readInUse(disk.path)).toEqual(inUse);
  });

  it('is no obstacle to starting again after a crash, and to draining', async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(folder, DISK_BYTES);
    const recording = writeRecording(folder, { source: 'log', count: COUNT, stepMs: 100, seed: 4 });
    disk.fill(tooLittleFor(COUNT));
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
      return (now?.pipeline?.commit.committed ?? 0) > 20 && now?.state === 'degraded' && now;
    });
    expect(after).toMatchObject({ journal: { epoch: before.epoch, disk: 'full' } });
    link.set({ kind: 'pass' });
    await until('the backlog to be delivered', async () => {
      const now = await again.status();
      return now !== null && (now.journal?.acked ?? 0) > 1000 && (now.journal?.pending ?? 0) < 40;
    });
    expect(await again.agent.end('SIGTERM')).toBe(0);
    const entry = await onlyEntry(hq.url);
    const { overflow_oldest: oldest = 0, ...elsehow } = entry.dropped;
    expect(elsehow).toEqual({});
    expect(entry).toMatchObject({ epoch: before.epoch, pending: 0, stored: entry.sampled - oldest });
    expect(entry.stored).toBeGreaterThan(1000);
  });
});
