import { delay, map, NEVER, of, throwError, timer } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  createGroupCommit,
  type GroupCommit,
  type GroupCommitOptions,
} from '../../src/hq/ingest/core/group-commit.ts';
import { QueueFullError } from '../../src/hq/ingest/core/queue-room.ts';
import type { AgentFrame, FrameLog, IngestItem, IngestOutcome } from '../../src/hq/store/store.ts';
import { dataFrame, delivery } from '../../src/hq/store/testing/frames.ts';
import { FrameError } from '../../src/protocol/frame.ts';
import { StorageError } from '../../src/storage/storage.ts';
import { type VirtualClock, virtualClock } from './support/virtual-clock.ts';

const OUTCOME: IngestOutcome = {
  stored: 1,
  thinned: 0,
  duplicates: 0,
  dropped: 0,
  coverage: { contiguous: 1, ranges: [] },
};
const ACCEPTED = { stored: 2, thinned: 0, duplicates: 0, dropped: 0, keyReusedAt: null, keysFullAt: null };
const live = (seq: number, agent = 'a1') => dataFrame(seq, seq, { lane: 'live', agent });
const backlog = (seq: number, agent = 'a1') => dataFrame(seq, seq, { lane: 'backlog', agent });

describe('group commit', () => {
  let clock: VirtualClock;
  let groups: string[][];
  let append: FrameLog['append'];
  let commits: GroupCommit;
  let answered: string[];
  const name = (item: IngestItem) =>
    'parts' in item
      ? `http ${item.parts[0]?.dedupKey}`
      : `${item.agent}:${item.header.firstSeq}:${item.lane}`;
  const start = (
    options: Partial<
      Pick<GroupCommitOptions, 'maxQueueBytes' | 'maxQueueFrames' | 'maxDeliveries' | 'maxCommitFrames'>
    > = {},
  ) => {
    commits = createGroupCommit({ append: (items) => append(items), clock, emit: () => {}, ...options });
  };
  const note = (item: IngestItem) => ({
    next: () => void answered.push(name(item)),
    error: (error: Error) => {
      const bound = error instanceof QueueFullError ? ` ${error.bound}` : '';
      answered.push(`${name(item)} ${error.name}${bound}`);
    },
  });
  const submit = (frame: AgentFrame) => commits.submit(frame).subscribe(note(frame));
  const deliver = (...keys: readonly string[]) => {
    for (const item of keys.map((key) => delivery(key))) commits.deliver(item).subscribe(note(item));
  };
  beforeEach(() => {
    clock = virtualClock();
    groups = [];
    answered = [];
    append = (items) => {
      groups.push(items.map(name));
      const outcomes = items.map((item) => ('parts' in item ? ACCEPTED : OUTCOME));
      return of(outcomes).pipe(delay(10, clock.scheduler));
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

  it('takes a frame that is larger than the part of one agent, and nothing with it', () => {
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
      frames.some((item) => 'header' in item && item.header.firstSeq === 3)
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
    commits.idle('frames').subscribe({ complete: note });
    clock.pass(50);
    expect(settled).toEqual([0, 20, 20]);
  });

  describe('of deliveries over HTTP', () => {
    const flood = (count: number) => deliver(...Array.from({ length: count }, (_, n) => `${n}`));

    it('takes them together with frames, behind live ones and before backlogs', () => {
      submit(backlog(1));
      submit(backlog(2));
      deliver('one', 'two');
      submit(live(9, 'a2'));
      clock.pass(20);
      expect(groups).toEqual([['a1:1:backlog'], ['a2:9:live', 'http one', 'http two', 'a1:2:backlog']]);
      expect(answered).toEqual(groups.flat());
      expect(commits.load()).toBe(0);
    });

    it('gives them a quarter of a commit, so that a flood keeps neither live frames nor backlogs waiting', () => {
      start({ maxCommitFrames: 8 });
      submit(live(1));
      flood(20);
      for (let seq = 1; seq <= 3; seq += 1) submit(live(seq, 'l'));
      for (let seq = 1; seq <= 9; seq += 1) submit(backlog(seq, 'b'));
      clock.pass(30);
      const count = (group: readonly string[] = [], part: string) =>
        group.filter((one) => one.includes(part)).length;
      expect(groups[1]?.slice(0, 3)).toEqual(['l:1:live', 'l:2:live', 'l:3:live']);
      const lanes = groups.slice(1, 4).map((group) => [count(group, 'http'), count(group, 'backlog')]);
      expect(lanes).toEqual([
        [2, 3],
        [2, 6],
        [2, 0],
      ]);
      clock.pass(200);
      expect(answered).toHaveLength(33);
      const delivered = answered.filter((one) => one.startsWith('http'));
      expect(delivered, 'in the order in which they came').toEqual(
        Array.from({ length: 20 }, (_, n) => `http ${n}`),
      );
    });

    it('turns away what is beyond their number, and takes it when there is room', () => {
      start({ maxDeliveries: 2 });
      deliver('one', 'two', 'three');
      expect(answered).toEqual(['http three QueueFullError http']);
      clock.pass(20);
      deliver('three');
      clock.pass(10);
      expect(answered.slice(1)).toEqual(['http one', 'http two', 'http three']);
    });

    it('turns away what is beyond a quarter of the bytes, and still finds room for frames of all lanes', () => {
      const each = 2 * (64 + 2 * 8);
      start({ maxQueueBytes: 16 * each });
      deliver('1', '2', '3', '4', '5');
      expect(answered).toEqual(['http 5 QueueFullError http']);
      submit(live(1));
      submit(backlog(1, 'a2'));
      clock.pass(20);
      expect(answered.slice(1)).toEqual([
        'http 1',
        'a1:1:live',
        'http 2',
        'http 3',
        'http 4',
        'a2:1:backlog',
      ]);
    });

    it('takes one that is larger than their part when nothing else of them waits', () => {
      start({ maxQueueBytes: 3 * 160 });
      deliver('large', 'next');
      expect(answered).toEqual(['http next QueueFullError http']);
      clock.pass(10);
      expect(answered.slice(1)).toEqual(['http large']);
    });

    it('fails those of a failed commit, and takes them when they come again', () => {
      const working = append;
      append = () => throwError(() => new StorageError('io', 'disk'));
      deliver('one');
      append = working;
      deliver('one');
      clock.pass(10);
      expect(answered).toEqual(['http one StorageError', 'http one']);
      expect(commits.load()).toBe(0);
    });

    it('fails those of a commit that never answers, after its deadline', () => {
      append = () => NEVER;
      deliver('one', 'two');
      clock.pass(60_000);
      expect(answered).toEqual(['http one TimeoutError', 'http two TimeoutError']);
    });

    it('fails one alone that cannot be written, whatever it throws', () => {
      const working = append;
      append = (items) =>
        items.some((item) => name(item) === 'http bad')
          ? throwError(() => new TypeError('a bug'))
          : working(items);
      submit(live(1));
      deliver('good', 'bad');
      submit(live(2));
      clock.pass(100);
      expect(answered).toEqual(['a1:1:live', 'a1:2:live', 'http good', 'http bad TypeError']);
    });

    it('does not count them as frames of their agent, which may say hello meanwhile', () => {
      const told: string[] = [];
      commits.deliver(delivery('one', { agents: ['a1'] })).subscribe();
      commits.settled('a1').subscribe(() => told.push('settled'));
      commits.idle('frames').subscribe({ complete: () => told.push('no frames') });
      commits.idle('all').subscribe({ complete: () => told.push('idle') });
      expect(told).toEqual(['settled', 'no frames']);
      clock.pass(10);
      expect(told).toEqual(['settled', 'no frames', 'idle']);
    });

    it('sees one through whose sender has gone', () => {
      deliver('one');
      commits.deliver(delivery('two')).subscribe().unsubscribe();
      clock.pass(20);
      expect(groups).toEqual([['http one'], ['http two']]);
      expect(commits.load()).toBe(0);
    });
  });

  it('keeps a frame in the queue when the one who sent it has gone', () => {
    submit(backlog(1));
    submit(backlog(2)).unsubscribe();
    clock.pass(20);
    expect(groups.flat()).toEqual(['a1:1:backlog', 'a1:2:backlog']);
  });
});
