import { expect, it } from 'vitest';
import { createMemoryDisk, createMemoryStorage, damageRecord } from './memory/memory-storage.ts';
import { entriesOf, keysOf, readPage } from './read-page.ts';

const RANGE = { from: Uint8Array.of(0), to: Uint8Array.of(255) };

function tenRecords() {
  const disk = createMemoryDisk();
  const storage = createMemoryStorage({ disk });
  storage
    .commit((writer) => {
      for (let index = 1; index <= 10; index += 1) writer.put(Uint8Array.of(index), Uint8Array.of(index));
    })
    .subscribe();
  return { disk, storage };
}

it.each([1, 2, 3, 5, 10, 11])('reads on behind damaged records, in pages of %i', (limit) => {
  const { disk, storage } = tenRecords();
  for (const index of [2, 3, 10]) damageRecord(disk, Uint8Array.of(index));
  const left = storage.read((reader) => [...entriesOf(reader, RANGE, limit)].map(({ value }) => value[0]));
  expect(left).toEqual([1, 4, 5, 6, 7, 8, 9]);
  const keys = storage.read((reader) => [...keysOf(reader, RANGE, limit)].map(([key]) => key));
  expect(keys).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

it('says where the next page begins, and that none follows', () => {
  const { storage } = tenRecords();
  const first = storage.read((reader) => readPage(reader, { ...RANGE, limit: 6 }));
  expect(first.entries).toHaveLength(6);
  const rest = storage.read((reader) =>
    readPage(reader, { ...RANGE, from: first.next ?? RANGE.to, limit: 6 }),
  );
  expect(rest.entries.map(({ value }) => value[0])).toEqual([7, 8, 9, 10]);
  expect(rest.next).toBeNull();
});
