/**
 * Virtual time: every event of a simulated world happens on one timeline, one after another, in the order of its time
 * and, at the same time, of its making. Nothing else ever runs, so that a run is a function of what was scheduled.
 *
 * A binary heap; RxJS's own VirtualTimeScheduler sorts all actions at each of them, which thousands of agents cannot
 * afford.
 */
import { type SchedulerAction, type SchedulerLike, Subscription } from 'rxjs';

type Entry = { readonly at: number; readonly order: number; readonly run: () => void; dead: boolean };

export type Timeline = {
  /** ms since the world began. */
  readonly now: () => number;
  /** Events carried out so far. */
  readonly steps: () => number;
  /** Runs `work` after `delayMs`; the returned function takes it back. */
  readonly after: (delayMs: number, work: () => void) => () => void;
  /** Runs `work` once so many more events have been carried out. */
  readonly afterSteps: (count: number, work: () => void) => void;
  /** Lets time pass until `at`. */
  readonly runUntil: (at: number) => void;
};

export function createTimeline(): Timeline {
  const heap: Entry[] = [];
  let countdowns: { left: number; readonly work: () => void }[] = [];
  let now = 0;
  let order = 0;
  let steps = 0;

  const countDown = () => {
    if (countdowns.length === 0) return;
    for (const one of countdowns) one.left -= 1;
    const due = countdowns.filter(({ left }) => left <= 0);
    if (due.length === 0) return;
    countdowns = countdowns.filter(({ left }) => left > 0);
    for (const { work } of due) work();
  };

  return {
    now: () => now,
    steps: () => steps,
    after: (delayMs, work) => {
      const entry: Entry = { at: now + Math.max(0, delayMs), order, run: work, dead: false };
      order += 1;
      push(heap, entry);
      return () => {
        entry.dead = true;
      };
    },
    afterSteps: (count, work) => void countdowns.push({ left: count, work }),
    runUntil: (at) => {
      for (let next = heap[0]; next !== undefined && next.at <= at; next = heap[0]) {
        pop(heap);
        if (next.dead) continue;
        now = next.at;
        steps += 1;
        next.run();
        countDown();
      }
      now = Math.max(now, at);
    },
  };
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.length;
  heap.push(entry);
  while (index > 0) {
    const parent = (index - 1) >>> 1;
    const above = heap[parent] as Entry;
    if (!before(entry, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    if (left >= heap.length) break;
    const right = left + 1;
    const child = right < heap.length && before(heap[right] as Entry, heap[left] as Entry) ? right : left;
    const below = heap[child] as Entry;
    if (!before(below, last)) break;
    heap[index] = below;
    index = child;
  }
  heap[index] = last;
}

/** A timer of RxJS on the timeline; it may schedule itself again. */
class TimelineAction<T> extends Subscription implements SchedulerAction<T> {
  readonly #after: Timeline['after'];
  readonly #work: (this: SchedulerAction<T>, state?: T) => void;
  #cancel: () => void = () => {};
  constructor(after: Timeline['after'], work: (this: SchedulerAction<T>, state?: T) => void) {
    super(() => this.#cancel());
    this.#after = after;
    this.#work = work;
  }
  schedule(state?: T, delay = 0): Subscription {
    if (this.closed) return this;
    this.#cancel();
    this.#cancel = this.#after(delay, () => {
      if (!this.closed) this.#work(state);
    });
    return this;
  }
}

/**
 * A scheduler on the timeline for one that lives as long as `isAlive` says: the dead schedule nothing and are called no
 * more.
 */
export function schedulerOn(timeline: Timeline, isAlive: () => boolean): SchedulerLike {
  return {
    now: timeline.now,
    schedule: <T>(work: (this: SchedulerAction<T>, state?: T) => void, delay = 0, state?: T) => {
      if (!isAlive()) return Subscription.EMPTY;
      const living = function (this: SchedulerAction<T>, value?: T) {
        if (isAlive()) work.call(this, value);
      };
      return new TimelineAction<T>(timeline.after, living).schedule(state, delay);
    },
  };
}
