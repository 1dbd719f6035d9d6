/** What it costs to open a journal, counted in bytes: tests/long/journal-reopen has the time that it takes. */
import { lastValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { createSystemClock } from '../platform/clock.ts';
import { systemIds } from '../platform/ids.ts';
import { createMemoryDisk, createMemoryStorage } from '../storage/memory/memory-storage.ts';
import type { Reader, Storage } from '../storage/storage.ts';
import { openJournal } from './journal.ts';
import { noisySamples } from './testing/test-samples.ts';

const FRAME_SAMPLES = 500;
const options = {
  clock: createSystemClock(),
  ids: systemIds,
  policy: 'drop-oldest',
  maxBytes: 2 ** 30,
} as const;

/** `storage`, which tells how many bytes of values have been read from it. */
function counted(storage: Storage) {
  let bytes = 0;
  const note = (value: Uint8Array | undefined) => {
    bytes += value?.length ?? 0;
    return value;
  };
  const counting = <R extends Reader>(reader: R): R => ({
    ...reader,
    get: (key) => note(reader.get(key)),
    range: (query) => {
      const entries = reader.range(query);
      for (const { value } of entries) note(value);
      return entries;
    },
  });
  const watched: Storage = {
    ...storage,
    read: (work) => storage.read((reader) => work(counting(reader))),
    commit: (work) => storage.commit((writer) => work(counting(writer))),
  };
  return { watched, bytes: () => bytes };
}

async function bytesToOpen(frames: number): Promise<number> {
  const disk = createMemoryDisk();
  const journal = await lastValueFrom(openJournal({ ...options, storage: createMemoryStorage({ disk }) }));
  for (let frame = 0; frame < frames; frame += 1)
    await lastValueFrom(journal.append(noisySamples(1 + frame * FRAME_SAMPLES, FRAME_SAMPLES)));
  await lastValueFrom(journal.close(), { defaultValue: undefined });

  const { watched, bytes } = counted(createMemoryStorage({ disk }));
  const again = await lastValueFrom(openJournal({ ...options, storage: watched }));
  expect(again.stats()).toMatchObject({ pendingFrames: frames, pending: frames * FRAME_SAMPLES });
  expect(again.stats().pendingBytes).toBeGreaterThan(frames * 10_000);
  return bytes();
}

it('reads as much of a long journal as of a short one to open it', async () => {
  const short = await bytesToOpen(4);
  expect(short).toBeGreaterThan(0);
  // Larger numbers in the ledger.
  expect(await bytesToOpen(40)).toBeLessThan(short + 100);
});
