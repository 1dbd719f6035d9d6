/** Deliveries over HTTP in the store: once per key, whole or not at all, in one transaction with frames. */
import fc from 'fast-check';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { StorageError } from '../../storage/storage.ts';
import type { IngestFrame } from './store.ts';
import { closeStore, dataFrame, delivery, gapFrame, openStore, START } from './testing/frames.ts';
import { coverageOf, ledgerOf, numbersOf } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

const DAY_MS = 86_400_000;
const stored = (count: number) => ({ stored: count, duplicates: 0, keyReusedAt: null });
const repeated = (count: number) => ({ stored: 0, duplicates: count, keyReusedAt: null });
const refused = (agent: string) => ({ stored: 0, duplicates: 0, keyReusedAt: agent });

describe.each(KINDS)('a delivery to the store over %s', (kind) => {
  const at = useStore(kind);

  it('is stored in an epoch of its own, once per key, through restarts', async () => {
    expect(await at.append(delivery('k'))).toMatchObject([stored(2)]);
    expect(await at.append(delivery('k'))).toMatchObject([repeated(2)]);
    await at.reopen();
    expect(await at.append(delivery('k'))).toMatchObject([repeated(2)]);
    expect(await at.append(delivery('k', { content: 2 }))).toMatchObject([refused('web')]);
    expect((await ledgerOf(at.store, 'web'))[0]).toMatchObject({ sampled: 2, stored: 2 });
    const other = delivery('other', { arrivalTs: START + 1 });
    expect(await at.append(other)).toMatchObject([stored(2)]);
    const late = delivery('k', { content: 2, arrivalTs: START + 2 * DAY_MS });
    expect(await at.append(late), 'the key has expired').toMatchObject([stored(2)]);
    const [entry, ...others] = await ledgerOf(at.store, 'web');
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ sampled: 6, stored: 6, pending: 0, contiguous: 6 });
    expect(await firstValueFrom(at.store.epoch('web', entry?.epoch ?? ''))).toMatchObject({ owned: true });
    expect((await numbersOf(at.store, 'web')).seriesCount).toBe(2);
  });

  it('goes into one transaction with frames, each with its own outcome', async () => {
    const seen: string[] = [];
    at.store.appended$.subscribe(({ frame: { agent, lane } }) => void seen.push(`${agent} ${lane}`));
    const outcomes = await at.append(
      dataFrame(1, 5, { lane: 'live' }),
      delivery('k', { agents: ['web', 'a1'] }),
      gapFrame(6, 9, 'overflow_oldest'),
    );
    expect(outcomes).toMatchObject([{ stored: 5 }, stored(4), { dropped: 4, coverage: { contiguous: 9 } }]);
    expect(seen).toEqual(['a1 live', 'web http', 'a1 http', 'a1 backlog']);
    expect(await ledgerOf(at.store)).toHaveLength(2);
    expect(await coverageOf(at.store)).toEqual({ contiguous: 9, ranges: [] });
  });

  it('of a key that comes twice in one group is stored once, and refused with other content', async () => {
    const twins = [
      delivery('k'),
      delivery('k'),
      delivery('k', { content: 2 }),
      delivery('l', { content: 2 }),
    ];
    expect(await at.append(...twins)).toMatchObject([stored(2), repeated(2), refused('web'), stored(2)]);
    await at.reopen();
    expect(await ledgerOf(at.store, 'web')).toMatchObject([{ sampled: 4, stored: 4, contiguous: 4 }]);
    expect((await numbersOf(at.store, 'web')).seriesCount).toBe(2);
  });

  it('of several agents is refused as a whole when its key was used for other content of one', async () => {
    await at.append(delivery('k', { agents: ['two'] }));
    const all = ['one', 'two', 'three'];
    expect(await at.append(delivery('k', { agents: all, content: 2 }))).toMatchObject([refused('two')]);
    expect(await firstValueFrom(at.store.agents())).toMatchObject([{ agent: 'two' }]);
    expect(await at.append(delivery('k', { agents: all }))).toMatchObject([
      { stored: 4, duplicates: 2, keyReusedAt: null },
    ]);
  });

  it('of a frame that cannot be read in the same group leaves nothing behind', async () => {
    const broken: IngestFrame = { ...gapFrame(1, 2, 'overflow_oldest'), bytes: Uint8Array.of(1, 2, 3) };
    await expect(at.append(delivery('k'), broken)).rejects.toThrow();
    expect(await firstValueFrom(at.store.agents())).toEqual([]);
    expect(await at.append(delivery('k'))).toMatchObject([stored(2)]);
  });
});

describe('deliveries whose commits fail', () => {
  it('are stored once however often they come again', async () => {
    const step = fc.record({
      group: fc.array(
        fc.record({ key: fc.integer({ min: 1, max: 4 }), content: fc.integer({ min: 1, max: 2 }) }),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const disk = createMemoryDisk();
        let fails = false;
        const refuseCommit = () => (fails ? new StorageError('io', 'no') : null);
        const store = await openStore(createMemoryStorage({ disk, refuseCommit }));
        const contentOf = new Map<number, number>();
        for (const one of steps) {
          fails = one.fails;
          const items = one.group.map(({ key, content }) => delivery(`${key}`, { content, seqs: [key] }));
          const appended = firstValueFrom(store.append(items));
          if (fails) {
            await expect(appended).rejects.toThrow(StorageError);
            continue;
          }
          const expected = one.group.map(({ key, content }) => {
            const known = contentOf.get(key);
            if (known === undefined) contentOf.set(key, content);
            if (known === undefined) return stored(1);
            return known === content ? repeated(1) : refused('web');
          });
          expect(await appended).toMatchObject(expected);
        }
        const [entry] = await ledgerOf(store, 'web');
        expect(entry?.stored ?? 0).toBe(contentOf.size);
        expect(entry?.contiguous ?? 0).toBe(contentOf.size);
        fails = false;
        await closeStore(store);
      }),
      { numRuns: 100 },
    );
  });
});
