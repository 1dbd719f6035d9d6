import {
  concat,
  EMPTY,
  from,
  interval,
  map,
  mergeMap,
  NEVER,
  type Observable,
  of,
  range,
  type SchedulerLike,
  take,
  timer,
} from 'rxjs';
import { describe, expect, it } from 'vitest';
import { commit } from '../../src/agent/pipeline/commit.ts';
import type { CommitStatus } from '../../src/agent/pipeline/pipeline-types.ts';
import { blockOf } from '../../src/protocol/codec/testing/blocks.ts';
import type { SampleRows } from '../../src/protocol/sample-block.ts';
import { StorageError } from '../../src/storage/storage.ts';
import { marbles } from '../marbles.ts';
import { type Answer, fakeJournal, half, recorder, sampleOf, virtualClock } from './support.ts';

type Run = {
  /** Several together are a block. */
  readonly samples: (scheduler: SchedulerLike) => Observable<number | readonly number[]>;
  readonly answers?: (attempt: number) => Answer;
  readonly settings?: Partial<{ commitMs: number; commitMaxCount: number; maxUncommitted: number }>;
  readonly leaveAt?: number;
};

function run({ samples, answers = () => ({ afterMs: 5 }), settings, leaveAt }: Run) {
  const { emit, events, of: eventsOf } = recorder();
  const statuses: CommitStatus[] = [];
  const demand: { at: number; room: boolean }[] = [];
  const ended: { at: number | null } = { at: null };
  let journal: ReturnType<typeof fakeJournal> | undefined;
  marbles(({ scheduler }) => {
    const fake = fakeJournal(scheduler, answers);
    journal = fake;
    const running = samples(scheduler)
      .pipe(
        map(
          (value): SampleRows => (typeof value === 'number' ? sampleOf(value) : blockOf(value.map(sampleOf))),
        ),
        commit({
          append: fake.append,
          settings: { commitMs: 200, commitMaxCount: 100, maxUncommitted: 1000, ...settings },
          clock: virtualClock(scheduler),
          random: half,
          emit,
          onDemand: (room) => demand.push({ at: scheduler.now(), room }),
          onStatus: (status) => statuses.push(status),
        }),
      )
      .subscribe({
        complete: () => {
          ended.at = scheduler.now();
        },
      });
    if (leaveAt !== undefined) timer(leaveAt, scheduler).subscribe(() => running.unsubscribe());
  });
  if (journal === undefined) throw new Error('did not run');
  expect(journal.overlap, 'one append at a time').not.toHaveBeenCalled();
  return { journal, events, eventsOf, demand, ended, last: () => statuses.at(-1), statuses };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('gathering samples for a commit', () => {
  it('commits what came within commitMs of the first as one batch', () => {
    const { journal, ended } = run({
      samples: (scheduler) => concat(interval(60, scheduler).pipe(take(6)), NEVER),
      leaveAt: 1000,
    });
    expect(journal.values()).toEqual([
      [0, 1, 2, 3],
      [4, 5],
    ]);
    expect(journal.attempts.map(({ at }) => at)).toEqual([260, 500]);
    expect(ended.at).toBeNull();
  });

  it('commits at once when a batch is full', () => {
    const { journal } = run({ samples: () => concat(range(0, 250), NEVER), leaveAt: 1000 });
    expect(journal.values().map((batch) => batch.length)).toEqual([100, 100, 50]);
    expect(journal.values().flat()).toEqual(upTo(250));
    expect(journal.attempts.map(({ at }) => at)).toEqual([0, 5, 205]);
  });

  it('gives every sample a commit of its own at commitMs 0', () => {
    const { journal } = run({ samples: () => range(0, 4), settings: { commitMs: 0 } });
    expect(journal.values()).toEqual([[0], [1], [2], [3]]);
    expect(journal.attempts.map(({ at }) => at)).toEqual([0, 5, 10, 15]);
  });

  it('does not fall into small commits because one of them is slow', () => {
    const { journal } = run({
      samples: (scheduler) => interval(10, scheduler).pipe(take(200)),
      answers: (attempt) => ({ afterMs: attempt === 1 ? 300 : 5 }),
    });
    expect(journal.values().flat()).toEqual(upTo(200));
    expect(journal.attempts.length).toBeLessThanOrEqual(11);
  });

  it('flushes what is left when the source ends, and ends after it', () => {
    const { journal, ended, last } = run({
      samples: () => from([1, 2, 3]),
      answers: () => ({ afterMs: 40 }),
    });
    expect(journal.values()).toEqual([[1, 2, 3]]);
    expect(ended.at).toBe(40);
    expect(last()).toEqual({ uncommitted: 0, committed: 3, discarded: 0, failure: null });
  });

  it('ends at once when there was nothing', () => {
    expect(run({ samples: () => from([]) }).ended.at).toBe(0);
  });

  it('cancels its timer and the append when left', () => {
    const { journal } = run({ samples: () => concat(of(1), NEVER), leaveAt: 100 });
    expect(journal.attempts).toEqual([]);
  });
});

describe('samples in blocks', () => {
  const from100 = (index: number) => upTo(30).map((row) => index * 30 + row);
  const paced = (scheduler: SchedulerLike) => interval(10, scheduler).pipe(take(40));

  it('are counted, cut and committed like samples one by one', () => {
    const settings = { commitMaxCount: 70, maxUncommitted: 1000 };
    const blocks = run({ samples: (scheduler) => paced(scheduler).pipe(map(from100)), settings });
    const single = run({ samples: (scheduler) => paced(scheduler).pipe(mergeMap(from100)), settings });
    expect(blocks.journal.values().flat()).toEqual(upTo(1200));
    expect(blocks.journal.values().map(({ length }) => length)).toContain(70);
    expect(blocks.last()).toEqual(single.last());
    expect(blocks.eventsOf('samples_discarded')).toEqual([]);
  });

  it('lose their oldest samples alone beyond the bound', () => {
    const { journal, eventsOf, last } = run({
      samples: (scheduler) => paced(scheduler).pipe(map(from100)),
      answers: () => ({ afterMs: 100 }),
      settings: { commitMaxCount: 25, maxUncommitted: 100 },
    });
    const kept = journal.values().flat();
    const lost = eventsOf('samples_discarded').reduce((sum, { count }) => sum + Number(count), 0);
    expect(lost).toBeGreaterThan(0);
    expect(kept.length + lost).toBe(1200);
    expect(new Set(kept).size).toBe(kept.length);
    expect(kept.toSorted((a, b) => Number(a) - Number(b))).toEqual(kept);
    expect(last()).toMatchObject({ committed: kept.length, discarded: lost, uncommitted: 0 });
  });

  it('are recycled once the last of their samples is durable, and never when that one is lost', () => {
    const recycled: (readonly [index: number, isDurable: boolean])[] = [];
    let durable: readonly unknown[] = [];
    const lastOf = (index: number) => index * 30 + 29;
    marbles(({ scheduler }) => {
      const fake = fakeJournal(scheduler, () => ({ afterMs: 100 }));
      interval(10, scheduler)
        .pipe(
          take(20),
          map((index) => ({
            ...blockOf(from100(index).map(sampleOf)),
            recycle: () => recycled.push([index, fake.values().flat().includes(lastOf(index))]),
          })),
          commit({
            append: fake.append,
            settings: { commitMs: 20, commitMaxCount: 25, maxUncommitted: 200 },
            clock: virtualClock(scheduler),
            random: half,
            emit: () => {},
            onDemand: () => {},
            onStatus: () => {},
          }),
        )
        .subscribe({
          complete: () => {
            durable = fake.values().flat();
          },
        });
    });
    const expected = upTo(20).filter((index) => durable.includes(lastOf(index)));
    expect(recycled).toEqual(expected.map((index) => [index, true]));
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.length).toBeLessThan(20);
  });

  it('are one commit each without a commit time', () => {
    const { journal } = run({ samples: () => from([[1, 2, 3], 4]), settings: { commitMs: 0 } });
    expect(journal.values()).toEqual([[1], [2], [3], [4]]);
  });
});

describe('a journal that fails', () => {
  const failing = (until: number) => (attempt: number) =>
    attempt <= until ? { afterMs: 5, error: new StorageError('full', 'no space left') } : { afterMs: 5 };

  it('is tried again with exactly the same batch, and nothing is lost or reordered', () => {
    const { journal, eventsOf } = run({
      samples: (scheduler) => interval(20, scheduler).pipe(take(100)),
      answers: failing(4),
    });
    expect(journal.values().flat()).toEqual(upTo(100));
    const [first, ...retries] = journal.attempts.slice(0, 5);
    for (const { batch } of retries) expect(batch).toBe(first?.batch);
    const waits = journal.attempts
      .slice(1, 5)
      .map(({ at }, index) => at - (journal.attempts[index]?.at ?? 0));
    expect(waits).toEqual([5 + 100 + 125, 5 + 100 + 250, 5 + 100 + 500, 5 + 100 + 1000]);
    expect(eventsOf('commit_failed')).toHaveLength(4);
    expect(eventsOf('commit_failing')).toHaveLength(1);
    expect(eventsOf('commit_recovered')).toEqual([{ type: 'commit_recovered', attempts: 4, discarded: 0 }]);
    expect(eventsOf('samples_discarded')).toEqual([]);
  });

  it('shows its failure while it lasts', () => {
    const { statuses, last } = run({ samples: () => from([1]), answers: failing(2) });
    expect(statuses.some(({ failure }) => failure === 'no space left')).toBe(true);
    expect(last()?.failure).toBeNull();
  });

  it('costs the oldest waiting samples beyond the bound, counted and logged once', () => {
    const { journal, eventsOf, last } = run({
      samples: (scheduler) => interval(10, scheduler).pipe(take(200)),
      answers: failing(6),
      settings: { commitMaxCount: 10, maxUncommitted: 40 },
    });
    const kept = journal.values().flat();
    const lost = eventsOf('samples_discarded').reduce((sum, { count }) => sum + Number(count), 0);
    expect(lost).toBeGreaterThan(0);
    expect(kept.length + lost).toBe(200);
    expect(last()).toMatchObject({ committed: kept.length, discarded: lost, uncommitted: 0 });
    expect(eventsOf('discarding')).toEqual([{ type: 'discarding', limit: 40 }]);
    // The batch under way stays whole: its commit may have happened.
    expect(kept.slice(0, 10)).toEqual(upTo(10));
    expect(kept).toEqual([...upTo(10), ...upTo(200).slice(10 + lost)]);
  });

  it('ends the run when it was closed for good, and names what is lost', () => {
    const { ended, last, eventsOf } = run({
      samples: () => concat(range(0, 30), NEVER),
      answers: () => ({ afterMs: 5, error: new StorageError('closed', 'the journal is closed') }),
      settings: { commitMaxCount: 10 },
    });
    expect(ended.at).toBe(5);
    expect(last()).toMatchObject({ uncommitted: 0, committed: 0, discarded: 30 });
    expect(eventsOf('samples_discarded').reduce((sum, { count }) => sum + Number(count), 0)).toBe(30);
  });

  it('is not believed when it completes without a word', () => {
    const { emit, of: eventsOf } = recorder();
    marbles(({ scheduler }) => {
      const running = of(sampleOf(1))
        .pipe(
          commit({
            append: () => EMPTY,
            settings: { commitMs: 0, commitMaxCount: 1, maxUncommitted: 16 },
            clock: virtualClock(scheduler),
            random: half,
            emit,
            onDemand: () => {},
            onStatus: () => {},
          }),
        )
        .subscribe();
      timer(1000, scheduler).subscribe(() => running.unsubscribe());
    });
    expect(eventsOf('commit_failed').length).toBeGreaterThan(1);
    expect(eventsOf('samples_committed')).toEqual([]);
  });
});

describe('back-pressure', () => {
  it('tells sources to pause at two full batches and to go on at one', () => {
    const { demand, journal } = run({
      samples: () => range(0, 25),
      settings: { commitMaxCount: 10, maxUncommitted: 1000 },
      answers: () => ({ afterMs: 5 }),
    });
    expect(demand).toEqual([
      { at: 0, room: false },
      { at: 10, room: true },
    ]);
    expect(journal.values().flat()).toEqual(upTo(25));
  });

  it('never discards samples of a source that heeds it', () => {
    const { eventsOf, last } = run({
      samples: () => range(0, 20),
      settings: { commitMaxCount: 10, maxUncommitted: 40 },
      answers: (attempt) => (attempt < 5 ? { afterMs: 5, error: new Error('io') } : { afterMs: 5 }),
    });
    expect(eventsOf('samples_discarded')).toEqual([]);
    expect(last()).toMatchObject({ committed: 20 });
  });
});
