/** What became of each seq of a recording: stored with what was sampled, or in a gap, and never both. */
import { expect } from 'vitest';
import type { LedgerEntry, SampleDocument } from '../../src/protocol/api.ts';
import { allSamples } from './hq.ts';
import type { Recording } from './recording.ts';

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((a, b) => a + b, 0);

export type Expected = {
  /** Its only source, so that row n has seq n. */
  readonly recording: Recording;
  readonly hqUrl: string;
  /** The ledger of the epoch at HQ. */
  readonly entry: LedgerEntry;
  /** What the agent's own journal says. */
  readonly journal: { readonly epoch: string; readonly dropped: Readonly<Record<string, number>> };
};

/**
 * HQ's ledger adds up, says what the agent's say, and every seq is either stored with its row's values or in a gap.
 * Returns what is stored.
 */
export async function expectEveryFate({
  recording,
  hqUrl,
  entry,
  journal,
}: Expected): Promise<readonly SampleDocument[]> {
  const count = recording.rows.length;
  expect(entry).toMatchObject({
    epoch: journal.epoch,
    sampled: count,
    pending: 0,
    thinned: {},
    dropped: journal.dropped,
    contiguous: count,
    ranges: [],
  });
  expect(entry.stored + sum(entry.dropped)).toBe(count);

  const samples = await allSamples(hqUrl, 'edge');
  expect(samples.length).toBe(entry.stored);
  const fate: (string | undefined)[] = Array.from({ length: count + 1 });
  const meet = (seq: number, what: string) => {
    if (fate[seq] !== undefined) throw new Error(`seq ${seq}: ${fate[seq]} and ${what}`);
    fate[seq] = what;
  };
  for (const { seq, values } of samples) {
    meet(seq, 'stored');
    if (
      Object.entries(recording.rows[seq - 1] ?? {}).some(([name, value]) => !Object.is(values[name], value))
    ) {
      throw new Error(`seq ${seq}: ${JSON.stringify(values)} is not what was sampled`);
    }
  }
  const missed: Record<string, number> = {};
  for (const { firstSeq, lastSeq, reason } of entry.gaps) {
    for (let seq = firstSeq; seq <= lastSeq; seq += 1) {
      meet(seq, reason);
      missed[reason] = (missed[reason] ?? 0) + 1;
    }
  }
  expect(fate.findIndex((one, seq) => seq > 0 && one === undefined)).toBe(-1);
  expect(missed).toEqual(entry.dropped);
  return samples;
}
