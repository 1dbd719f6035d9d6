import { firstValueFrom, throwError } from 'rxjs';
import { expect, it } from 'vitest';
import { seededIds } from '../platform/ids.ts';
import { seededRandom } from '../platform/random.ts';
import { createMemoryStorage } from '../storage/memory/memory-storage.ts';
import { StorageError } from '../storage/storage.ts';
import { type IdentityCopy, openIdentity } from './identity.ts';

const ids = seededIds(seededRandom(1));
const fullDisk = () => throwError(() => new StorageError('full', 'no room'));

function memoryCopy(initial: string | null = null): IdentityCopy & { readonly now: () => string | null } {
  let identity = initial;
  return {
    read: () => identity,
    write: (next) => {
      identity = next;
    },
    now: () => identity,
  };
}
const brokenCopy: IdentityCopy = {
  read: () => null,
  write: () => {
    throw new Error('read-only');
  },
};

it('is made once and kept in the store', async () => {
  const storage = createMemoryStorage();
  const first = await firstValueFrom(openIdentity({ storage, ids }));
  expect(first).toMatch(/^[0-9a-f]{16}$/);
  expect(await firstValueFrom(openIdentity({ storage, ids }))).toBe(first);
  expect(await firstValueFrom(openIdentity({ storage: createMemoryStorage(), ids }))).not.toBe(first);
});

it('outlives a store that had to be moved aside', async () => {
  const copy = memoryCopy();
  const first = await firstValueFrom(openIdentity({ storage: createMemoryStorage(), ids, copy }));
  const fresh = createMemoryStorage();
  expect(await firstValueFrom(openIdentity({ storage: fresh, ids, copy }))).toBe(first);
  expect(await firstValueFrom(openIdentity({ storage: fresh, ids }))).toBe(first);
});

it('is that of the store where a backup was restored alongside another copy', async () => {
  const storage = createMemoryStorage();
  const first = await firstValueFrom(openIdentity({ storage, ids }));
  const copy = memoryCopy('another');
  expect(await firstValueFrom(openIdentity({ storage, ids, copy }))).toBe(first);
  expect(copy.now()).toBe(first);
});

it('is told to nobody where it can be written nowhere', async () => {
  const storage = { ...createMemoryStorage(), commit: fullDisk };
  expect(await firstValueFrom(openIdentity({ storage, ids, copy: brokenCopy }))).toBeNull();
  expect(await firstValueFrom(openIdentity({ storage, ids }))).toBeNull();
  const copy = memoryCopy();
  expect(await firstValueFrom(openIdentity({ storage, ids, copy }))).toBe(copy.now());
});
