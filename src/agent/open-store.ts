/**
 * Opens what an agent keeps its samples in: the journal in its data directory; or, when that lies on a disk that cannot
 * be written (read-only, failing, or so full that nothing can be opened), one in memory, so that sampling and delivery
 * go on.
 *
 * A journal in memory has an epoch of its own and the overflow policy that was chosen, occupies at most
 * MEMORY_JOURNAL_BYTES, and ends with the process: what HQ has not confirmed by then is lost, and stays `pending` in
 * HQ's ledger of that epoch. What lies in the data directory stays there untouched. As soon as the directory can be
 * written again and HQ has all but the newest samples, the agent sends those and starts again from the directory. One
 * that may not be written (permissions) is a mistake to be mended, and refused.
 */
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  catchError,
  concat,
  EMPTY,
  filter,
  firstValueFrom,
  interval,
  last,
  map,
  type Observable,
  take,
  takeUntil,
  throwError,
} from 'rxjs';
import { openJournal } from '../journal/journal.ts';
import type { Journal } from '../journal/port.ts';
import type { Clock } from '../platform/clock.ts';
import type { Ending } from '../platform/ending.ts';
import { errorText } from '../platform/error-text.ts';
import type { Ids } from '../platform/ids.ts';
import { prepareDirectory } from '../storage/directory/data-directory.ts';
import { openLmdbStorage } from '../storage/lmdb/lmdb-storage.ts';
import { createMemoryStorage } from '../storage/memory/memory-storage.ts';
import { type Damage, type Storage, StorageError } from '../storage/storage.ts';
import type { AgentConfig } from './config.ts';

/** Bound of a journal in memory. */
export const MEMORY_JOURNAL_BYTES = 16 * 2 ** 20;
/** Held back on the disk, beyond `journal.maxBytes`, for when it is full. */
const RESERVE_BYTES = 256 * 1024;
/** Frames that may still be unconfirmed when the agent starts again: it sends what is live before. */
const LIVE_FRAMES = 4;
/** How often it is tried whether the data directory can be written again. */
const LOOK_MS = 5_000;
const PROBE_FILE = 'write-probe';
const PROBE_BYTES = 2 * RESERVE_BYTES;
const UNWRITABLE_CODES: ReadonlySet<unknown> = new Set(['EROFS', 'EIO', 'ENOSPC', 'EDQUOT']);

export type AgentStore = {
  readonly journal: Journal;
  /** Where it lies: the data directory, or this agent's part of one that is shared. */
  readonly dataDir: string;
  readonly damage$: Observable<Damage>;
  /** Emits what ends this life of the agent, if anything does. */
  readonly ending$: Observable<Ending>;
  /** Why the journal is in memory; null when it is on the disk. */
  readonly inMemory: string | null;
};

export type OpenStoreOptions = {
  readonly config: Pick<AgentConfig, 'dataDir' | 'sharedDataDir' | 'journal'>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly newEpoch: boolean;
};

/** Agents that may share a directory. */
const MAX_SHARING = 1_000;

/** Rejects with a StorageError. */
export async function openStore(options: OpenStoreOptions): Promise<AgentStore> {
  const { config } = options;
  if (!config.sharedDataDir) return openIn(options);
  for (let place = 1; ; place += 1) {
    const dataDir = join(config.dataDir, `agent-${place}`);
    try {
      // Opened without a look before: two that looked at the same time would both pass it over.
      return await openIn({ ...options, config: { ...config, dataDir } });
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'locked' || place >= MAX_SHARING) throw error;
    }
  }
}

async function openIn(options: OpenStoreOptions): Promise<AgentStore> {
  try {
    return await openOnDisk(options);
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    return openInMemory(options, errorText(error));
  }
}

async function openOnDisk(options: OpenStoreOptions): Promise<AgentStore> {
  const { config, clock, newEpoch } = options;
  const storage = await firstValueFrom(
    openLmdbStorage({ directory: config.dataDir, role: 'agent', clock, reserveBytes: RESERVE_BYTES }),
  );
  const journal = await openOver(storage, options, { newEpoch, maxBytes: config.journal.maxBytes });
  const ending$ = storage.fatal$.pipe(map((error): Ending => ({ kind: 'failed', error })));
  return { journal, dataDir: config.dataDir, damage$: storage.damage$, ending$, inMemory: null };
}

async function openInMemory(options: OpenStoreOptions, reason: string): Promise<AgentStore> {
  const { config, clock } = options;
  const storage = createMemoryStorage();
  const maxBytes = Math.min(config.journal.maxBytes, MEMORY_JOURNAL_BYTES);
  const journal = await openOver(storage, options, { inMemory: true, maxBytes });
  const isBack = () => journal.stats().pendingFrames <= LIVE_FRAMES && canWrite(config.dataDir);
  const ending$ = interval(LOOK_MS, clock.scheduler).pipe(
    takeUntil(journal.stats$.pipe(last())),
    filter(isBack),
    take(1),
    map((): Ending => {
      const reason = `The data directory ${config.dataDir} can be written again; the agent starts again from it.`;
      return { kind: 'restart', reason };
    }),
  );
  return { journal, dataDir: config.dataDir, damage$: storage.damage$, ending$, inMemory: reason };
}

function openOver(
  storage: Storage,
  { config, clock, ids }: OpenStoreOptions,
  more: { readonly maxBytes: number; readonly newEpoch?: boolean; readonly inMemory?: boolean },
): Promise<Journal> {
  return firstValueFrom(
    openJournal({ storage, clock, ids, policy: config.journal.overflow, ...more }).pipe(
      catchError((error: unknown) =>
        concat(
          storage.close().pipe(catchError(() => EMPTY)),
          throwError(() => error),
        ),
      ),
    ),
  );
}

function isUnwritable(error: unknown): boolean {
  if (!(error instanceof StorageError)) return false;
  const { code, cause } = error;
  return code === 'full' || (cause instanceof Error && 'code' in cause && UNWRITABLE_CODES.has(cause.code));
}

/** Whether there would be room for a reserve, too. */
function canWrite(directory: string): boolean {
  const path = join(directory, PROBE_FILE);
  try {
    prepareDirectory(directory);
    const file = openSync(path, 'w', 0o600);
    try {
      for (let left = PROBE_BYTES; left > 0; ) left -= writeSync(file, Buffer.alloc(left));
      fsyncSync(file);
    } finally {
      closeSync(file);
      rmSync(path, { force: true });
    }
    return true;
  } catch {
    return false;
  }
}
