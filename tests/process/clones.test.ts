/** Two agents of one id, copies of a journal, and an HQ restored from a backup, with real processes. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { LEDGER_KEY } from '../../src/journal/keys.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';
import { agentMetrics, agentStatus, impatient, journalStats, startAgentProcess } from '../support/agent.ts';
import { built, type Running } from '../support/holdfast.ts';
import { allSamples, ledgerOf, startHqProcess, summaryOf } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const start = (hq: string, dataDir: string, args: readonly string[] = [], id = 'edge') =>
  startAgentProcess({
    id,
    hq,
    dataDir,
    sources: ['sim:hz=20,sensors=2,seed=1,faults=false'],
    args: [...impatient, ...args],
    ...built,
  });
const told = (process: Running, event: string) =>
  process.stderr.some((line) => line.includes(`"event":"${event}"`));
const storedOf = async (url: string) =>
  (await ledgerOf(url, 'edge')).reduce((sum, { stored }) => sum + stored, 0);
const metricsOf = async (url: string) => (await fetch(`${url}/metrics`)).text();
const more = (url: string, than: number) => async () => (await storedOf(url)) > than;

describe('two agents with one id', () => {
  it('are both told, the second is refused, and operators see an alarm', async () => {
    const folder = temporaryFolder();
    const hq = await startHqProcess(join(folder, 'hq'), built);
    const first = start(hq.url, join(folder, 'first'));
    await until('the first to deliver', more(hq.url, 0));
    const second = start(hq.url, join(folder, 'second'));
    await until('the first to be told', () => told(first, 'duplicate_agent'));
    await until('the second to be told', () =>
      second.stderr.some((line) => line.includes('duplicate_agent') && line.includes('--new-epoch')),
    );
    expect(told(hq, 'duplicate_agent')).toBe(true);
    const { alarm, connected } = await summaryOf(hq.url, 'edge');
    expect(connected).toBe(true);
    expect(alarm).toMatchObject({ kind: 'duplicate_agent', detail: expect.stringContaining('edge') });
    const metrics = await metricsOf(hq.url);
    expect(metrics).toMatch(/holdfast_hq_duplicate_agents_total\{agent="edge"\} [1-9]/);
    // What the second one measures stays with it.
    const status = await until('the second to sample', async () => {
      const now = await agentStatus(second);
      return (now?.journal?.sampled ?? 0) > 0 && now;
    });
    expect(status.journal?.pending).toBe(status.journal?.sampled);
  });
});

describe('a copy of a journal', () => {
  it('that comes back as an earlier state begins a new epoch by itself, and nothing of it is lost', async () => {
    const folder = temporaryFolder();
    const hq = await startHqProcess(join(folder, 'hq'), built);
    const [dataDir, copy] = [join(folder, 'edge'), join(folder, 'copy')];
    const young = start(hq.url, dataDir);
    await until('something to be stored', more(hq.url, 20));
    expect(await young.end('SIGTERM')).toBe(0);
    cpSync(dataDir, copy, { recursive: true });
    const old = start(hq.url, dataDir);
    const before = await storedOf(hq.url);
    await until('the original to deliver beyond its copy', more(hq.url, before + 20));
    expect(await old.end('SIGTERM')).toBe(0);
    const original = await ledgerOf(hq.url, 'edge');
    expect(original).toHaveLength(1);

    const restored = start(hq.url, copy);
    await until('it to notice', () => told(restored, 'epoch_forked'));
    await until('a second epoch', async () =>
      (await ledgerOf(hq.url, 'edge')).some(
        ({ epoch, stored }) => epoch !== original[0]?.epoch && stored > 20,
      ),
    );
    expect(await restored.end('SIGTERM')).toBe(0);
    const kept = await journalStats(copy, built);
    const ledgers = await ledgerOf(hq.url, 'edge');
    expect(ledgers).toHaveLength(2);
    expect(ledgers.find(({ epoch }) => epoch === original[0]?.epoch)).toEqual(original[0]);
    expect(ledgers.find(({ epoch }) => epoch === kept.epoch)).toMatchObject({
      sampled: kept.sampled,
      stored: kept.sampled,
      pending: 0,
      dropped: {},
    });
  });

  it('under a name of its own gets an epoch of its own too, keeps what is pending, and nothing counts as lost', async () => {
    const folder = temporaryFolder();
    const [hqDir, dataDir, copy] = [join(folder, 'hq'), join(folder, 'edge'), join(folder, 'copy')];
    const first = await startHqProcess(hqDir, built);
    const original = start(first.url, dataDir);
    await until('something to be stored', more(first.url, 20));
    expect(await first.end('SIGTERM')).toBe(0);
    await until('something to be pending', async () => {
      const now = await agentStatus(original);
      return (now?.journal?.pending ?? 0) > 20;
    });
    expect(await original.end('SIGTERM')).toBe(0);
    cpSync(dataDir, copy, { recursive: true });
    const copied = await journalStats(copy, built);
    expect(copied.pending).toBeGreaterThan(20);

    const hq = await startHqProcess(hqDir, built);
    const other = start(hq.url, copy, [], 'other');
    await until('it to notice', () => told(other, 'epoch_forked'));
    await until('the copy to deliver all it had, and more', async () => {
      const ledger = await ledgerOf(hq.url, 'other').catch(() => []);
      return (ledger[0]?.stored ?? 0) > copied.pending + 20;
    });
    expect(told(hq, 'forked_epoch')).toBe(true);
    expect((await summaryOf(hq.url, 'other')).alarm).toMatchObject({ kind: 'forked_epoch' });
    expect(await other.end('SIGTERM')).toBe(0);
    const kept = await journalStats(copy, built);
    expect(kept.epoch).not.toBe(copied.epoch);
    expect(await ledgerOf(hq.url, 'other')).toMatchObject([
      { epoch: kept.epoch, sampled: kept.sampled, stored: kept.sampled, pending: 0, dropped: {} },
    ]);

    // The original goes on in its epoch, and delivers what it has of it.
    const again = start(hq.url, dataDir);
    await until('the original to deliver all it had, and more', more(hq.url, copied.sampled + 20));
    expect(await again.end('SIGTERM')).toBe(0);
    expect(told(again, 'epoch_forked')).toBe(false);
    const { sampled } = await journalStats(dataDir, built);
    expect(await ledgerOf(hq.url, 'edge')).toMatchObject([
      { epoch: copied.epoch, sampled, stored: sampled, pending: 0, dropped: {} },
    ]);
    for (const line of [...other.stderr, ...again.stderr]) expect(line).not.toContain('lost_at_hq');
    expect(told(hq, 'lost_at_hq')).toBe(false);
  });

  it('is given its own life by --new-epoch, with all that it had not delivered', async () => {
    const folder = temporaryFolder();
    const dataDir = join(folder, 'edge');
    const alone = start('http://127.0.0.1:9', dataDir);
    await until('it to sample', async () => ((await agentStatus(alone))?.journal?.sampled ?? 0) > 20);
    expect(await alone.end('SIGTERM')).toBe(0);
    const before = await journalStats(dataDir, built);
    const hq = await startHqProcess(join(folder, 'hq'), built);
    const clone = start(hq.url, dataDir, ['--new-epoch']);
    await until('all of it at HQ', more(hq.url, before.sampled));
    expect(await clone.end('SIGTERM')).toBe(0);
    const after = await journalStats(dataDir, built);
    expect(after.epoch).not.toBe(before.epoch);
    expect(await ledgerOf(hq.url, 'edge')).toMatchObject([
      { epoch: after.epoch, sampled: after.sampled, stored: after.sampled, pending: 0 },
    ]);
  });
});

describe('an HQ restored from a backup', () => {
  it('gets again what agents still have, and accounts the rest as lost at HQ', async () => {
    const folder = temporaryFolder();
    const [hqDir, backup, dataDir] = [join(folder, 'hq'), join(folder, 'backup'), join(folder, 'edge')];
    let hq = await startHqProcess(hqDir, built);
    const agent = start(hq.url, dataDir);
    await until('something to be stored', more(hq.url, 20));
    const { port } = new URL(hq.url);
    expect(await hq.end('SIGTERM')).toBe(0);
    cpSync(hqDir, backup, { recursive: true });
    hq = await startHqProcess(hqDir, { port: Number(port), ...built });
    const backedUp = await storedOf(hq.url);
    await until('more than the backup has', more(hq.url, backedUp + 40));
    expect(await hq.end('SIGTERM')).toBe(0);
    rmSync(hqDir, { recursive: true });
    cpSync(backup, hqDir, { recursive: true });

    hq = await startHqProcess(hqDir, { port: Number(port), ...built });
    await until('the agent to deliver again', more(hq.url, backedUp + 20));
    await until('it to have caught up', async () => (await agentStatus(agent))?.state === 'live');
    const counted = await agentMetrics(agent);
    expect(await agent.end('SIGTERM')).toBe(0);
    const kept = await journalStats(dataDir, built);
    const [ledger] = await ledgerOf(hq.url, 'edge');
    expect(ledger?.sampled).toBe(kept.sampled);
    expect(ledger?.pending).toBe(0);
    expect(ledger?.dropped.lost_at_hq).toBeGreaterThan(0);
    expect((await summaryOf(hq.url, 'edge')).alarm).toMatchObject({ kind: 'lost_at_hq' });
    expect(counted).toContain(`holdfast_agent_lost_at_hq_samples_total ${ledger?.dropped.lost_at_hq}\n`);
    const metrics = await metricsOf(hq.url);
    expect(metrics).toContain(`holdfast_hq_lost_samples_total{agent="edge"} ${ledger?.dropped.lost_at_hq}`);
    expect((ledger?.stored ?? 0) + (ledger?.dropped.lost_at_hq ?? 0)).toBe(kept.sampled);
    // It is told once, so HQ must not forget it.
    const { alarm } = await summaryOf(hq.url, 'edge');
    await hq.end('SIGKILL');
    hq = await startHqProcess(hqDir, { port: Number(port), ...built });
    expect((await summaryOf(hq.url, 'edge')).alarm).toEqual(alarm);
    expect(await metricsOf(hq.url)).toContain('holdfast_hq_alarms{kind="lost_at_hq"} 1\n');
    const samples = await allSamples(hq.url, 'edge');
    expect(samples).toHaveLength(ledger?.stored ?? -1);
    expect(new Set(samples.map(({ seq }) => seq)).size).toBe(samples.length);
    expect(ledger?.gaps.map(({ reason }) => reason)).toEqual(['lost_at_hq']);
    for (const { lastSeq, toTs } of ledger?.gaps ?? []) {
      const behind = samples.filter(({ seq }) => seq > lastSeq).map(({ ts }) => ts);
      expect(toTs).toBe(Math.min(...behind));
    }
  });

  it('takes the next process of an agent for what it is, also when the one before had to accept it again', async () => {
    const folder = temporaryFolder();
    const [hqDir, dataDir] = [join(folder, 'hq'), join(folder, 'edge')];
    let hq = await startHqProcess(hqDir, built);
    const { port } = new URL(hq.url);
    const agent = start(hq.url, dataDir);
    await until('something to be stored', more(hq.url, 20));
    expect(await hq.end('SIGTERM')).toBe(0);
    // Its store is gone; without its identity it would be another HQ, which the agent refuses.
    const identity = readFileSync(join(hqDir, 'identity.json'));
    rmSync(hqDir, { recursive: true });
    mkdirSync(hqDir);
    writeFileSync(join(hqDir, 'identity.json'), identity);
    hq = await startHqProcess(hqDir, { port: Number(port), ...built });
    const known = async () => (await storedOf(hq.url).catch(() => 0)) > 20;
    await until('it to deliver to the HQ that knows nothing', known);
    expect(await agent.end('SIGTERM')).toBe(0);

    const next = start(hq.url, dataDir);
    await until('the next one to deliver', more(hq.url, await storedOf(hq.url)));
    expect(await next.end('SIGTERM')).toBe(0);
    expect(told(hq, 'forked_epoch')).toBe(false);
    const kept = await journalStats(dataDir, built);
    expect(await ledgerOf(hq.url, 'edge')).toMatchObject([{ epoch: kept.epoch, pending: kept.pending }]);
  });
});

describe('a journal that lost its ledger after it had delivered', () => {
  it('begins a new epoch with what is pending, and is called damaged, not a copy', async () => {
    const folder = temporaryFolder();
    const [hqDir, dataDir] = [join(folder, 'hq'), join(folder, 'edge')];
    let hq = await startHqProcess(hqDir, built);
    const { port } = new URL(hq.url);
    const agent = start(hq.url, dataDir);
    await until('something to be stored', more(hq.url, 20));
    expect(await hq.end('SIGTERM')).toBe(0);
    const pending = async () => (await agentStatus(agent))?.journal?.pending ?? 0;
    await until('something to be pending', async () => (await pending()) > 20);
    expect(await agent.end('SIGTERM')).toBe(0);
    const before = await journalStats(dataDir, built);
    const options = { directory: dataDir, clock: createSystemClock() };
    const storage = await lastValueFrom(openLmdbStorage(options));
    await lastValueFrom(storage.commit((writer) => writer.remove(LEDGER_KEY)));
    await lastValueFrom(storage.close(), { defaultValue: undefined });

    hq = await startHqProcess(hqDir, { port: Number(port), ...built });
    const mended = start(hq.url, dataDir);
    await until('operators to be told', () => told(hq, 'forked_epoch'));
    await until('what was pending, and more, to be stored', more(hq.url, before.sampled));
    const { alarm } = await summaryOf(hq.url, 'edge');
    expect(alarm).toMatchObject({ kind: 'forked_epoch', detail: expect.stringContaining('was damaged') });
    expect(alarm?.detail).not.toContain('copy');
    expect(mended.stderr.find((line) => line.includes('"epoch_forked"'))).toContain('has lost its ledger');
    expect(await mended.end('SIGTERM')).toBe(0);
    const epochs = await ledgerOf(hq.url, 'edge');
    expect(epochs).toHaveLength(2);
    const old = epochs.find(({ epoch }) => epoch === before.epoch);
    const renewed = epochs.find(({ epoch }) => epoch !== before.epoch);
    expect(old).toMatchObject({ stored: before.sampled - before.pending });
    expect(renewed).toMatchObject({ pending: 0 });
    expect(renewed?.stored).toBeGreaterThan(before.pending);
  });
});
