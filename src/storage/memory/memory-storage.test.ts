import { lastValueFrom, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { describeStorageContract } from '../storage.contract.ts';
import { StorageError } from '../storage.ts';
import { createMemoryDisk, createMemoryStorage, damageRecord } from './memory-storage.ts';

describeStorageContract('memory', () => {
  const disk = createMemoryDisk();
  return {
    open: () => lastValueFrom(of(createMemoryStorage({ disk }))),
    damage: (key) => damageRecord(disk, key),
    dispose: () => {},
  };
});

describe('memory storage', () => {
  it('fails the commits that it is told to, and works on', async () => {
    const refusals = [null, new StorageError('full', 'no space'), null];
    const storage = createMemoryStorage({ refuseCommit: () => refusals.shift() ?? null });
    const put = (key: number) =>
      lastValueFrom(storage.commit((writer) => writer.put(Uint8Array.of(key), Uint8Array.of(key))));
    await put(1);
    await expect(put(2)).rejects.toMatchObject({ code: 'full' });
    await put(3);
    const keys = storage.read((reader) =>
      reader.keys({ from: Uint8Array.of(0), to: Uint8Array.of(9), limit: 9 }).map((key) => key[0]),
    );
    expect(keys).toEqual([1, 3]);
  });

  it('commits thousands of times in a row within one call', () => {
    const storage = createMemoryStorage();
    let commits = 0;
    const next = () => {
      if (commits === 20_000) return;
      storage
        .commit((writer) => writer.put(Uint8Array.of(1), Uint8Array.of(2)))
        .subscribe(() => {
          commits += 1;
          next();
        });
    };
    next();
    expect(commits).toBe(20_000);
  });
});
