import { firstValueFrom, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { seededIds } from '../../platform/ids.ts';
import { seededRandom } from '../../platform/random.ts';
import { createMemoryStorage, damageRecord, type MemoryDisk } from '../../storage/memory/memory-storage.ts';
import { type Storage, StorageError } from '../../storage/storage.ts';
import { seqKey } from './keys.ts';
import type { StoreEmit } from './store-events.ts';
import {
  type DamagedStore,
  damagedStore,
  exactLedger,
  keysOfKind,
  salvaged,
} from './testing/damaged-store.ts';
import {
  dataFrame,
  delivery,
  downsampledFrame,
  EPOCH,
  gapFrame,
  openStore,
  START,
  testClock,
} from './testing/frames.ts';
import { allSeqs, anomaliesOf, coverageOf, EVER, ledgerOf, numbers } from './testing/read.ts';

const text = (key: Uint8Array) => Buffer.from(key).toString('latin1');
const frameAt = (seq: number) => text(seqKey('F', 'a1', EPOCH, seq));
const gapAt = (seq: number) => text(seqKey('G', 'a1', EPOCH, seq));

/** Frames far apart in arrival, so that each stays by itself. */
const apart = (first: number, last: number) => dataFrame(first, last, { arrivalTs: START + first * 100_000 });

/** Takes the frame that begins with this seq from the index and from the log. */
const lose = (first: number) => (disk: MemoryDisk) => {
  for (const key of keysOfKind(disk, 'J')) disk.records.delete(key);
  disk.records.delete(frameAt(first));
};

async function withFrames(): Promise<DamagedStore> {
  const damaged = await damagedStore();
  for (const first of [1, 11, 21]) await firstValueFrom(damaged.store().append([apart(first, first + 9)]));
  return damaged;
}

describe('a store that was salvaged', () => {
  it('takes back what is gone, and stores it when it comes again', async () => {
    const damaged = await withFrames();
    await damaged.damage(lose(11));
    expect(await exactLedger(damaged.store())).toMatchObject({
      sampled: 30,
      stored: 20,
      pending: 10,
      contiguous: 10,
      ranges: [[21, 30]],
      seqs: [...numbers(1, 10), ...numbers(21, 30)],
    });
    await firstValueFrom(damaged.store().append([apart(11, 20)]));
    await damaged.reopen();
    expect(await exactLedger(damaged.store())).toMatchObject({
      stored: 30,
      pending: 0,
      seqs: numbers(1, 30),
    });
    await damaged.close();
  });

  it('loses no frame that the log still holds', async () => {
    const damaged = await withFrames();
    await damaged.damage(({ records }) => void records.delete(frameAt(11)));
    expect(await exactLedger(damaged.store())).toMatchObject({
      stored: 30,
      pending: 0,
      seqs: numbers(1, 30),
    });
    await damaged.close();
  });

  it('accounts at once for what its agent has released, and says so of the agent', async () => {
    const damaged = await withFrames();
    const note = { agent: 'a1', epoch: EPOCH, sampled: 31, released: 15, ts: START };
    await firstValueFrom(damaged.store().noteEpoch(note));
    await damaged.damage(lose(11));
    expect(await exactLedger(damaged.store())).toMatchObject({
      sampled: 31,
      stored: 20,
      pending: 6,
      dropped: { lost_at_hq: 5 },
      gaps: [{ firstSeq: 11, lastSeq: 15, reason: 'lost_at_hq' }],
    });
    const alarms = await firstValueFrom(damaged.store().alarms());
    expect(alarms.get('a1')).toMatchObject({ kind: 'damaged_at_hq' });
    expect(alarms.get('a1')?.detail).toMatch(/^5 samples of a1 .*; 5 are accounted as lost/);
    await damaged.close();
  });

  it('accounts at once for what was of an epoch that is over', async () => {
    const damaged = await withFrames();
    await firstValueFrom(
      damaged.store().noteEpoch({ agent: 'a1', epoch: 'bbbbbbbbbbbb', sampled: 0, released: 0, ts: START }),
    );
    await damaged.damage(lose(11));
    expect(await exactLedger(damaged.store())).toMatchObject({
      stored: 20,
      pending: 0,
      dropped: { lost_at_hq: 10 },
    });
    await damaged.close();
  });

  it('leaves as they were counted the seqs that retention has removed', async () => {
    const damaged = await damagedStore();
    const old = { arrivalTs: START };
    await firstValueFrom(
      damaged
        .store()
        .append([
          dataFrame(1, 10, old),
          downsampledFrame(11, 20, { window: 5, ...old }),
          gapFrame(21, 25, 'damaged', old),
          dataFrame(26, 30, { arrivalTs: START + 500_000 }),
          dataFrame(31, 40, { arrivalTs: START + 600_000 }),
        ]),
    );
    const emitted: string[] = [];
    const emit: StoreEmit = ({ type }) => void emitted.push(type);
    await damaged.reopen({ clock: testClock(START + 600_000), maxAgeMs: 300_000, emit });
    await eventually(() => expect(emitted).toContain('store_gaps_removed'));
    await eventually(() => expect(keysOfKind(damaged.disk, 'F')).toHaveLength(2));
    await damaged.damage(lose(26), {
      clock: testClock(START + 600_000),
    });
    expect(await exactLedger(damaged.store())).toMatchObject({
      sampled: 40,
      stored: 20,
      pending: 5,
      thinned: { overflow: 10 },
      dropped: { damaged: 5 },
      contiguous: 25,
      seqs: numbers(31, 40),
    });
    // Once more: what was found out stays so.
    await damaged.damage(lose(31));
    expect(await exactLedger(damaged.store())).toMatchObject({ sampled: 40, stored: 10, pending: 15 });
    await damaged.close();
  });

  it('takes what lies below the first frame for removed, where nobody kept count of that', async () => {
    const damaged = await withFrames();
    await damaged.damage(({ records }) => {
      for (const [key, stored] of [...records]) {
        if (!key.startsWith('E')) continue;
        const state = JSON.parse(Buffer.from(stored.subarray(0, -4)).toString());
        records.delete(key);
        rewrite(damaged, key, { ...state, removed: undefined });
      }
      lose(1)(damaged.disk);
    });
    expect(await exactLedger(damaged.store())).toMatchObject({
      stored: 30,
      pending: 0,
      seqs: numbers(11, 30),
    });
    await damaged.damage(lose(21));
    expect(await exactLedger(damaged.store())).toMatchObject({ stored: 20, pending: 10, contiguous: 20 });
    await damaged.close();
  });

  it.each([
    ['the state of its epoch', 'E'],
    ['the count of its log', 'V'],
    ['its agent', 'A'],
    ['the index by time', 'T'],
    ['the index by arrival', 'L'],
    ['what was filed', 'M'],
    ['the positions of consumers', 'C'],
    ['what the indexer knew', 'I'],
  ])('is whole again without %s', async (_, kind) => {
    const damaged = await withFrames();
    await damaged.damage(({ records }) => {
      for (const key of keysOfKind(damaged.disk, kind)) records.delete(key);
    });
    expect(await exactLedger(damaged.store())).toMatchObject({
      stored: 30,
      pending: 0,
      seqs: numbers(1, 30),
    });
    await firstValueFrom(damaged.store().append([dataFrame(31, 40)]));
    await damaged.reopen();
    expect(await exactLedger(damaged.store())).toMatchObject({
      stored: 40,
      pending: 0,
      seqs: numbers(1, 40),
    });
    await damaged.close();
  });

  it('stores nothing twice where old records have come back', async () => {
    const damaged = await damagedStore();
    await firstValueFrom(damaged.store().append([dataFrame(1, 10)]));
    await damaged.reopen();
    const before = new Map(damaged.disk.records);
    await firstValueFrom(damaged.store().append([dataFrame(11, 20)]));
    await firstValueFrom(damaged.store().append([gapFrame(21, 25, 'damaged')]));
    const log = new Map(damaged.disk.records);
    // Merged frames, a frame in the log that is filed, an older state, an older count.
    await damaged.damage(({ records }) => {
      for (const [key, stored] of log) if (key.startsWith('J')) records.set(key, stored);
      for (const [key, stored] of before) if (/^[EV]/.test(key)) records.set(key, stored);
    });
    expect(await exactLedger(damaged.store())).toMatchObject({
      sampled: 25,
      stored: 20,
      pending: 0,
      dropped: { damaged: 5 },
      seqs: numbers(1, 20),
    });
    await damaged.close();
  });

  it('goes on with numbers that were never given out', async () => {
    const damaged = await withFrames();
    const numbersOf = () => keysOfKind(damaged.disk, 'L').concat(keysOfKind(damaged.disk, 'J'));
    const given = numbersOf().at(-1) ?? '';
    await damaged.damage(({ records }) => {
      for (const key of numbersOf()) records.delete(key);
      for (const kind of 'VMCE') for (const key of keysOfKind(damaged.disk, kind)) records.delete(key);
      records.delete(frameAt(21));
    });
    await firstValueFrom(damaged.store().append([dataFrame(31, 40)]));
    const [next = ''] = keysOfKind(damaged.disk, 'J');
    expect(next.slice(1) > given.slice(1)).toBe(true);
    await damaged.close();
  });

  it('knows an idempotency key again of which either record is left', async () => {
    const damaged = await damagedStore();
    for (const key of ['one', 'two', 'three']) await firstValueFrom(damaged.store().append([delivery(key)]));
    const [lost = '', noExpiry = ''] = keysOfKind(damaged.disk, 'D');
    await damaged.damage(({ records }) => {
      records.delete(lost);
      const expiry = keysOfKind(damaged.disk, 'X').find((key) => key.endsWith(noExpiry.slice(1)));
      records.delete(expiry ?? '');
    });
    for (const key of ['one', 'two', 'three']) {
      const [outcome] = await firstValueFrom(damaged.store().append([delivery(key)]));
      expect(outcome).toMatchObject({ stored: 0, duplicates: 2 });
    }
    expect(keysOfKind(damaged.disk, 'X')).toHaveLength(3);
    await damaged.close();
  });

  it('gives seqs of an epoch of its own to what comes by HTTP, and accounts for what is gone', async () => {
    const damaged = await damagedStore();
    await firstValueFrom(damaged.store().append([delivery('one')]));
    await damaged.damage(
      ({ records }) => {
        for (const kind of 'FJ') for (const key of keysOfKind(damaged.disk, kind)) records.delete(key);
      },
      { ids: seededIds(seededRandom(2)) },
    );
    await firstValueFrom(damaged.store().append([delivery('two')]));
    const ledger = await ledgerOf(damaged.store(), 'web');
    expect(ledger.map(({ stored, pending, dropped }) => ({ stored, pending, dropped }))).toEqual([
      { stored: 0, pending: 0, dropped: { lost_at_hq: 2 } },
      { stored: 2, pending: 0, dropped: {} },
    ]);
    await damaged.close();
  });

  it('finds the anomalies of what is left again', async () => {
    const anomaly = { series: 0, startTs: START + 5_000, endTs: START + 6_000, peakTs: START + 5_000 };
    const damaged = await damagedStore();
    const anomalies = (seq: number) =>
      seq === 5 ? [{ ...anomaly, state: 'closed' as const, peakValue: 5, peakZ: 4, mean: 1, stddev: 1 }] : [];
    await firstValueFrom(damaged.store().append([dataFrame(1, 10, { anomalies })]));
    const found = () => anomaliesOf(damaged.store(), { agent: 'a1', ...EVER });
    await eventually(async () => expect(await found()).toHaveLength(1));
    await damaged.damage(({ records }) => {
      for (const key of keysOfKind(damaged.disk, 'N')) records.delete(key);
    });
    await eventually(async () => expect(await found()).toHaveLength(1));
    const [counts] = await firstValueFrom(damaged.store().numbers(['a1']));
    expect(counts?.anomalies.total).toBe(1);
    await damaged.close();
  });
});

describe('counting again', () => {
  it('begins again where it was cut off, at whichever commit', async () => {
    for (let commits = 1; ; commits += 1) {
      const damaged = await withFrames();
      await damaged.close();
      lose(11)(damaged.disk);
      damaged.disk.orderedKeys = null;
      const cut = cutOff(salvaged(createMemoryStorage({ disk: damaged.disk })), commits);
      const isCut = await openStore(cut).then(
        () => false,
        () => true,
      );
      // Once something is committed, the storage tells of no damage any more: the mark does.
      const again = createMemoryStorage({ disk: damaged.disk });
      const store = await openStore(commits === 1 ? salvaged(again) : again);
      expect(await exactLedger(store)).toMatchObject({ stored: 20, pending: 10, contiguous: 10 });
      if (!isCut) break;
      expect(commits).toBeLessThan(100);
    }
  });

  it('comes of a record that cannot be read when the store is opened, too, and of none that can', async () => {
    const damaged = await damagedStore();
    const emitted: string[] = [];
    const emit: StoreEmit = ({ type }) => void emitted.push(type);
    await firstValueFrom(damaged.store().append([dataFrame(1, 10)]));
    await damaged.reopen({ emit });
    expect(emitted).not.toContain('store_recounted');
    await damaged.close();
    for (const key of keysOfKind(damaged.disk, 'E')) damageRecord(damaged.disk, Buffer.from(key, 'latin1'));
    const store = await openStore(createMemoryStorage({ disk: damaged.disk }), { emit });
    expect(emitted).toContain('store_recounted');
    expect(await exactLedger(store)).toMatchObject({ stored: 10, pending: 0, seqs: numbers(1, 10) });
  });

  it('leaves a gap as far as nothing else stands for its seqs', async () => {
    const damaged = await damagedStore();
    await firstValueFrom(damaged.store().append([gapFrame(1, 20, 'damaged')]));
    await damaged.damage(({ records }) => {
      const gap = records.get(gapAt(1));
      rewrite(damaged, gapAt(11), JSON.parse(Buffer.from(gap?.subarray(0, -4) ?? []).toString()));
    });
    const { gaps, dropped } = await exactLedger(damaged.store());
    expect(dropped).toEqual({ damaged: 20 });
    expect(gaps).toHaveLength(1);
    expect(await coverageOf(damaged.store())).toEqual({ contiguous: 20, ranges: [] });
    expect(await allSeqs(damaged.store())).toEqual([]);
    await damaged.close();
  });
});

/** Fails its commits from this one on. */
function cutOff(storage: Storage, commits: number): Storage {
  let left = commits;
  return {
    ...storage,
    commit: (work) => {
      left -= 1;
      return left > 0 ? storage.commit(work) : throwError(() => new StorageError('io', 'cut off'));
    },
  };
}

function rewrite({ disk }: DamagedStore, key: string, value: unknown): void {
  createMemoryStorage({ disk })
    .commit((writer) => writer.put(Buffer.from(key, 'latin1'), Buffer.from(JSON.stringify(value))))
    .subscribe();
}
