/** A store whose records a test takes away, and that is opened again as after a salvage. */
import { firstValueFrom, merge, of } from 'rxjs';
import { coveredCount, type SeqRange } from '../../../protocol/coverage.ts';
import {
  createMemoryDisk,
  createMemoryStorage,
  type MemoryDisk,
} from '../../../storage/memory/memory-storage.ts';
import type { Damage, Storage } from '../../../storage/storage.ts';
import type { HqStoreOptions } from '../open-hq-store.ts';
import type { HqStore, QueryStore } from '../store.ts';
import { closeStore, openStore, schema } from './frames.ts';
import { allSeqs, ledgerOf } from './read.ts';

const SALVAGED: Damage = { what: 'file', key: null, detail: 'salvaged', quarantine: null };

/** As a storage tells of a file that was salvaged before it was opened. */
export const salvaged = (storage: Storage): Storage => ({
  ...storage,
  damage$: merge(of(SALVAGED), storage.damage$),
});

export type DamagedStore = {
  readonly disk: MemoryDisk;
  readonly store: () => HqStore;
  /** Closes it, takes records away, and opens it as after a salvage. */
  readonly damage: (work: (disk: MemoryDisk) => void, options?: Partial<HqStoreOptions>) => Promise<void>;
  /** The same without a word of the storage: its records are sound, and others. */
  readonly tamper: (work: (disk: MemoryDisk) => void, options?: Partial<HqStoreOptions>) => Promise<void>;
  /** Closes it and opens it again; nothing is told of what `between` does. */
  readonly reopen: (options?: Partial<HqStoreOptions>, between?: (disk: MemoryDisk) => void) => Promise<void>;
  readonly close: () => Promise<unknown>;
};

/** Agent `a1` has the schema of the test frames. */
export async function damagedStore(options: Partial<HqStoreOptions> = {}): Promise<DamagedStore> {
  const disk = createMemoryDisk();
  let store = await openStore(createMemoryStorage({ disk }), options);
  await firstValueFrom(store.putSchema('a1', schema));
  return {
    disk,
    store: () => store,
    damage: async (work, next = options) => {
      await closeStore(store);
      work(disk);
      disk.orderedKeys = null;
      store = await openStore(salvaged(createMemoryStorage({ disk })), next);
    },
    tamper: async (work, next = options) => {
      await closeStore(store);
      work(disk);
      disk.orderedKeys = null;
      store = await openStore(createMemoryStorage({ disk }), next);
    },
    reopen: async (next = options, between = () => {}) => {
      await closeStore(store);
      between(disk);
      disk.orderedKeys = null;
      store = await openStore(createMemoryStorage({ disk }), next);
    },
    close: () => closeStore(store),
  };
}

/** Keys of a kind, in their order. */
export const keysOfKind = (disk: MemoryDisk, kind: string): readonly string[] =>
  [...disk.records.keys()].filter((text) => text.startsWith(kind)).sort();

/** The ledger of an epoch adds up, and lists of samples say the same. Returns what it says. */
export async function exactLedger(store: QueryStore & HqStore, agent = 'a1') {
  const [entry] = await ledgerOf(store, agent);
  if (entry === undefined) throw new Error('there is no ledger');
  const { sampled, stored, pending, thinned, dropped, contiguous, ranges } = entry;
  const sum = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((all, count) => all + count, 0);
  if (sampled !== stored + pending + sum(thinned) + sum(dropped))
    throw new Error(`the ledger does not add up: ${JSON.stringify(entry)}`);
  const covered = coveredCount({ contiguous, ranges: ranges as unknown as readonly SeqRange[] });
  if (covered !== sampled - pending) throw new Error(`covered ${covered}: ${JSON.stringify(entry)}`);
  return { ...entry, seqs: await allSeqs(store) };
}
