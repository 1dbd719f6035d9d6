/**
 * Pages of HQ's file, damaged: HQ always starts, its ledger adds up and claims nothing that cannot be read, and what is
 * gone is stored when its agent sends it again.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { exactLedger } from '../../src/hq/store/testing/damaged-store.ts';
import { closeStore, dataFrame, openStore, schema } from '../../src/hq/store/testing/frames.ts';
import { numbers } from '../../src/hq/store/testing/read.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';
import { sized } from '../support/long.ts';
import { temporaryFolder } from '../support/temporary.ts';

const PAGE = 4096;
const FRAMES = 60;
const SAMPLES = 300;
/** Every so many pages, one is damaged. */
const STEP = sized(9, 1);
const KINDS = {
  zeroed: (page: Buffer) => void page.fill(0),
  flipped: (page: Buffer) => void page.writeUInt8(page.readUInt8(100) ^ 4, 100),
} as const;

const clock = createSystemClock();
const frame = (index: number) => dataFrame(index * SAMPLES + 1, (index + 1) * SAMPLES);
const open = async (directory: string) =>
  openStore(await firstValueFrom(openLmdbStorage({ directory, clock, role: 'hq' })));

async function makeStore(directory: string): Promise<Buffer> {
  const store = await open(directory);
  await firstValueFrom(store.putSchema('a1', schema));
  for (let index = 0; index < FRAMES; index += 1) await firstValueFrom(store.append([frame(index)]));
  await closeStore(store);
  return readFileSync(join(directory, 'data.mdb'));
}

it.each(Object.entries(KINDS))(
  'starts with a page %s, and counts exactly what is left',
  async (kind, damage) => {
    const folder = temporaryFolder();
    const original = await makeStore(join(folder, 'whole'));
    let damaged = 0;
    let lossy = 0;
    for (let page = 0; page < original.length / PAGE; page += STEP) {
      const file = Buffer.from(original);
      damage(file.subarray(page * PAGE, (page + 1) * PAGE));
      const directory = join(folder, `${kind}-${page}`);
      mkdirSync(directory);
      writeFileSync(join(directory, 'data.mdb'), file);
      const store = await open(directory);
      await firstValueFrom(store.putSchema('a1', schema));
      const { stored, seqs, pending } = await exactLedger(store);
      expect(seqs, `page ${page}`).toHaveLength(stored);
      if (pending > 0) lossy += 1;
      for (let index = 0; index < FRAMES; index += 1) await firstValueFrom(store.append([frame(index)]));
      const again = await exactLedger(store);
      expect(again, `page ${page}`).toMatchObject({ stored: FRAMES * SAMPLES, pending: 0 });
      expect(again.seqs).toEqual(numbers(1, FRAMES * SAMPLES));
      await closeStore(store);
      damaged += 1;
    }
    expect(damaged).toBeGreaterThan(5);
    expect(lossy).toBeLessThan(damaged);
  },
);
