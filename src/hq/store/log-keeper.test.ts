import fc from 'fast-check';
import { asyncScheduler, firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/long.ts';
import type { Coverage } from '../../protocol/coverage.ts';
import {
  createMemoryDisk,
  createMemoryStorage,
  type MemoryDisk,
} from '../../storage/memory/memory-storage.ts';
import { StorageError } from '../../storage/storage.ts';
import { appendFrame } from './append-frame.ts';
import { loadView } from './load-view.ts';
import { createLogKeeper } from './log-keeper.ts';
import { createSchemaCatalogue } from './schema-catalogue.ts';
import { dataFrame } from './testing/frames.ts';
import { framesBetween, loadFrame } from './time-index.ts';
import { createTransactions } from './transactions.ts';

const AGENTS = ['a1', 'a2'];
const TICK_MS = 10_000;

/** A store of which each step is taken by hand, and each commit may fail. */
function steps() {
  const disk = createMemoryDisk();
  let now = 0;
  let fails = false;
  const refuseCommit = () => (fails ? new StorageError('io', 'no') : null);
  const storage = createMemoryStorage({ disk, refuseCommit });
  const transactions = createTransactions(storage, loadView, () => 0);
  const context = {
    storage,
    tail: (agent: string) => transactions.durable.tails.get(agent) ?? [],
    schemas: createSchemaCatalogue(storage),
    maxAheadMs: Number.POSITIVE_INFINITY,
    onBadFrame: (_agent: string, _epoch: string, _seq: number, error: unknown) => expect.fail(String(error)),
  };
  const keeper = createLogKeeper({
    storage,
    transactions,
    context,
    clock: { ...fakeClock(() => now), scheduler: asyncScheduler },
    backpressure: { counted: () => (source) => source, high: () => false, pauseMs: () => 0 },
    readTo: () => transactions.lastNumber(),
    emit: () => {},
  });
  const next = new Map(AGENTS.map((agent) => [agent, 1]));
  return {
    disk,
    transactions,
    append: (agent: string, size: number) => {
      const first = next.get(agent) ?? 1;
      const frame = dataFrame(first, first + size - 1, { agent });
      return firstValueFrom(transactions.run((transaction) => appendFrame(transaction, frame))).then(() =>
        next.set(agent, first + size),
      );
    },
    file: () => firstValueFrom(keeper.file({ arrivedBefore: Number.POSITIVE_INFINITY })),
    save: () => firstValueFrom(keeper.save()),
    tick: async () => {
      now += TICK_MS;
    },
    fail: (value: boolean) => {
      fails = value;
    },
    stored: (agent: string) => (next.get(agent) ?? 1) - 1,
  };
}

const fakeClock = (precise: () => number) => ({ precise, now: precise, mono: precise, bootId: 'boot' });

/** What a start would make of the disk. */
function started(
  disk: MemoryDisk,
  agent: string,
): { coverage: Coverage | undefined; seqs: readonly number[] } {
  const storage = createMemoryStorage({
    disk: { ...disk, records: new Map(disk.records), orderedKeys: null },
  });
  const { view } = storage.read(loadView);
  const source = { storage, tail: (one: string) => view.tails.get(one) ?? [] };
  const seqs = new Set<number>();
  const ever = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };
  for (const ref of framesBetween(source, agent, ever)) {
    if (ref === null) continue;
    for (const { first, last } of loadFrame(source, agent, ref)?.segments ?? [])
      for (let seq = first; seq <= last; seq += 1) seqs.add(seq);
  }
  const [state] = view.epochs.get(agent)?.values() ?? [];
  return { coverage: state?.coverage, seqs: [...seqs].sort((one, other) => one - other) };
}

describe('the keeper of the log', () => {
  it('leaves at any moment, whatever fails, a disk that tells all that was stored', async () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('append' as const),
          agent: fc.constantFrom(...AGENTS),
          size: fc.constantFrom(1, 3, 300),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constantFrom('file' as const, 'save' as const, 'tick' as const) }),
      },
    );
    const run = fc.array(fc.record({ step, fails: fc.boolean() }), { minLength: 5, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(run, async (all) => {
        const world = steps();
        for (const { step: one, fails } of all) {
          world.fail(fails);
          const done = one.kind === 'append' ? world.append(one.agent, one.size) : world[one.kind]();
          await Promise.resolve(done).catch((error: unknown) => expect(error).toBeInstanceOf(StorageError));
          for (const agent of AGENTS) {
            const stored = world.stored(agent);
            const { coverage, seqs } = started(world.disk, agent);
            expect(coverage?.contiguous ?? 0).toBe(stored);
            expect(seqs).toEqual(Array.from({ length: stored }, (_, at) => at + 1));
          }
        }
      }),
      { numRuns: sized(60, 2_000) },
    );
  });
});
