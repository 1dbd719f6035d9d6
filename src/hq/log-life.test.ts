import { firstValueFrom, throwError } from 'rxjs';
import { expect, it } from 'vitest';
import { seededIds } from '../platform/ids.ts';
import { seededRandom } from '../platform/random.ts';
import { createMemoryStorage } from '../storage/memory/memory-storage.ts';
import { StorageError } from '../storage/storage.ts';
import { beginLogLife, LOG_ID, openLogLife, readLogOffset } from './log-life.ts';

const ids = seededIds(seededRandom(1));

it('has an id that is made once and outlasts every start', async () => {
  const storage = createMemoryStorage();
  expect(storage.read(readLogOffset)).toBeNull();
  const first = await firstValueFrom(openLogLife({ storage, ids }));
  expect(first?.log).toMatch(LOG_ID);
  expect(await firstValueFrom(openLogLife({ storage, ids }))).toEqual(first);
  expect(storage.read(readLogOffset)).toEqual({ log: first?.log, partition: 0, number: 0 });
});

it('begins again with another id, which says where the one before had got to', async () => {
  const storage = createMemoryStorage();
  await firstValueFrom(openLogLife({ storage, ids }));
  const from = storage.read(readLogOffset);
  if (from === null) throw new Error('the log has no id');
  const next = await firstValueFrom(beginLogLife({ storage, ids }, { ts: 2, backupTs: 1, from }));
  expect(next.log).not.toBe(from.log);
  expect(await firstValueFrom(openLogLife({ storage, ids }))).toEqual(next);
});

it('is not known while it cannot be written', async () => {
  const storage = createMemoryStorage();
  const commit = () => throwError(() => new StorageError('full', 'no room'));
  expect(await firstValueFrom(openLogLife({ storage: { ...storage, commit }, ids }))).toBeNull();
  expect(await firstValueFrom(openLogLife({ storage, ids }))).not.toBeNull();
});
