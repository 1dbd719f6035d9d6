/** A store of its own for each test of a `describe`. */
import { asyncScheduler, firstValueFrom } from 'rxjs';
import { afterEach, beforeEach } from 'vitest';
import { seededRandom } from '../../../platform/random.ts';
import type { Storage } from '../../../storage/storage.ts';
import type { HqStoreOptions } from '../open-hq-store.ts';
import type { HqStore, IngestItem, ItemOutcome } from '../store.ts';
import { closeStore, type Home, homes, openStore, schema } from './frames.ts';
import { lateStore } from './late-store.ts';

/** `late`: over memory, behind answers that take their time. */
export const KINDS = ['memory', 'lmdb', 'late'] as const;
type Kind = (typeof KINDS)[number];

const MAX_DELAY_MS = 3;

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
export function useStore(kind: Kind): UsedStore {
  let home: Home;
  let store: HqStore;
  const open = async (storage: Storage, options: Partial<HqStoreOptions> = {}) => {
    store = inKind(kind, await openStore(storage, options));
  };
  beforeEach(async () => {
    home = homes[kind === 'late' ? 'memory' : kind]();
    await open(await home.open());
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
      await open(storage, options);
    },
  };
}

function inKind(kind: Kind, store: HqStore): HqStore {
  if (kind !== 'late') return store;
  const random = seededRandom(1);
  return lateStore(store, { scheduler: asyncScheduler, delayMs: () => random.next() * MAX_DELAY_MS });
}
