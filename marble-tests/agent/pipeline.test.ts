import { concat, interval, map, NEVER, of, type SchedulerLike, take, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { DetectionStore } from '../../src/agent/pipeline/detection-memory.ts';
import { decodeDetection } from '../../src/agent/pipeline/detection-record.ts';
import { createPipeline } from '../../src/agent/pipeline/pipeline.ts';
import type { Pipeline, PipelineSettings, PipelineStatus } from '../../src/agent/pipeline/pipeline-types.ts';
import type { Source } from '../../src/agent/sources/source.ts';
import { journalStats } from '../../src/agent/testing/journal-stats.ts';
import { DEFAULT_PIPELINE_SETTINGS } from '../../src/agent/testing/pipeline-settings.ts';
import { StorageError } from '../../src/storage/storage.ts';
import { marbles } from '../marbles.ts';
import { type Answer, fakeJournal, half, raw, recorder, sourceOf, virtualClock } from './support.ts';

type Setting = {
  readonly sources: (scheduler: SchedulerLike) => readonly Source[];
  readonly answers?: (attempt: number) => Answer;
  readonly settings?: Partial<PipelineSettings>;
  /** Until then the journal is full, ms. */
  readonly fullUntilMs?: number;
  /** What to do with the pipeline, and when. */
  readonly at?: readonly (readonly [ms: number, act: (pipeline: Pipeline) => void])[];
  readonly detectionStore?: (scheduler: SchedulerLike) => DetectionStore;
  readonly untilMs: number;
};

function run({
  sources,
  answers = () => ({ afterMs: 5 }),
  settings,
  fullUntilMs = 0,
  at = [],
  detectionStore,
  untilMs,
}: Setting) {
  const { emit, of: eventsOf } = recorder();
  const statuses: PipelineStatus[] = [];
  const seqs: number[] = [];
  const result: { completedAt: number | null; final: PipelineStatus | null } = {
    completedAt: null,
    final: null,
  };
  let journal: ReturnType<typeof fakeJournal> | undefined;
  marbles(({ scheduler }) => {
    const fake = fakeJournal(scheduler, answers);
    journal = fake;
    const pipeline = createPipeline({
      sources: sources(scheduler),
      journal: {
        append: fake.append,
        stats: () => journalStats({ overflowing: scheduler.now() < fullUntilMs }),
      },
      clock: virtualClock(scheduler),
      random: half,
      emit,
      ...(detectionStore && { detectionStore: detectionStore(scheduler) }),
      settings: { ...DEFAULT_PIPELINE_SETTINGS, commitMs: 100, ...settings },
    });
    const watching = pipeline.status$.subscribe((status) => statuses.push(status));
    const running = pipeline.appended$.subscribe({
      next: ({ frame }) => seqs.push(frame.firstSeq),
      complete: () => {
        result.completedAt = scheduler.now();
      },
    });
    for (const [ms, act] of at) timer(ms, scheduler).subscribe(() => act(pipeline));
    timer(untilMs, scheduler).subscribe(() => {
      result.final = pipeline.status();
      running.unsubscribe();
      watching.unsubscribe();
    });
  });
  if (journal === undefined) throw new Error('did not run');
  return { journal, statuses, seqs, eventsOf, ...result };
}

const every = (periodMs: number, name: string, scheduler: SchedulerLike): Source =>
  sourceOf(name, () => interval(periodMs, scheduler).pipe(map((index) => raw(index, scheduler.now()))));

describe('the pipeline', () => {
  it('carries the samples of all sources to the journal, each source in its order', () => {
    const { journal, final } = run({
      sources: (scheduler) => [every(10, 'fast', scheduler), every(70, 'slow', scheduler)],
      untilMs: 1000,
    });
    const times = journal.committed.flat().map(({ mono }) => mono);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.length).toBeGreaterThan(90);
    expect(final?.sources).toMatchObject([
      { name: 'fast', state: { kind: 'running' } },
      { name: 'slow', state: { kind: 'running' } },
    ]);
  });

  it('keeps what detection has learned once a minute, and behind the last commit', () => {
    const saves: { readonly at: number; readonly seen: number }[] = [];
    const detectionStore = (scheduler: SchedulerLike): DetectionStore => ({
      keptState: () => undefined,
      keepState: (bytes) => {
        // First of what is kept of the one series: how many values its window has.
        saves.push({
          at: scheduler.now(),
          seen: decodeDetection(bytes)?.series[0]?.learned[0] ?? Number.NaN,
        });
        return timer(10, scheduler).pipe(map(() => undefined));
      },
      maxStateBytes: 10_000,
    });
    const { journal, completedAt } = run({
      sources: (scheduler) => [every(1000, 's', scheduler)],
      detectionStore,
      at: [[150_050, (pipeline) => pipeline.stop()]],
      untilMs: 200_000,
    });
    expect(journal.committed.flat()).toHaveLength(150);
    // A minute after the first commit, and after the first one behind that.
    expect(saves).toEqual([
      { at: 61_105, seen: 61 },
      { at: 121_105, seen: 121 },
      { at: 150_055, seen: 150 },
    ]);
    expect(completedAt).toBe(150_065);
  });

  it('tells what became of the samples once they are durable', () => {
    const { seqs, final } = run({ sources: (scheduler) => [every(40, 's', scheduler)], untilMs: 1000 });
    expect(seqs.slice(0, 3)).toEqual([1, 4, 7]);
    expect(final?.commit.committed).toBeGreaterThan(12);
    expect(final?.degraded).toBe(false);
  });

  it('goes on with the other sources while one is down', () => {
    const { journal, eventsOf, final } = run({
      sources: (scheduler) => [
        sourceOf('bad', () => throwError(() => new Error('unplugged'))),
        every(100, 'good', scheduler),
      ],
      untilMs: 3050,
    });
    expect(journal.committed.flat()).toHaveLength(29);
    expect(eventsOf('source_failed')).toHaveLength(3);
    expect(final?.sources[0]).toMatchObject({
      state: { kind: 'restarting', reason: 'unplugged', attempt: 3 },
    });
    expect(final?.sources[1]).toMatchObject({ state: { kind: 'running' }, samples: 30 });
  });

  it('on stop ends the sources at once, commits what they gave, and completes', () => {
    const { journal, completedAt, final } = run({
      sources: (scheduler) => [every(10, 's', scheduler)],
      settings: { commitMs: 1000 },
      at: [[255, (pipeline) => pipeline.stop()]],
      untilMs: 1000,
    });
    expect(journal.committed.flat()).toHaveLength(25);
    expect(completedAt).toBe(260);
    expect(final?.sources[0]?.state.kind).toBe('ended');
  });

  it('on stop keeps trying a journal that fails', () => {
    const { journal, completedAt } = run({
      sources: (scheduler) => [every(10, 's', scheduler)],
      answers: (attempt) =>
        attempt < 3 ? { afterMs: 5, error: new StorageError('io', 'EIO') } : { afterMs: 5 },
      at: [[55, (pipeline) => pipeline.stop()]],
      untilMs: 5000,
    });
    expect(journal.committed.flat()).toHaveLength(5);
    expect(completedAt).toBeGreaterThan(300);
  });

  it('completes by itself when all sources have', () => {
    const { completedAt, journal } = run({
      sources: (scheduler) => [
        sourceOf('a', () => of(raw(1))),
        sourceOf('b', () =>
          interval(10, scheduler).pipe(
            take(3),
            map((at) => raw(at, at)),
          ),
        ),
      ],
      untilMs: 1000,
    });
    expect(journal.committed.flat()).toHaveLength(4);
    expect(completedAt).not.toBeNull();
  });

  it('says on the samples and in its status that the journal takes none', () => {
    const { journal, statuses, eventsOf } = run({
      sources: (scheduler) => [every(10, 's', scheduler)],
      answers: (attempt) =>
        attempt < 3 ? { afterMs: 5, error: new StorageError('full', 'no space') } : { afterMs: 5 },
      untilMs: 2000,
    });
    const found = journal.committed.flat().flatMap(({ diagnostics }) => diagnostics);
    expect(found).toMatchObject([
      { code: 'buffer_degraded', detail: 'the journal takes no samples: no space' },
    ]);
    expect(statuses.some(({ degraded, commit }) => degraded && commit.failure === 'no space')).toBe(true);
    expect(statuses.at(-1)?.degraded).toBe(false);
    expect(eventsOf('commit_recovered')).toHaveLength(1);
  });

  it('says on the samples that the journal is full', () => {
    const { journal, final } = run({
      sources: (scheduler) => [every(10, 's', scheduler)],
      fullUntilMs: 1000,
      untilMs: 500,
    });
    const codes = journal.committed.flat().flatMap(({ diagnostics }) => diagnostics.map(({ code }) => code));
    expect(codes).toEqual(['buffer_degraded']);
    expect(final?.degraded).toBe(true);
  });

  it('is no longer degraded once the journal has room, also when no sample comes any more', () => {
    const seen: boolean[] = [];
    const look = (pipeline: Pipeline) => void seen.push(pipeline.status().degraded);
    run({
      sources: () => [sourceOf('s', () => concat(of(raw(1)), NEVER))],
      fullUntilMs: 500,
      at: [
        [400, look],
        [600, look],
      ],
      untilMs: 700,
    });
    expect(seen).toEqual([true, false]);
  });

  it('tells a source when there is no room and when there is again', () => {
    const seen: boolean[] = [];
    run({
      sources: () => [
        sourceOf('s', (demand$) => {
          demand$.subscribe((room) => seen.push(room));
          return concat(of(...Array.from({ length: 8 }, (_, index) => raw(index))), NEVER);
        }),
      ],
      settings: { commitMaxCount: 4 },
      untilMs: 500,
    });
    expect(seen).toEqual([true, false, true]);
  });

  it('reports a wall clock that jumped', () => {
    const { journal } = run({
      sources: () => [
        sourceOf('s', () => of(raw(1, 0), { ...raw(2, 100), ts: 5 }, { ...raw(3, 200), ts: 105 })),
      ],
      untilMs: 500,
    });
    expect(journal.committed.flat().map(({ diagnostics }) => diagnostics.map(({ code }) => code))).toEqual([
      [],
      ['clock_jump'],
      [],
    ]);
  });

  it('runs once for all who listen', () => {
    let starts = 0;
    run({
      sources: () => [
        sourceOf('s', () => {
          starts += 1;
          return NEVER;
        }),
      ],
      at: [[10, (pipeline) => void pipeline.appended$.pipe(take(1)).subscribe().unsubscribe()]],
      untilMs: 100,
    });
    expect(starts).toBe(1);
  });
});
