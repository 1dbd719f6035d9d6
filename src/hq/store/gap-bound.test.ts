import { firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { EMPTY_EPOCH, encodeEpochState, toJson } from './epoch-state.ts';
import { MAX_GAPS } from './gap-bound.ts';
import { agentRange, epochKey, parseSeqKey, seqKey } from './keys.ts';
import { closeStore, EPOCH, gapFrame, openStore, START } from './testing/frames.ts';
import { ledgerOf } from './testing/read.ts';

const REASONS = ['damaged', 'rejected'] as const;
const BROUGHT = 5_000;

it('keeps so many gaps of an agent, those that came last, and counts them all', async () => {
  const storage = createMemoryStorage();
  await firstValueFrom(
    storage.commit((writer) => {
      const state = {
        ...EMPTY_EPOCH,
        sampled: MAX_GAPS,
        dropped: { damaged: MAX_GAPS / 2, rejected: MAX_GAPS / 2 },
        coverage: { contiguous: MAX_GAPS, ranges: [] },
      };
      writer.put(epochKey('a1', EPOCH), encodeEpochState(state));
      for (let seq = 1; seq <= MAX_GAPS; seq += 1)
        writer.put(
          seqKey('G', 'a1', EPOCH, seq),
          toJson({ lastSeq: seq, reason: REASONS[seq % 2], fromTs: START, toTs: START }),
        );
    }),
  );
  const store = await openStore(storage);
  const frames = Array.from({ length: BROUGHT }, (_, at) =>
    gapFrame(MAX_GAPS + at + 1, MAX_GAPS + at + 1, REASONS[at % 2] ?? 'damaged'),
  );
  for (let at = 0; at < BROUGHT; at += 500) await firstValueFrom(store.append(frames.slice(at, at + 500)));
  const seqs = () =>
    storage.read((reader) =>
      reader.keys({ ...agentRange('G', 'a1'), limit: 2 * MAX_GAPS }).map((key) => parseSeqKey(key).seq),
    );
  await eventually(() => expect(seqs().length).toBe(MAX_GAPS));
  expect([seqs()[0], seqs().at(-1)]).toEqual([BROUGHT + 1, MAX_GAPS + BROUGHT]);
  expect(await ledgerOf(store)).toMatchObject([
    { sampled: MAX_GAPS + BROUGHT, pending: 0, dropped: { damaged: 12_500, rejected: 12_500 } },
  ]);
  await closeStore(store);
});
