import { lastValueFrom } from 'rxjs';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import type { Coverage } from '../../protocol/coverage.ts';
import type { Storage } from '../../storage/storage.ts';
import { type JournalOptions, openJournal } from '../journal.ts';
import type { Appended, Journal, JournalStats } from '../port.ts';
import { noisySamples, testSamples } from './test-samples.ts';

export type JournalHarness = {
  readonly open: () => Promise<Storage>;
  /** Makes the stored value at `key` fail its checksum, while the storage is open. */
  readonly damage: (key: Uint8Array) => void;
  readonly dispose: () => void;
};

/** One journal under test; `journal` is the one that is open. */
export type JournalRig = {
  readonly harness: JournalHarness;
  journal: Journal;
  readonly close: () => Promise<void>;
  readonly reopen: (options?: Partial<JournalOptions>) => Promise<Journal>;
  readonly append: (first: number, count: number) => Promise<Appended>;
  /** The same with samples that do not compress. */
  readonly appendNoisy: (first: number, count: number) => Promise<Appended>;
  readonly release: (acked: Coverage) => Promise<JournalStats>;
  /** Appends until the quota is reached; how many samples that took. */
  readonly fill: () => Promise<number>;
};

/** What a journal promises: the test of each, by what it says. */
export type JournalPromises = Readonly<Record<string, (rig: JournalRig) => Promise<void>>>;

const clock = createSystemClock();

export async function createJournalRig(harness: JournalHarness): Promise<JournalRig> {
  const rig: JournalRig = {
    harness,
    journal: await open(harness),
    close: () => lastValueFrom(rig.journal.close(), { defaultValue: undefined }),
    reopen: async (options) => {
      await rig.close();
      rig.journal = await open(harness, options);
      return rig.journal;
    },
    append: (first, count) => lastValueFrom(rig.journal.append(testSamples(first, count))),
    appendNoisy: (first, count) => lastValueFrom(rig.journal.append(noisySamples(first, count))),
    release: (acked) => lastValueFrom(rig.journal.release(acked)),
    fill: async () => {
      let n = 1;
      for (; !rig.journal.stats().overflowing && n < 5000; n += 20) await rig.appendNoisy(n, 20);
      return n - 1;
    },
  };
  return rig;
}

async function open(harness: JournalHarness, options: Partial<JournalOptions> = {}): Promise<Journal> {
  const storage = await harness.open();
  return lastValueFrom(
    openJournal({
      storage,
      clock,
      ids: systemIds,
      policy: 'drop-oldest',
      maxBytes: 64 * 2 ** 20,
      ...options,
    }),
  );
}
