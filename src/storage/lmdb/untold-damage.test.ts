/** A process may end between the moment in which it moved a file aside and that in which it told of it. */
import { readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../tests/support/temporary.ts';
import { createSystemClock } from '../../platform/clock.ts';
import { DAMAGE_FILE } from '../directory/damage-note.ts';
import { readInUse } from '../directory/data-directory.ts';
import type { Damage, Storage } from '../storage.ts';
import { inspectFile } from './inspect-file.ts';
import { openLmdbStorage } from './lmdb-storage.ts';

const clock = createSystemClock();
const open = (directory: string) => lastValueFrom(openLmdbStorage({ directory, clock, role: 'agent' }));
const close = (storage: Storage) => lastValueFrom(storage.close(), { defaultValue: undefined });
const put = (storage: Storage, key: string) =>
  lastValueFrom(storage.commit((writer) => writer.put(Buffer.from(key), Buffer.from('1'))));

/** As far as a process comes that ends before it opens the file. */
const inspect = (directory: string) =>
  lastValueFrom(
    inspectFile({
      ...{ directory, before: readInUse(directory), bootId: clock.bootId, now: clock.now(), clock },
      budgetMs: 20_000,
    }),
  );

async function toldAt(directory: string, then: (storage: Storage) => Promise<unknown> = async () => {}) {
  const storage = await open(directory);
  const told: Damage[] = [];
  storage.damage$.subscribe((damage) => told.push(damage));
  await then(storage);
  await close(storage);
  return told;
}

async function usedDirectory(): Promise<string> {
  const directory = temporaryFolder();
  const storage = await open(directory);
  for (let n = 0; n < 50; n += 1) await put(storage, `key ${n}`);
  await close(storage);
  return directory;
}

const RUINS: Readonly<Record<string, (file: string) => void>> = {
  'of which nothing could be salvaged': (file) => writeFileSync(file, Buffer.alloc(100_000, 7)),
  'that was cut off': (file) => truncateSync(file, 8192),
  'that is gone': (file) => renameSync(file, `${file}.elsewhere`),
  'that was emptied': (file) => truncateSync(file, 0),
};

describe.each(Object.entries(RUINS))('a data file %s', (_, ruin) => {
  it('is told by the next start, until a commit, when the one that saw it was killed', async () => {
    const directory = await usedDirectory();
    ruin(join(directory, 'data.mdb'));
    const { damage } = await inspect(directory);
    expect(damage).toHaveLength(1);
    const [found] = damage;
    if (found?.quarantine != null) expect(readdirSync(directory).join()).toContain('quarantine-');

    // Opened, and killed before anybody was told: the new file says nothing.
    const alike = expect.objectContaining({ what: found?.what, quarantine: found?.quarantine ?? null });
    expect(await toldAt(directory)).toContainEqual(alike);
    expect(await toldAt(directory, (storage) => put(storage, 'new'))).toContainEqual(alike);
    expect(readdirSync(directory)).not.toContain(DAMAGE_FILE);
    expect(await toldAt(directory)).toEqual([]);
  });
});

describe('a note of damage', () => {
  it('that cannot be read tells nothing, and a second event does not replace the first', async () => {
    const directory = await usedDirectory();
    writeFileSync(join(directory, DAMAGE_FILE), '{"damage":');
    expect(await toldAt(directory)).toEqual([]);
    for (const size of [8192, 8192]) {
      truncateSync(join(directory, 'data.mdb'), size);
      await inspect(directory);
    }
    const told = await toldAt(directory, (storage) => put(storage, 'new'));
    expect(new Set(told.map(({ quarantine }) => quarantine)).size).toBe(told.length);
    expect(told.length).toBeGreaterThanOrEqual(1);
    rmSync(directory, { recursive: true });
  });
});
