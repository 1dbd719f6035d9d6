/** Long work for many callers: however many there are, the event loop is held for one slice at a stretch. */
import { Observable } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { createFifo } from '../../platform/fifo.ts';
import { SLICE_MS } from './sliced.ts';

export type Turns = {
  /**
   * Runs the generator that `work` makes, in turns with the others; emits what it returns, then completes. A throw is
   * the error. Unsubscribing ends it at the next `yield`.
   */
  readonly run: <T>(work: () => Generator<void, T>) => Observable<T>;
};

/** Work under way at once; what comes beyond it waits, and holds nothing meanwhile. */
const MAX_ACTIVE = 4;

type Task = {
  /** Works until `end`, clock's `precise()`, at the longest; returns whether there is more to do. */
  readonly slice: (end: number) => boolean;
};

export function createTurns(clock: Pick<Clock, 'precise' | 'scheduler'>, maxActive = MAX_ACTIVE): Turns {
  const active = createFifo<Task>();
  const waiting = createFifo<Task>();
  let isScheduled = false;
  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    clock.scheduler.schedule(() => {
      isScheduled = false;
      turn();
    }, 0);
  };
  const fill = () => {
    while (active.size() < maxActive) {
      const next = waiting.shift();
      if (next === undefined) return;
      active.push(next);
    }
  };
  const turn = () => {
    const end = clock.precise() + SLICE_MS;
    do {
      fill();
      const task = active.shift();
      if (task === undefined) return;
      if (task.slice(end)) active.push(task);
    } while (clock.precise() < end);
    if (active.size() + waiting.size() > 0) schedule();
  };
  return {
    run: <T>(work: () => Generator<void, T>) =>
      new Observable<T>((subscriber) => {
        let steps: Generator<void, T> | null = null;
        waiting.push({
          slice: (end) => {
            if (subscriber.closed) return false;
            try {
              steps ??= work();
              do {
                const step = steps.next();
                if (step.done === true) {
                  subscriber.next(step.value);
                  subscriber.complete();
                  return false;
                }
              } while (!subscriber.closed && clock.precise() < end);
              return true;
            } catch (error) {
              subscriber.error(error);
              return false;
            }
          },
        });
        schedule();
      }),
  };
}
