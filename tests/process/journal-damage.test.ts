import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { journalStats } from '../../src/journal/inspect/inspect.ts';
import { verifyJournal } from '../../src/journal/inspect/verify-journal.ts';
import { openJournal } from '../../src/journal/journal.ts';
import type { Journal } from '../../src/journal/port.ts';
import { SEQ_SAFETY_SKIP } from '../../src/journal/recovery/recovery.ts';
import { allPending, expectExactLedger } from '../../src/journal/testing/pending.ts';
import { noisySamples } from '../../src/journal/testing/test-samples.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { writeInUse } from '../../src/storage/directory/data-directory.ts';
import {
  checkMetaPages,
  PAGE_FLAG,
  readAt,
  readBranch,
  readLeaf,
  readPageHeader,
} from '../../src/storage/lmdb/lmdb-file.ts';
import { type LmdbStorage, openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';
import type { Damage } from '../../src/storage/storage.ts';
import { until } from '../support/wait.ts';

const clock = createSystemClock();
const PAGE = 4096;
const SAMPLED = 600;

describe('a damaged data file', () => {
  let directory: string;
  let file: string;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-damage-'));
    file = join(directory, 'data.mdb');
    const { journal } = await open();
    // 100 frames of some 600 bytes: a few on each page.
    for (let n = 1; n <= SAMPLED; n += 6) await lastValueFrom(journal.append(noisySamples(n, 6)));
    await close(journal);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const open = async (
    bootId = clock.bootId,
  ): Promise<{ storage: LmdbStorage; journal: Journal; damage: Damage[] }> => {
    const storage = await lastValueFrom(openLmdbStorage({ directory, clock: { ...clock, bootId } }));
    const damage: Damage[] = [];
    storage.damage$.subscribe((one) => damage.push(one));
    const options = { storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 24 } as const;
    return { storage, damage, journal: await lastValueFrom(openJournal(options)) };
  };
  const close = (journal: Journal) => lastValueFrom(journal.close(), { defaultValue: undefined });
  const overwrite = (page: number, bytes: Uint8Array) => {
    const fd = openSync(file, 'r+');
    writeSync(fd, bytes, 0, bytes.length, page * PAGE);
    closeSync(fd);
  };
  const random = seededRandom(7);
  const noise = () => Uint8Array.from({ length: PAGE }, () => Math.floor(random.next() * 256));
  /** Whatever happened: it starts, tells, keeps the ledger exact, samples on, and starts again without complaint. */
  const expectRecovery = async (recovered: { atLeast: number }) => {
    const { journal, damage } = await open('another boot');
    expect(damage[0]).toMatchObject({ what: 'file' });
    expect(damage[0]?.quarantine).toContain('quarantine-');
    expect(readdirSync(directory).filter((name) => name.startsWith('quarantine-'))).toHaveLength(1);
    const stats = journal.stats();
    expectExactLedger(stats);
    expect(stats.pending).toBeGreaterThanOrEqual(recovered.atLeast);
    const frames = await allPending(journal);
    expect(frames.at(-1)?.lastSeq ?? 0).toBe(stats.sampled);
    const { frame } = await lastValueFrom(journal.append(noisySamples(1, 1)));
    expect(frame.firstSeq).toBeGreaterThan(recovered.atLeast > 0 ? SAMPLED : 0);
    const { epoch } = journal;
    await close(journal);
    const again = await open();
    expect(again.damage).toEqual([]);
    expect(again.journal.epoch).toBe(epoch);
    expect(again.journal.stats().pending).toBe(stats.pending + 1);
    await close(again.journal);
  };

  /** Behind it the file holds nothing yet. */
  const lastPage = () => {
    const fd = openSync(file, 'r');
    const check = checkMetaPages(fd);
    closeSync(fd);
    return check.kind === 'good' ? check.meta.lastPage : 0;
  };

  it.each([
    ['the first meta page zeroed', () => overwrite(0, new Uint8Array(PAGE)), 594],
    ['the second meta page zeroed', () => overwrite(1, new Uint8Array(PAGE)), 594],
    ['both meta pages zeroed', () => overwrite(0, new Uint8Array(2 * PAGE)), 600],
    ['random meta pages', () => [0, 1].map((page) => overwrite(page, noise())), 600],
    ['the end cut off', () => truncateSync(file, Math.floor(lastPage() / 2) * PAGE), 1],
    [
      'nothing but noise',
      () => [...Array(statSync(file).size / PAGE).keys()].map((page) => overwrite(page, noise())),
      0,
    ],
  ])('starts with %s', async (_name, damage, atLeast) => {
    damage();
    await expectRecovery({ atLeast });
  });

  it.each(['before', 'while', 'after'] as const)(
    'is not lost when its rescuer is killed %s it writes',
    async (moment) => {
      overwrite(1, new Uint8Array(PAGE));
      const script = fileURLToPath(new URL('./journal-child.ts', import.meta.url));
      const rescuer = spawn(process.execPath, [script, 'hold', directory], { stdio: 'ignore' });
      const ended = new Promise((resolve) => rescuer.on('exit', resolve));
      onTestFinished(() => void rescuer.kill('SIGKILL'));
      const has = (prefix: string) => readdirSync(directory).some((name) => name.startsWith(prefix));
      const hasBegun = {
        before: () => filesOf(rescuer.pid).includes(join(directory, 'lock.sqlite')),
        while: () => has('salvaged-'),
        after: () => has('quarantine-'),
      };
      await until(`the rescuer to come to the moment ${moment} it writes`, hasBegun[moment], { everyMs: 1 });
      rescuer.kill('SIGKILL');
      await ended;
      const { journal } = await open();
      expect(journal.stats().pending).toBeGreaterThanOrEqual(594);
      expectExactLedger(journal.stats());
      expect((await allPending(journal)).length).toBeGreaterThan(90);
      await close(journal);
      await until('the orphaned salvage to be gone', () => !has('salvaged-'));
    },
  );

  it('keeps its count of samples however often its users end before their first commit', async () => {
    for (const fruitless of [1, 2, 3]) {
      writeInUse(directory, { bootId: clock.bootId, uncleanEnds: 2, suspect: false, fruitless });
      const { journal, damage } = await open();
      expect(damage).toEqual([]);
      expect(journal.stats()).toMatchObject({ sampled: SAMPLED, pending: SAMPLED, dropped: {} });
      await close(journal);
    }
    expect(readdirSync(directory).filter((name) => name.startsWith('quarantine-'))).toEqual([]);
  });

  it('loses no more than what lay on one bad page', async () => {
    // An unclean end on an earlier boot makes the next start look through the file.
    const before = await open('an earlier boot');
    const victim = leafPages(file).at(-3) ?? 0;
    overwrite(victim, noise());
    await close(before.journal).catch(() => {});
    writeInUse(directory, { bootId: 'an earlier boot', uncleanEnds: 0, suspect: false, fruitless: 0 });
    const { journal, damage } = await open();
    expect(damage[0]).toMatchObject({ what: 'file' });
    const stats = journal.stats();
    expectExactLedger(stats);
    expect(stats.sampled).toBe(SAMPLED + SEQ_SAFETY_SKIP);
    expect(stats.pending).toBeGreaterThan(SAMPLED - 60);
    expect(stats.pending).toBeLessThan(SAMPLED);
    await close(journal);
  });

  it('gets over a page that went bad under an unchanged boot, even one that ends its reader', () => {
    overwrite(leafPages(file).at(-3) ?? 0, noise());
    const script = fileURLToPath(new URL('./journal-child.ts', import.meta.url));
    let starts = 0;
    const recovered = () => readdirSync(directory).some((name) => name.startsWith('quarantine-'));
    for (; starts < 4 && !recovered(); starts += 1) {
      spawnSync(process.execPath, [script, 'read', directory], { stdio: 'ignore' });
    }
    expect(recovered()).toBe(true);
    const last = spawnSync(process.execPath, [script, 'read', directory], { encoding: 'utf8' });
    expect(last.stdout).toMatch(/^read [89]\d$/m);
  });

  const restart = (): string => {
    const script = fileURLToPath(new URL('./journal-child.ts', import.meta.url));
    for (let starts = 0; starts < 3; starts += 1) {
      const { stdout } = spawnSync(process.execPath, [script, 'read', directory], { encoding: 'utf8' });
      if (/^read \d+$/m.test(stdout)) return 'samples';
    }
    return 'ends on every start';
  };
  const frameTexts = async () => {
    const { journal } = await open();
    const frames = (await allPending(journal)).filter(({ lastSeq }) => lastSeq <= SAMPLED);
    const { epoch } = journal;
    await close(journal);
    return frames
      .filter(({ kind }) => kind === 'data')
      .map(({ firstSeq, bytes }) => `${epoch} ${firstSeq} ${Buffer.from(bytes).toString('hex')}`);
  };

  it.each([
    ['5 flipped bytes', 5, 1],
    ['60 flipped bytes', 60, 1],
    ['3 zeroed pages', 3, PAGE],
  ])('starts and accepts nothing wrong with %s', async (_name, places, length) => {
    const original = new Set(await frameTexts());
    const [bytes, chance] = [readFileSync(file), seededRandom(places)];
    for (let seed = 0; seed < 4; seed += 1) {
      const damaged = Buffer.from(bytes);
      for (let place = 0; place < places; place += 1) {
        const at = 2 * PAGE + Math.floor(chance.next() * (bytes.length - 2 * PAGE));
        if (length === 1) damaged[at] = 255 - (bytes[at] ?? 0);
        else damaged.fill(0, at - (at % PAGE), at - (at % PAGE) + PAGE);
      }
      writeFileSync(file, damaged);
      expect(restart()).toBe('samples');
      const found = await frameTexts();
      if (found[0]?.split(' ')[0] === [...original][0]?.split(' ')[0])
        expect(found.filter((frame) => !original.has(frame))).toEqual([]);
    }
  });

  // Reading is fine then; it is the first commit that takes pages from the list.
  it('starts when only the list of free pages is damaged, and says so when asked about it', async () => {
    const fd = openSync(file, 'r');
    const check = checkMetaPages(fd);
    const root = check.kind === 'good' ? (check.meta.freeRoot ?? 0) : 0;
    const page = readAt(fd, root * PAGE, PAGE) ?? Buffer.alloc(PAGE);
    closeSync(fd);
    const entries = readLeaf(page).nodes.flatMap(({ value }) => (typeof value === 'number' ? [] : [value]));
    for (const value of entries) value.fill(0x77, 8);
    expect(entries.length).toBeGreaterThan(0);
    overwrite(root, page);
    expect(() => journalStats(directory)).toThrow('is damaged');
    expect(await lastValueFrom(verifyJournal(directory))).toMatchObject({ ok: false });
    expect(restart()).toBe('samples');
    expect(await frameTexts()).toHaveLength(SAMPLED / 6);
  });
});

/** Numbers of the leaf pages of the tree as last committed, in key order. */
function leafPages(file: string): number[] {
  const fd = openSync(file, 'r');
  try {
    const check = checkMetaPages(fd);
    const root = check.kind === 'good' ? check.meta.mainRoot : null;
    return root === null ? [] : leavesBelow(fd, root);
  } finally {
    closeSync(fd);
  }
}

function leavesBelow(fd: number, number: number): number[] {
  const page = readAt(fd, number * PAGE, PAGE) ?? Buffer.alloc(PAGE);
  const flags = readPageHeader(page, number)?.flags ?? 0;
  return flags === PAGE_FLAG.leaf ? [number] : readBranch(page).flatMap((child) => leavesBelow(fd, child));
}

/** What a process has open; to look does not touch the files. */
function filesOf(pid: number | undefined): readonly string[] {
  const fds = `/proc/${pid}/fd`;
  try {
    return readdirSync(fds).map((fd) => readlinkSync(join(fds, fd)));
  } catch {
    // It was just about to open or close one.
    return [];
  }
}
