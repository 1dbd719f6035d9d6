import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { createMemoryStorage, damageRecord, type MemoryDisk } from '../../storage/memory/memory-storage.ts';
import { encodeFrameRecord } from './frame-record.ts';
import { seqKey } from './keys.ts';
import type { HqStore, TakenBack } from './store.ts';
import { damagedStore, exactLedger, keysOfKind } from './testing/damaged-store.ts';
import { dataFrame, EPOCH, gapFrame, openStore, START } from './testing/frames.ts';
import { allSeqs, numbers } from './testing/read.ts';

const frameKey = (seq: number) => seqKey('F', 'a1', EPOCH, seq);
/** Large enough to go into the index at once. */
const large = (first: number) => dataFrame(first, first + 299);

async function withFrames() {
  const damaged = await damagedStore();
  const told: TakenBack[] = [];
  const unreadable: number[] = [];
  const open = async () => {
    await damaged.reopen(
      {
        emit: (event) => {
          if (event.type === 'store_frame_unreadable') unreadable.push(event.seq);
        },
      },
      // As when all have read them.
      ({ records }) => {
        for (const key of keysOfKind(damaged.disk, 'J')) records.delete(key);
      },
    );
    damaged.store().takenBack$.subscribe((one) => told.push(one));
  };
  await firstValueFrom(damaged.store().append([large(1), large(301), large(601)]));
  await open();
  return { ...damaged, told, unreadable, open };
}

/** Another frame in place of the one of these seqs, with a good checksum. */
function spoil(disk: MemoryDisk, first: number): void {
  const { bytes } = large(first);
  const frame = Uint8Array.from(bytes);
  frame[frame.length - 9] = (frame[frame.length - 9] ?? 0) ^ 0xff;
  const segments = [{ first, last: first + 299, arrivalTs: START }];
  const record = encodeFrameRecord({ lane: 'backlog', logNumber: 2, segments, frame });
  createMemoryStorage({ disk })
    .commit((writer) => writer.put(frameKey(first), record))
    .subscribe();
}

const GONE = { sampled: 900, stored: 600, pending: 300, contiguous: 300, ranges: [[601, 900]] };
const expectGone = async (store: HqStore) =>
  eventually(async () => expect(await exactLedger(store)).toMatchObject(GONE));

describe('a frame that turns out unreadable', () => {
  it.each([
    ['by the checksum of its record', (disk: MemoryDisk) => damageRecord(disk, frameKey(301))],
    ['as it does not decode', (disk: MemoryDisk) => spoil(disk, 301)],
  ])('%s, is taken back once, and stored when it comes again', async (_, damage) => {
    const { disk, store, told, unreadable, open, close } = await withFrames();
    damage(disk);
    expect(await allSeqs(store())).toEqual([...numbers(1, 300), ...numbers(601, 900)]);
    await expectGone(store());
    expect(told).toEqual([{ agent: 'a1', epoch: EPOCH, again: 300, lost: 0 }]);
    // Nobody meets it again.
    const met = unreadable.length;
    expect(await allSeqs(store())).toHaveLength(600);
    expect(unreadable).toHaveLength(met);
    expect(keysOfKind(disk, 'F')).toHaveLength(2);
    // The next start counts again, and makes the rollups anew.
    expect(keysOfKind(disk, 'K')).toHaveLength(1);
    await firstValueFrom(store().append([large(301)]));
    await open();
    expect(await exactLedger(store())).toMatchObject({ stored: 900, pending: 0, seqs: numbers(1, 900) });
    expect(told).toHaveLength(1);
    await close();
  });

  it('is lost at once as far as its agent has released it', async () => {
    const { disk, store, told, close } = await withFrames();
    await firstValueFrom(
      store().noteEpoch({ agent: 'a1', epoch: EPOCH, sampled: 901, released: 400, ts: START }),
    );
    damageRecord(disk, frameKey(301));
    await allSeqs(store());
    await eventually(() => expect(told).toMatchObject([{ again: 200, lost: 100 }]));
    expect(await exactLedger(store())).toMatchObject({
      stored: 600,
      pending: 201,
      dropped: { lost_at_hq: 100 },
      gaps: [{ firstSeq: 301, lastSeq: 400, reason: 'lost_at_hq' }],
    });
    await close();
  });

  it('leaves alone what comes while the epoch is counted', async () => {
    const { disk, store, told, close } = await withFrames();
    damageRecord(disk, frameKey(301));
    await allSeqs(store());
    for (let first = 901; told.length === 0; first += 10) {
      const frames = [dataFrame(first, first + 4), gapFrame(first + 5, first + 9, 'rejected')];
      await firstValueFrom(store().append(frames));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { stored, pending, sampled, dropped } = await exactLedger(store());
    expect(pending).toBe(300);
    expect(stored + (dropped.rejected ?? 0)).toBe(sampled - 300);
    await close();
  });
});

it('a record of another kind that is damaged has all counted again at the next start', async () => {
  const { disk, store, close } = await withFrames();
  for (const key of keysOfKind(disk, 'T')) damageRecord(disk, Buffer.from(key, 'latin1'));
  expect(await allSeqs(store())).toEqual([]);
  await eventually(() => expect(keysOfKind(disk, 'K')).toHaveLength(1));
  await close();
  const again = await openStore(createMemoryStorage({ disk }));
  expect(await exactLedger(again)).toMatchObject({ stored: 900, pending: 0, seqs: numbers(1, 900) });
});
