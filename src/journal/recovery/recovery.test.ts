import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  createMemoryDisk,
  createMemoryStorage,
  damageRecord,
  type MemoryDisk,
} from '../../storage/memory/memory-storage.ts';
import { ACKED_KEY, frameKey, LEDGER_KEY } from '../keys.ts';
import { append, openOn } from '../testing/open-on.ts';
import { allPending, expectExactLedger, spans } from '../testing/pending.ts';
import { noisySamples } from '../testing/test-samples.ts';
import { SEQ_SAFETY_SKIP } from './recovery.ts';

describe('journal recovery', () => {
  const prepare = async () => {
    const disk = createMemoryDisk();
    const journal = await openOn(disk);
    for (let n = 0; n < 10; n += 1) await append(journal, n * 10 + 1, 10);
    await lastValueFrom(journal.release({ contiguous: 10, ranges: [[31, 40]] }));
    return { disk, epoch: journal.epoch };
  };
  const keyOf = (disk: MemoryDisk, key: Uint8Array) => {
    const prefix = Buffer.from(key).toString('latin1');
    return [...disk.records.keys()].find((text) => text.startsWith(prefix)) ?? '';
  };
  const lose = (disk: MemoryDisk, key: Uint8Array) => {
    disk.records.delete(keyOf(disk, key));
    disk.orderedKeys = null;
  };
  const frameFrom = (firstSeq: number) =>
    frameKey({ firstSeq, lastSeq: firstSeq + 9, kind: 'data', notable: false, size: 0 }).subarray(0, 13);

  it('turns frames that are gone into gaps, but not what HQ holds', async () => {
    const { disk, epoch } = await prepare();
    lose(disk, frameFrom(51));
    lose(disk, frameFrom(91));
    const journal = await openOn(disk);
    expect(journal.epoch).toBe(epoch);
    expect(journal.stats()).toMatchObject({ sampled: 100, acked: 20, pending: 60, dropped: { damaged: 20 } });
    expect(spans(await allPending(journal)).filter((span) => span.startsWith('gap'))).toEqual([
      'gap 51-60',
      'gap 91-100',
    ]);
    expectExactLedger(journal.stats());
  });

  it('rebuilds a lost ledger, in the same epoch, and never gives a seq out twice', async () => {
    const { disk, epoch } = await prepare();
    lose(disk, LEDGER_KEY);
    const journal = await openOn(disk);
    expect(journal.epoch).toBe(epoch);
    expect(journal.stats()).toMatchObject({
      sampled: 100 + SEQ_SAFETY_SKIP,
      acked: 20,
      pending: 80,
      dropped: { damaged: SEQ_SAFETY_SKIP },
    });
    expect(await append(journal, 1, 1)).toMatchObject({ frame: { firstSeq: 101 + SEQ_SAFETY_SKIP } });
    expectExactLedger(journal.stats());
  });

  it('leaves the seqs that it passed over behind when it begins a new epoch: nothing of them was lost', async () => {
    const { disk, epoch } = await prepare();
    lose(disk, LEDGER_KEY);
    const rebuilt = await openOn(disk);
    await append(rebuilt, 1, 3);
    await lastValueFrom(rebuilt.noteFork());
    const journal = await openOn(disk);
    expect(journal.epoch).not.toBe(epoch);
    expect(journal.stats()).toMatchObject({ sampled: 83, pending: 83, dropped: {} });
    expectExactLedger(journal.stats());
  });

  it('counts the samples of its frames where the ledger is of a version that did not', async () => {
    const disk = createMemoryDisk();
    let journal = await openOn(disk);
    await lastValueFrom(journal.append(noisySamples(1, 10)));
    await lastValueFrom(journal.append(noisySamples(11, 10)));
    await lastValueFrom(journal.release({ contiguous: 15, ranges: [] }));
    const before = journal.stats();
    expect(before).toMatchObject({ pending: 5, frameSamples: 10, rebuilt: false });
    await lastValueFrom(
      createMemoryStorage({ disk }).commit((writer) => {
        const { frameSamples: _, ...old } = JSON.parse(Buffer.from(writer.get(LEDGER_KEY) ?? []).toString());
        writer.put(LEDGER_KEY, Buffer.from(JSON.stringify(old)));
      }),
    );
    journal = await openOn(disk);
    expect(journal.stats()).toEqual(before);
    await lastValueFrom(journal.append(noisySamples(21, 10)));
    expect(journal.stats()).toMatchObject({ pending: 15, frameSamples: 20 });
  });

  it('knows that its ledger was rebuilt until HQ accepts it', async () => {
    const { disk } = await prepare();
    expect((await openOn(disk)).stats().rebuilt).toBe(false);
    lose(disk, LEDGER_KEY);
    expect((await openOn(disk)).stats().rebuilt).toBe(true);
    // Mended once more meanwhile.
    lose(disk, frameFrom(91));
    const journal = await openOn(disk);
    expect(journal.stats().rebuilt).toBe(true);
    await lastValueFrom(journal.noteAccepted('any'));
    expect(journal.stats().rebuilt).toBe(false);
    expect((await openOn(disk)).stats().rebuilt).toBe(false);
  });

  it('knows it no more in a new epoch', async () => {
    const { disk } = await prepare();
    lose(disk, LEDGER_KEY);
    await lastValueFrom((await openOn(disk)).noteFork());
    expect((await openOn(disk)).stats().rebuilt).toBe(false);
  });

  it('does the same when the ledger is damaged', async () => {
    const { disk, epoch } = await prepare();
    damageRecord(disk, LEDGER_KEY);
    const journal = await openOn(disk);
    expect(journal.epoch).toBe(epoch);
    expect(journal.stats().pending).toBe(80);
    expectExactLedger(journal.stats());
  });

  it('takes holes for acked when the acks are lost', async () => {
    const { disk } = await prepare();
    lose(disk, ACKED_KEY);
    const journal = await openOn(disk);
    expect(journal.stats()).toMatchObject({ sampled: 100, acked: 20, pending: 80, dropped: {} });
    expect((await lastValueFrom(journal.release({ contiguous: 100, ranges: [] }))).pending).toBe(0);
    expectExactLedger(journal.stats());
  });

  it('begins a new epoch when everything is gone', async () => {
    const { epoch } = await prepare();
    const journal = await openOn(createMemoryDisk());
    expect(journal.epoch).toMatch(/^[0-9a-f]{12}$/);
    expect(journal.epoch).not.toBe(epoch);
    expect(journal.stats()).toMatchObject({ sampled: 0, pending: 0 });
  });
});
