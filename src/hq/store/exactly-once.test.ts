/** Whatever comes in whatever order, each seq counts once: against a model made of Maps. */
import fc from 'fast-check';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { StorageError } from '../../storage/storage.ts';
import type { HqStore } from './store.ts';
import { closeStore, dataFrame, gapFrame, homes, openStore, START, schema } from './testing/frames.ts';
import { ledgerOf, readBuckets } from './testing/read.ts';

const AGENTS = ['a1', 'a2'] as const;
const EPOCHS = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'] as const;

const place = fc.record({
  agent: fc.constantFrom(...AGENTS),
  epoch: fc.constantFrom(...EPOCHS),
  first: fc.integer({ min: 1, max: 60 }),
  length: fc.integer({ min: 1, max: 25 }),
});
const frame = fc.record({ place, gap: fc.boolean() });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      frames: fc.array(frame, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hello' as const), place }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
);

type Fate = 'stored' | 'overflow_oldest' | 'lost_at_hq';
/** Fate of each seq by `agent/epoch`, and the highest seq heard of. */
class Model {
  readonly fates = new Map<string, Map<number, Fate>>();
  readonly sampled = new Map<string, number>();

  account(key: string, first: number, last: number, fate: Fate): number {
    const fates = this.fates.get(key) ?? new Map<number, Fate>();
    this.fates.set(key, fates);
    let added = 0;
    for (let seq = first; seq <= last; seq += 1) {
      if (fates.has(seq)) continue;
      fates.set(seq, fate);
      added += 1;
    }
    this.hear(key, added > 0 ? last : 0);
    return added;
  }
  hear(key: string, seq: number): void {
    this.sampled.set(key, Math.max(this.sampled.get(key) ?? 0, seq));
  }
  seqs(key: string, fate: Fate): number[] {
    const all = [...(this.fates.get(key) ?? [])].filter(([, one]) => one === fate).map(([seq]) => seq);
    return all.sort((a, b) => a - b);
  }
}

async function check(store: HqStore, model: Model): Promise<void> {
  for (const agent of AGENTS) {
    const page = await firstValueFrom(
      store.samples({ agent, limit: 10_000, cursor: null, from: 0, to: START * 2 }),
    );
    for (const entry of await ledgerOf(store, agent)) {
      const key = `${agent}/${entry.epoch}`;
      const stored = model.seqs(key, 'stored');
      const shown = page.items.filter(({ epoch }) => epoch === entry.epoch).map(({ seq }) => seq);
      expect(shown).toEqual(stored);
      expect(entry.stored).toBe(stored.length);
      const lost = { overflow_oldest: 0, lost_at_hq: 0, ...entry.dropped };
      expect(lost.overflow_oldest).toBe(model.seqs(key, 'overflow_oldest').length);
      expect(lost.lost_at_hq).toBe(model.seqs(key, 'lost_at_hq').length);
      expect(entry.sampled).toBe(model.sampled.get(key));
      const dropped = Object.values(entry.dropped).reduce((sum, count) => sum + count, 0);
      expect(entry.sampled).toBe(entry.stored + entry.pending + dropped);
      const inGaps = entry.gaps.reduce((sum, gap) => sum + gap.lastSeq - gap.firstSeq + 1, 0);
      expect(inGaps).toBe(dropped);
    }
    const range = { stepMs: 1000, from: START, to: START + 100_000 };
    const buckets = await readBuckets(store, { agent, ...range });
    const counted = buckets.reduce((sum, { count }) => sum + count, 0);
    expect(counted).toBe(page.items.length);
  }
}

describe('exactly once', () => {
  it.each([
    ['memory', 60],
    ['lmdb', 8],
  ] as const)('every seq counts once over %s, through restarts', async (kind, runs) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const home = homes[kind]();
        const open = async () => {
          const opened = await openStore(await home.open());
          for (const agent of AGENTS) await firstValueFrom(opened.putSchema(agent, schema));
          return opened;
        };
        let store = await open();
        const model = new Model();
        try {
          for (const one of steps) {
            if (one.kind === 'reopen') {
              await closeStore(store);
              store = await open();
            } else if (one.kind === 'hello') {
              const { agent, epoch, first, length } = one.place;
              const key = `${agent}/${epoch}`;
              await firstValueFrom(
                store.noteEpoch({ agent, epoch, sampled: first + length, released: first, ts: START }),
              );
              model.account(key, 1, first, 'lost_at_hq');
              model.hear(key, first + length);
            } else {
              const frames = one.frames.map(({ place: { agent, epoch, first, length }, gap }) => {
                const last = first + length - 1;
                return gap
                  ? gapFrame(first, last, 'overflow_oldest', { agent, epoch })
                  : dataFrame(first, last, { agent, epoch });
              });
              const outcomes = await firstValueFrom(store.append(frames));
              frames.forEach(({ agent, header }, index) => {
                const fate = header.kind === 'gap' ? 'overflow_oldest' : 'stored';
                const last = header.firstSeq + header.count - 1;
                const added = model.account(`${agent}/${header.epoch}`, header.firstSeq, last, fate);
                const outcome = outcomes[index];
                expect((outcome?.stored ?? 0) + (outcome?.dropped ?? 0)).toBe(added);
                expect(outcome?.duplicates).toBe(header.count - added);
              });
            }
          }
          await check(store, model);
        } finally {
          await closeStore(store);
          home.remove();
        }
      }),
      { numRuns: runs },
    );
  });

  it('commits that fail, alone or behind others, leave nothing that is acked and nothing that is counted twice', async () => {
    const bursts = fc.array(
      fc.record({ frames: fc.array(frame, { minLength: 1, maxLength: 3 }), fails: fc.boolean() }),
      {
        minLength: 1,
        maxLength: 10,
      },
    );
    await fc.assert(
      fc.asyncProperty(bursts, async (all) => {
        const disk = createMemoryDisk();
        let fails = false;
        const refuseCommit = () => (fails ? new StorageError('io', 'no') : null);
        const store = await openStore(createMemoryStorage({ disk, refuseCommit }));
        for (const agent of AGENTS) await firstValueFrom(store.putSchema(agent, schema));
        const model = new Model();
        for (const burst of all) {
          const frames = burst.frames.map(({ place: { agent, epoch, first, length } }) =>
            dataFrame(first, first + length - 1, { agent, epoch }),
          );
          fails = burst.fails;
          const appended = firstValueFrom(store.append(frames));
          if (burst.fails) await expect(appended).rejects.toThrow(StorageError);
          else {
            await appended;
            for (const { agent, header } of frames) {
              model.account(
                `${agent}/${header.epoch}`,
                header.firstSeq,
                header.firstSeq + header.count - 1,
                'stored',
              );
            }
          }
          fails = false;
        }
        await check(store, model);
        await closeStore(store);
      }),
      { numRuns: 60 },
    );
  });
});
