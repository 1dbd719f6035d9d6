import { lastValueFrom } from 'rxjs';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { createMemoryStorage, type MemoryDisk } from '../../storage/memory/memory-storage.ts';
import { openJournal } from '../journal.ts';
import type { Journal, OverflowPolicy } from '../port.ts';
import { testSamples } from './test-samples.ts';

const clock = createSystemClock();

/** A journal on a disk in memory that outlives it. */
export const openOn = (
  disk: MemoryDisk,
  policy: OverflowPolicy = 'drop-oldest',
  maxBytes = 2 ** 20,
  compactSamples = 8,
) =>
  lastValueFrom(
    openJournal({
      storage: createMemoryStorage({ disk }),
      clock,
      ids: systemIds,
      policy,
      maxBytes,
      compactSamples,
    }),
  );
export const append = (journal: Journal, first: number, count: number) =>
  lastValueFrom(journal.append(testSamples(first, count)));
