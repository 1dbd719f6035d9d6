/** `--rebuild index`: what an operator does who thinks that the index is wrong. */
import { firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import type { MemoryDisk } from '../../storage/memory/memory-storage.ts';
import type { StoreEmit } from './store-events.ts';
import { type DamagedStore, damagedStore, exactLedger, keysOfKind } from './testing/damaged-store.ts';
import { dataFrame, gapFrame, START } from './testing/frames.ts';
import { anomaliesOf, EVER } from './testing/read.ts';

/** What readers are shown. */
async function shown(store: ReturnType<DamagedStore['store']>) {
  const { seqs, ...ledger } = await exactLedger(store);
  return { ledger, seqs, anomalies: await anomaliesOf(store, { agent: 'a1', ...EVER }) };
}

/** Gives each record of a kind what another of that kind has: sound by its checksum, and wrong. */
const mixUp = (kind: string) => (disk: MemoryDisk) => {
  const keys = keysOfKind(disk, kind);
  const records = keys.map((key) => disk.records.get(key));
  keys.forEach((key, index) => {
    const other = records[(index + 1) % records.length];
    if (other !== undefined) disk.records.set(key, other);
  });
};
const remove = (kind: string) => (disk: MemoryDisk) => {
  for (const key of keysOfKind(disk, kind)) disk.records.delete(key);
};

const anomaly = { series: 0, startTs: START + 5_000, endTs: START + 6_000, peakTs: START + 5_000 };
const anomalies = (seq: number) =>
  seq === 5 ? [{ ...anomaly, state: 'closed' as const, peakValue: 5, peakZ: 4, mean: 1, stddev: 1 }] : [];

/** Frames in the index and in the log alone, a gap, an anomaly; two epochs. */
async function withAll(): Promise<DamagedStore> {
  const damaged = await damagedStore();
  const { append } = damaged.store();
  await firstValueFrom(append([dataFrame(1, 300, { anomalies })]));
  await firstValueFrom(
    append([gapFrame(301, 310, 'damaged'), dataFrame(331, 340, { arrivalTs: START + 200_000 })]),
  );
  await damaged.reopen();
  await firstValueFrom(damaged.store().append([dataFrame(341, 350, { arrivalTs: START + 300_000 })]));
  await eventually(async () => expect((await shown(damaged.store())).anomalies).toHaveLength(1));
  return damaged;
}

it.each([
  { what: 'nothing is wrong', damage: () => {} },
  ...['T', 'L', 'I', 'E', 'M', 'C', 'V'].map((kind) => ({ what: `${kind} is gone`, damage: remove(kind) })),
  ...['T', 'L'].map((kind) => ({ what: `${kind} is mixed up`, damage: mixUp(kind) })),
])('gives back what readers were shown, where $what', async ({ damage }) => {
  const damaged = await withAll();
  const before = await shown(damaged.store());
  const events: string[] = [];
  const emit: StoreEmit = ({ type }) => void events.push(type);
  await damaged.tamper(damage, { rebuild: ['index'], emit });
  await eventually(async () => expect(await shown(damaged.store())).toEqual(before));
  expect(events).toEqual(expect.arrayContaining(['store_recount_begun', 'store_recounted']));

  // For once: the next start does nothing of the kind, and shows the same.
  events.length = 0;
  await damaged.reopen({ emit });
  await eventually(async () => expect(await shown(damaged.store())).toEqual(before));
  expect(events).not.toContain('store_recount_begun');
  await damaged.close();
});

it('takes a ledger that says too much back to what is there', async () => {
  const damaged = await withAll();
  const { seqs } = await shown(damaged.store());
  await damaged.tamper((disk) => {
    for (const key of keysOfKind(disk, 'F')) disk.records.delete(key);
    for (const key of keysOfKind(disk, 'L')) disk.records.delete(key);
  });
  await damaged.tamper(() => {}, { rebuild: ['index'] });
  const after = await shown(damaged.store());
  expect(after.seqs.length).toBeLessThan(seqs.length);
  expect(after.ledger.stored).toBe(after.seqs.length);
  await damaged.close();
});
