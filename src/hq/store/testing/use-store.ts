/** A store of its own for each test of a `describe`. */
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach } from 'vitest';
import type { Storage } from '../../../storage/storage.ts';
import type { HqStoreOptions } from '../open-hq-store.ts';
import type { HqStore, IngestItem, ItemOutcome } from '../store.ts';
import { closeStore, type Home, homes, openStore, schema } from './frames.ts';

export const KINDS = ['memory', 'lmdb'] as const;

export type UsedStore = {
  /** The one that is open now. */
  readonly store: HqStore;
  readonly append: (...items: readonly IngestItem[]) => Promise<readonly ItemOutcome[]>;
  /** Closes the store and opens it on the same disk, after `between`. */
  readonly reopen: (
    options?: Partial<HqStoreOptions>,
    between?: (storage: Storage) => Promise<unknown>,
  ) => Promise<void>;
};

/** To be called in a `describe`. Agent `a1` has the schema of the test frames. */
export function useStore(kind: (typeof KINDS)[number]): UsedStore {
  let home: Home;
  let store: HqStore;
  beforeEach(async () => {
    home = homes[kind]();
    store = await openStore(await home.open());
    await firstValueFrom(store.putSchema('a1', schema));
  });
  afterEach(async () => {
    await closeStore(store);
    home.remove();
  });
  return {
    get store() {
      return store;
    },
    append: (...items) => firstValueFrom(store.append(items)),
    reopen: async (options = {}, between = async () => {}) => {
      await closeStore(store);
      const storage = await home.open();
      await between(storage);
      store = await openStore(storage, options);
    },
  };
}
