/** What the journal promises, as tests. Run it on each Storage. */
import { afterEach, beforeEach, describe, it } from 'vitest';
import { APPEND_PROMISES } from './append.contract.ts';
import { QUOTA_PROMISES } from './quota.contract.ts';
import { RELEASE_PROMISES } from './release.contract.ts';
import { createJournalRig, type JournalHarness, type JournalRig } from './testing/contract-rig.ts';
import { expectExactLedger } from './testing/pending.ts';

export function describeJournalContract(name: string, createHarness: () => JournalHarness): void {
  describe(`${name} keeps the journal contract`, () => {
    let rig: JournalRig;
    beforeEach(async () => {
      rig = await createJournalRig(createHarness());
    });
    afterEach(async () => {
      expectExactLedger(rig.journal.stats());
      await rig.close();
      rig.harness.dispose();
    });

    for (const [promise, holds] of Object.entries({ ...APPEND_PROMISES, ...RELEASE_PROMISES }))
      it(promise, () => holds(rig));
    describe('at its quota', () => {
      for (const [promise, holds] of Object.entries(QUOTA_PROMISES)) it(promise, () => holds(rig));
    });
  });
}
