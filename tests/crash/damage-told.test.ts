/** Damage of an agent's journal, told everywhere: the agent's own page, HQ's ledger, the dashboard. */
import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PAGE_FLAG, readPageHeader } from '../../src/storage/lmdb/lmdb-file.ts';
import { agentStatus, journalStats, startAgentProcess } from '../support/agent.ts';
import { browse, buildDashboard, canBrowse } from '../support/chromium.ts';
import { built } from '../support/holdfast.ts';
import { allSamples, ledgerOf, startHqProcess, summaryOf } from '../support/hq.ts';
import { writeRecording } from '../support/recording.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const PAGE = 4096;
const COUNT = 20_000;
const NOWHERE = 'http://127.0.0.1:1';

/**
 * Flips one bit in the middle of each run of pages that holds one large frame, every third of them. Returns how many.
 */
function damageFrames(file: string): number {
  const fd = openSync(file, 'r+');
  try {
    const page = Buffer.alloc(PAGE);
    let runs = 0;
    let damaged = 0;
    for (let number = 2; number < statSync(file).size / PAGE; number += 1) {
      readSync(fd, page, 0, PAGE, number * PAGE);
      const header = readPageHeader(page, number);
      if (header === null || (header.flags & PAGE_FLAG.overflow) === 0) continue;
      runs += 1;
      if (runs % 3 !== 1) continue;
      writeSync(fd, Buffer.of((page[PAGE / 2] ?? 0) ^ 1), 0, 1, number * PAGE + PAGE / 2);
      damaged += 1;
    }
    return damaged;
  } finally {
    closeSync(fd);
  }
}

describe.skipIf(!canBrowse)(canBrowse ? 'damage of a journal' : 'skipped: needs chromium', () => {
  it("is on the agent's page, in HQ's ledger and on the dashboard, seq for seq", async () => {
    const folder = temporaryFolder();
    const dataDir = join(folder, 'edge');
    const recording = writeRecording(folder, { source: 'log', count: COUNT, stepMs: 100, seed: 5 });
    const source = `csv:path=${recording.path},name=log,speed=max`;
    const first = startAgentProcess({ id: 'edge', hq: NOWHERE, dataDir, sources: [source], ...built });
    await until(
      'everything to be sampled',
      async () => (await agentStatus(first))?.journal?.sampled === COUNT,
    );
    expect(await first.end('SIGTERM')).toBe(0);
    const before = await journalStats(dataDir, built);
    expect(damageFrames(join(dataDir, 'data.mdb'))).toBeGreaterThan(0);

    await buildDashboard(join(folder, 'dashboard'));
    const hq = await startHqProcess(join(folder, 'hq'), {
      args: ['--dashboard-dir', join(folder, 'dashboard')],
    });
    const agent = startAgentProcess({
      id: 'edge',
      hq: hq.url,
      dataDir,
      sources: ['sim:hz=1,sensors=1'],
      ...built,
    });
    await until('the backlog to be delivered', async () => {
      const summary = await summaryOf(hq.url, 'edge');
      const [entry] = await ledgerOf(hq.url, 'edge');
      return summary.state === 'live' && (entry?.contiguous ?? 0) > COUNT;
    });
    const status = await agentStatus(agent);
    expect(status?.troubles.map(({ what }) => what)).toContain('Part of the journal could not be trusted');
    expect(agent.stderr.some((line) => line.includes('"event":"journal_damaged"'))).toBe(true);
    expect(await agent.end('SIGTERM')).toBe(0);

    const [entry, ...others] = await ledgerOf(hq.url, 'edge');
    if (entry === undefined) throw new Error('HQ has no ledger of the agent');
    expect(others).toEqual([]);
    const damaged = entry.dropped.damaged ?? 0;
    expect(damaged).toBeGreaterThan(0);
    expect(damaged).toBeLessThan(COUNT);
    expect(entry).toMatchObject({ epoch: before.epoch, pending: 0, dropped: { damaged } });
    expect(entry.stored + damaged).toBe(entry.sampled);
    const inGaps = entry.gaps.reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq - firstSeq + 1, 0);
    expect(entry.gaps.every(({ reason }) => reason === 'damaged')).toBe(true);
    expect(inGaps).toBe(damaged);
    expect((await journalStats(dataDir, built)).dropped).toEqual({ damaged });

    // Nothing of a damaged frame is believed, and nothing of another is missing.
    const seqs = new Set<number>();
    for (const { seq, values } of await allSamples(hq.url, 'edge')) {
      seqs.add(seq);
      const row = seq > COUNT ? {} : (recording.rows[seq - 1] ?? {});
      for (const [name, value] of Object.entries(row)) expect(values[name]).toBe(value);
    }
    for (const { firstSeq, lastSeq } of entry.gaps) {
      for (let seq = firstSeq; seq <= lastSeq; seq += 1) expect(seqs.has(seq)).toBe(false);
    }
    expect(seqs.size).toBe(entry.stored);

    const { page, shoot } = await browse();
    await page.goto(hq.url);
    await page.getByRole('link', { name: 'edge' }).click();
    const ledger = page.locator('section[aria-labelledby=ledger-title]');
    await ledger.getByText(`${damaged.toLocaleString('en-US')} damaged`).waitFor();
    await ledger.getByText('holds', { exact: true }).waitFor();
    await shoot('damaged');
  });
});
