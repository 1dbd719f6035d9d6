import { delay, map, NEVER, type Observable, of, throwError, timer } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  createGroupCommit,
  type GroupCommit,
  type GroupCommitOptions,
} from '../../src/hq/ingest/core/group-commit.ts';
import { QueueFullError } from '../../src/hq/ingest/core/queue-room.ts';
import type { IngestFrame, IngestOutcome } from '../../src/hq/store/store.ts';
import { dataFrame } from '../../src/hq/store/testing/frames.ts';
import { FrameError } from '../../src/protocol/frame.ts';
import { type VirtualClock, virtualClock } from './support/virtual-clock.ts';

const OUTCOME: IngestOutcome = {
  stored: 1,
  thinned: 0,
  duplicates: 0,
  dropped: 0,
  coverage: { contiguous: 1, ranges: [] },
};
const live = (seq: number, agent = 'a1') => dataFrame(seq, seq, { lane: 'live', agent });
const backlog = (seq: number, agent = 'a1') => dataFrame(seq, seq, { lane: 'backlog', agent });

describe('group commit', () => {
  let clock: VirtualClock;
  let groups: string[][];
  let append: (frames: readonly IngestFrame[]) => Observable<readonly IngestOutcome[]>;
  let commits: GroupCommit;
  let answered: string[];
  const name = ({ agent, header, lane }: IngestFrame) => `${agent}:${header.firstSeq}:${lane}`;
  const start = (
    options: Partial<Pick<GroupCommitOptions, 'maxQueueBytes' | 'maxQueueFrames' | 'maxCommitFrames'>> = {},
  ) => {
    commits = createGroupCommit({ append: (frames) => append(frames), clock, emit: () => {}, ...options });
  };
  const submit = (frame: IngestFrame) =>
    commits.submit(frame).subscribe({
      next: () => answered.push(name(frame)),
      error: (error: Error) => {
        const bound = error instanceof QueueFullError ? ` ${error.bound}` : '';
        answered.push(`${name(frame)} ${error.name}${bound}`);
      },
    });
  beforeEach(() => {
    clock = virtualClock();
    groups = [];
    answered = [];
    append = (frames) => {
      groups.push(frames.map(name));
      return of(frames.map(() => OUTCOME)).pipe(delay(10, clock.scheduler));
    };
    start();
  });

  it('gathers while a commit runs, live frames first, and answers after the flush only', () => {
    submit(backlog(1));
    submit(backlog(2));
    submit(live(9, 'a2'));
    submit(backlog(3));
    clock.pass(9);
    expect(answered).toEqual([]);
    clock.pass(11);
    expect(groups).toEqual([['a1:1:backlog'], ['a2:9:live', 'a1:2:backlog', 'a1:3:backlog']]);
    expect(answered).toEqual(['a1:1:backlog', 'a2:9:live', 'a1:2:backlog', 'a1:3:backlog']);
    expect(commits.load()).toBe(0);
  });

  it('bounds a commit', () => {
    start({ maxCommitFrames: 2 });
    for (let seq = 1; seq <= 5; seq += 1) submit(backlog(seq));
    clock.pass(100);
    expect(groups.map(({ length }) => length)).toEqual([1, 2, 2]);
  });

  it('turns frames away when the queue is full, and takes them when there is room', () => {
    start({ maxQueueBytes: backlog(1).bytes.length });
    submit(backlog(1));
    submit(backlog(2));
    expect(answered).toEqual(['a1:2:backlog QueueFullError hq']);
    clock.pass(10);
    submit(backlog(2));
    clock.pass(10);
    expect(answered).toEqual(['a1:2:backlog QueueFullError hq', 'a1:1:backlog', 'a1:2:backlog']);
  });

  it('bounds the number of frames that wait, however small they are', () => {
    start({ maxQueueFrames: 2 });
    submit(live(1));
    expect(commits.load()).toBe(0.5);
    submit(live(2, 'a2'));
    submit(live(3, 'a3'));
    expect(answered).toEqual(['a3:3:live QueueFullError hq']);
    clock.pass(20);
    expect(answered.slice(1)).toEqual(['a1:1:live', 'a2:2:live']);
    expect(commits.load()).toBe(0);
  });

  it('leaves half of the queue to live frames, and no more than an eighth to one agent', () => {
    start({ maxQueueFrames: 16 });
    const agents = Array.from({ length: 8 }, (_, index) => `b${index}`);
    for (const agent of agents) submit(backlog(1, agent));
    expect(commits.load()).toBe(1);
    submit(backlog(1, 'late'));
    for (let seq = 1; seq <= 3; seq += 1) submit(live(seq, 'flood'));
    submit(live(2, 'b0'));
    expect(answered).toEqual(['late:1:backlog QueueFullError backlog', 'flood:3:live QueueFullError agent']);
    clock.pass(20);
    expect(answered.slice(2)).toHaveLength(11);
    submit(backlog(1, 'late'));
    submit(live(3, 'flood'));
    clock.pass(20);
    expect(answered.slice(13)).toEqual(['late:1:backlog', 'flood:3:live']);
  });

  it('takes a frame that is larger than the part of one agent, and nothing beside it', () => {
    start({ maxQueueBytes: 3 * backlog(1).bytes.length });
    submit(live(1));
    submit(live(2));
    expect(answered).toEqual(['a1:2:live QueueFullError agent']);
  });

  it('fails every frame of a failed commit and goes on with the next', () => {
    const working = append;
    append = () =>
      timer(10, clock.scheduler).pipe(
        map(() => {
          throw new Error('disk');
        }),
      );
    submit(backlog(1));
    clock.pass(10);
    append = working;
    submit(backlog(1));
    clock.pass(10);
    expect(answered).toEqual(['a1:1:backlog Error', 'a1:1:backlog']);
  });

  it('lets a frame that spoils its group fail alone', () => {
    const working = append;
    append = (frames) =>
      frames.some(({ header }) => header.firstSeq === 3)
        ? throwError(() => new FrameError('malformed', 'spoiled'))
        : working(frames);
    for (let seq = 1; seq <= 4; seq += 1) submit(backlog(seq));
    clock.pass(100);
    expect(answered).toEqual(['a1:1:backlog', 'a1:2:backlog', 'a1:3:backlog FrameError', 'a1:4:backlog']);
  });

  it('goes on with the next group when a commit never answers', () => {
    append = (frames) => {
      groups.push(frames.map(name));
      return groups.length === 1 ? NEVER : of(frames.map(() => OUTCOME));
    };
    submit(backlog(1));
    submit(backlog(2));
    clock.pass(29_999);
    expect(groups).toHaveLength(1);
    clock.pass(1);
    expect(answered).toEqual(['a1:1:backlog TimeoutError', 'a1:2:backlog']);
    expect(commits.load()).toBe(0);
  });

  it('tells when no frame of an agent waits any more', () => {
    const settled: number[] = [];
    const note = () => settled.push(clock.precise());
    commits.settled('a1').subscribe(note);
    submit(backlog(1));
    submit(backlog(2));
    submit(live(1, 'a2'));
    commits.settled('a1').subscribe(note);
    commits.idle().subscribe({ complete: note });
    clock.pass(50);
    expect(settled).toEqual([0, 20, 20]);
  });

  it('keeps a frame in the queue when the one who sent it has gone', () => {
    submit(backlog(1));
    submit(backlog(2)).unsubscribe();
    clock.pass(20);
    expect(groups.flat()).toEqual(['a1:1:backlog', 'a1:2:backlog']);
  });
});
