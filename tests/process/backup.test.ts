/** Copies of HQ's data directory: made while it runs, checked, and restored; and what becomes of what came after. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startAgentProcess } from '../support/agent.ts';
import { built, run, runToEnd } from '../support/holdfast.ts';
import { allSamples, getJson, ledgerOf, startHqProcess } from '../support/hq.ts';
import { canMount, mountSmallDisk } from '../support/small-disk.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const backup = (...args: readonly string[]) => runToEnd(['backup', ...args], built);
const storedAt = async (url: string, agent = 'edge') =>
  (await ledgerOf(url, agent).catch(() => [])).reduce((sum, entry) => sum + entry.stored, 0);
const logOf = async (url: string) =>
  z.object({ hq: z.string(), log: z.string() }).parse(await getJson(`${url}/healthz`));
const offsetSchema = z.object({ log: z.string(), number: z.number() });

/** HQ with samples of an agent; both have ended. */
async function usedDirectory(folder: string): Promise<string> {
  const directory = join(folder, 'hq');
  const hq = await startHqProcess(directory, built);
  const agent = startAgent(hq.url, folder);
  await until('samples', async () => (await storedAt(hq.url)) > 20);
  await agent.end('SIGTERM');
  await hq.end('SIGTERM');
  return directory;
}

const startAgent = (hq: string, folder: string) =>
  startAgentProcess({
    ...built,
    id: 'edge',
    hq,
    dataDir: join(folder, 'edge'),
    sources: ['sim:hz=50,sensors=2'],
    args: ['--uplink-backoff-initial-ms', '50', '--uplink-backoff-max-ms', '400'],
  });

describe('a backup that is restored', () => {
  it('is the same HQ in another life: agents send again what they have, the ledger names the rest', async () => {
    const folder = temporaryFolder();
    const directory = join(folder, 'hq');
    const hq = await startHqProcess(directory, built);
    const first = startAgent(hq.url, folder);
    await until('samples', async () => (await storedAt(hq.url)) > 50);

    const made = await backup('create', directory, join(folder, 'monday'), '--json');
    expect(made.stderr).toBe('');
    expect(made.code).toBe(0);
    expect(readdirSync(join(folder, 'monday')).sort()).toEqual(['backup.json', 'data.mdb']);
    const manifest = z
      .object({ hq: z.string(), log: offsetSchema, records: z.number() })
      .parse(JSON.parse(made.stdout));
    const before = await logOf(hq.url);
    expect([manifest.hq, manifest.log.log]).toEqual([before.hq, before.log]);
    expect((await backup('verify', join(folder, 'monday'))).code).toBe(0);

    const atBackup = await storedAt(hq.url);
    await until('more samples', async () => (await storedAt(hq.url)) > atBackup + 100);
    await first.end('SIGTERM');
    await hq.end('SIGTERM');

    const restored = await backup('restore', join(folder, 'monday'), join(folder, 'again'));
    expect(restored.stderr).toBe('');
    expect(restored.code).toBe(0);
    const again = await startHqProcess(join(folder, 'again'), built);
    const now = await logOf(again.url);
    expect(now.hq).toBe(before.hq);
    expect(now.log).not.toBe(before.log);
    const kept = await allSamples(again.url, 'edge');
    expect(kept.length).toBeGreaterThan(50);

    const second = startAgent(again.url, folder);
    await until('samples of after the restoring', async () => (await storedAt(again.url)) > kept.length + 20);
    await second.end('SIGTERM');
    const [ledger, ...others] = await ledgerOf(again.url, 'edge');
    expect(others).toEqual([]);
    const lost = ledger?.dropped.lost_at_hq ?? 0;
    expect(lost).toBeGreaterThan(0);
    expect(ledger).toMatchObject({ pending: 0, thinned: {}, dropped: { lost_at_hq: lost } });
    expect((ledger?.stored ?? 0) + lost).toBe(ledger?.sampled);
    const seqs = (await allSamples(again.url, 'edge')).map(({ seq }) => seq);
    expect(new Set(seqs).size).toBe(ledger?.stored);
    expect(seqs).toHaveLength(ledger?.stored ?? 0);

    const stats = await runToEnd(['journal', 'stats', join(folder, 'again'), '--json'], built);
    expect(JSON.parse(stats.stdout)).toMatchObject({
      hq: before.hq,
      log: { log: now.log, partition: 0 },
      restored: { from: manifest.log },
    });
  });

  it('moves aside what was there with --force, and leaves it alone without', async () => {
    const folder = temporaryFolder();
    const directory = await usedDirectory(folder);
    const target = join(folder, 'copy');
    expect((await backup('create', directory, target)).code).toBe(0);
    const old = readFileSync(join(directory, 'data.mdb'));

    const refused = await backup('restore', target, directory);
    expect([refused.code, refused.stderr]).toEqual([64, expect.stringContaining('--force')]);
    expect(readFileSync(join(directory, 'data.mdb')).equals(old)).toBe(true);

    const forced = await backup('restore', target, directory, '--force', '--json');
    expect(forced.code).toBe(0);
    const { aside } = z.object({ aside: z.string() }).parse(JSON.parse(forced.stdout));
    expect(readFileSync(join(aside, 'data.mdb')).equals(old)).toBe(true);
    const hq = await startHqProcess(directory, built);
    expect(await storedAt(hq.url)).toBeGreaterThan(20);
    const busy = await backup('restore', target, directory, '--force');
    expect([busy.code, busy.stderr]).toEqual([64, expect.stringContaining('in use by another process')]);
  });
});

describe('a backup', () => {
  it('is made by HQ itself where it is asked for one, with the token of an operator', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'backups'));
    writeFileSync(join(folder, 'token'), 'of-operators');
    const args = ['--backup-dir', join(folder, 'backups'), '--operator-token', 'of-operators'];
    const hq = await startHqProcess(join(folder, 'hq'), { args, ...built });
    const asking = ['create', 'monday', '--hq', hq.url];
    const refused = await backup(...asking);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--token-file')]);
    const token = ['--token-file', join(folder, 'token')];
    const made = await backup(...asking, ...token, '--json');
    expect([made.code, made.stderr]).toEqual([0, '']);
    expect(JSON.parse(made.stdout)).toMatchObject({ backup: 'monday', log: { partition: 0 } });
    expect((await backup('verify', join(folder, 'backups/monday'))).code).toBe(0);
    const again = await backup(...asking, ...token);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('there is a backup monday')]);
    expect(hq.stderr.some((line) => line.includes('"backup_ended"'))).toBe(true);
  });

  it('is refused where it cannot be one, with a word on what to do', async () => {
    const folder = temporaryFolder();
    const directory = await usedDirectory(folder);
    mkdirSync(join(folder, 'taken'));
    const cases = [
      { args: ['create', join(folder, 'edge'), join(folder, 'a')], says: "is not HQ's" },
      { args: ['create', join(folder, 'none'), join(folder, 'a')], says: 'There is no journal in' },
      { args: ['create', directory, join(folder, 'taken')], says: 'exists: choose a name' },
      { args: ['create', directory, join(folder, 'no/such/place')], says: 'make it first' },
      { args: ['create', directory, join(directory, 'inside')], says: 'lies in the data directory itself' },
      { args: ['verify', directory], says: 'is no backup' },
      { args: ['restore', directory, join(folder, 'b')], says: 'is no backup' },
    ];
    for (const { args, says } of cases) {
      const { code, stderr, stdout } = await backup(...args);
      expect([code, stdout], args.join(' ')).toEqual([64, '']);
      expect(stderr).toContain(says);
    }
    expect(readdirSync(folder).sort()).toEqual(['edge', 'hq', 'taken']);

    expect((await backup('create', directory, join(folder, 'good'))).code).toBe(0);
    const used = await runToEnd(['hq', '--port', '0', '--data-dir', join(folder, 'good')], built);
    expect([used.code, used.stderr]).toEqual([1, expect.stringContaining('holdfast backup restore')]);
  });

  it('that is not what was written is found out, and never restored', async () => {
    const folder = temporaryFolder();
    const directory = await usedDirectory(folder);
    const good = join(folder, 'good');
    expect((await backup('create', directory, good)).code).toBe(0);
    const bytes = readFileSync(join(good, 'data.mdb'));
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8((flipped.at(-100) ?? 0) ^ 1, flipped.length - 100);
    const manifest: object = JSON.parse(readFileSync(join(good, 'backup.json'), 'utf8'));
    const damages: Readonly<Record<string, { file: string; content: string | Buffer; says: string }>> = {
      flipped: { file: 'data.mdb', content: flipped, says: 'SHA-256' },
      cut: { file: 'data.mdb', content: bytes.subarray(0, bytes.length - 4096), says: 'bytes, and had' },
      'cut-manifest': { file: 'backup.json', content: '{"format":1,', says: 'cannot be read' },
      'empty-manifest': { file: 'backup.json', content: '{}', says: 'is not what a backup has there' },
      'other-manifest': {
        file: 'backup.json',
        content: JSON.stringify({ ...manifest, hq: '0123456789abcdef' }),
        says: 'another HQ',
      },
      'newer-manifest': { file: 'backup.json', content: '{"format":7}', says: 'Use the newer version' },
    };
    for (const [name, { file, content, says }] of Object.entries(damages)) {
      const path = join(folder, name);
      cpSync(good, path, { recursive: true });
      writeFileSync(join(path, file), content);
      const verified = await backup('verify', path);
      expect(verified.code, name).not.toBe(0);
      expect(verified.stderr).toContain(says);
      const restored = await backup('restore', path, join(folder, 'never'));
      expect([restored.code, restored.stderr]).toEqual([verified.code, verified.stderr]);
      expect(existsSync(join(folder, 'never'))).toBe(false);
    }
  });

  it('that was killed leaves nothing with its name, and the next one tidies up', async () => {
    const folder = temporaryFolder();
    const directory = await usedDirectory(folder);
    mkdirSync(join(folder, 'backups'));
    const killed = run(['backup', 'create', directory, join(folder, 'backups/monday')], built);
    const unfinished = join(folder, 'backups/monday.holdfast-unfinished');
    await until('it to be at work', async () => existsSync(unfinished));
    expect(await killed.end('SIGKILL')).toBe('SIGKILL');
    expect(readdirSync(join(folder, 'backups'))).toEqual(['monday.holdfast-unfinished']);
    expect((await backup('verify', unfinished)).code).toBe(64);
    expect((await backup('restore', unfinished, join(folder, 'never'))).code).toBe(64);
    expect((await backup('create', directory, join(folder, 'backups/tuesday'))).code).toBe(0);
    expect(readdirSync(join(folder, 'backups'))).toEqual(['tuesday']);
  });

  it.skipIf(!canMount)('finds no room on a small disk, and says how much it takes', async () => {
    const folder = temporaryFolder();
    const directory = await usedDirectory(folder);
    const disk = mountSmallDisk(folder, 512 * 1024);
    const { code, stderr } = await backup('create', directory, join(disk.path, 'copy'));
    expect([code, stderr]).toEqual([1, expect.stringContaining('Free some space')]);
    expect(readdirSync(disk.path)).toEqual([]);
  });
});
