import { firstValueFrom, lastValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { agentRange, kindRange, RECOUNT_KEY } from './keys.ts';
import { parseRollupKey, rollupKey, rollupStateKey } from './rollup-keys.ts';
import { forgetRollups } from './rollup-reset.ts';
import { encodeRollupState } from './rollup-state.ts';
import { closeStore, dataFrame, openStore, START, schema } from './testing/frames.ts';

const HOUR_MS = 3_600_000;

it('forgets rollups of which there are raw samples, and keeps older ones', async () => {
  const storage = createMemoryStorage({ disk: createMemoryDisk() });
  const store = await openStore(storage);
  await firstValueFrom(store.append([dataFrame(1, 300)]));
  const hour = Math.floor(START / HOUR_MS);
  await firstValueFrom(
    storage.commit((writer) => {
      writer.put(rollupStateKey('a1'), encodeRollupState({ to: 1, missed: {} }));
      writer.put(rollupStateKey(''), Buffer.from('{"floors":[]}'));
      for (const block of [hour - 1, hour])
        writer.put(
          rollupKey('a1', { ref: schema.ref, resolution: 0, block, level: 0, number: 1 }),
          Buffer.from('x'),
        );
    }),
  );
  await lastValueFrom(forgetRollups(storage), { defaultValue: null });
  const left = storage.read((reader) => reader.keys({ ...agentRange('U', 'a1'), limit: 10 }));
  expect(left.map((key) => parseRollupKey(key).block)).toEqual([hour - 1]);
  expect(storage.read((reader) => reader.keys({ ...kindRange('U'), limit: 10 }))).toHaveLength(2);
  expect(storage.read((reader) => reader.get(RECOUNT_KEY))).toBeUndefined();
  await closeStore(store);
});
