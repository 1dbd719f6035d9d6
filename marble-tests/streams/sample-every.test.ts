import { type SchedulerAction, type SchedulerLike, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type SampleTick, sampleEvery } from '../../src/streams/index.ts';
import { marbles } from '../marbles.ts';

/** A scheduler whose timers run `latenessMs(due)` after they are due, as in a process that is busy. */
function lateScheduler(scheduler: SchedulerLike, latenessMs: (due: number) => number): SchedulerLike {
  const late = (delay: number) => delay + latenessMs(scheduler.now() + delay);
  return {
    now: () => scheduler.now(),
    schedule: <T>(work: (this: SchedulerAction<T>, state?: T) => void, delay = 0, state?: T) =>
      scheduler.schedule(
        function (this: SchedulerAction<T>, given?: T) {
          const again = this.schedule.bind(this);
          this.schedule = (next, wait = 0) => again(next, late(wait));
          work.call(this, given);
        },
        late(delay),
        state,
      ),
  };
}

describe('sampleEvery', () => {
  it('samples at subscription and then at every grid point', () => {
    marbles(({ expectObservable, scheduler }) => {
      const ticks$ = sampleEvery(3, ({ scheduledAt }) => String(scheduledAt), scheduler).pipe(take(4));
      expectObservable(ticks$).toBe('0--3--6--(9|)');
    });
  });

  it('anchors each grid at its own subscription', () => {
    marbles(({ expectObservable, scheduler }) => {
      const ticks$ = sampleEvery(3, ({ scheduledAt }) => String(scheduledAt), scheduler);
      expectObservable(ticks$, '^-----!').toBe('0--3--');
      expectObservable(ticks$, '--^----!').toBe('--2--5--');
    });
  });

  it('serves the newest grid point after a stall, counts those passed over, and stays on the grid', () => {
    marbles(({ expectObservable, scheduler }) => {
      const busy = (due: number) => (due > 4 && due < 13 ? 13 - due : 0);
      const ticks$ = sampleEvery(3, (tick) => tick, lateScheduler(scheduler, busy));
      expectObservable(ticks$, '^---------------!').toBe('a--b---------c-d-', {
        a: { scheduledAt: 0, skipped: 0 },
        b: { scheduledAt: 3, skipped: 0 },
        c: { scheduledAt: 12, skipped: 2 },
        d: { scheduledAt: 15, skipped: 0 },
      });
    });
  });

  it('does not let late timers add up to a drift', () => {
    marbles(({ scheduler, flush }) => {
      let last: (SampleTick & { readonly now: number }) | undefined;
      sampleEvery(
        10,
        (tick) => ({ ...tick, now: scheduler.now() }),
        lateScheduler(scheduler, () => 1),
      )
        .pipe(take(200))
        .subscribe((tick) => {
          last = tick;
        });
      flush();
      expect(last).toEqual({ scheduledAt: 1990, skipped: 0, now: 1991 });
    });
  });

  it('turns a throw of take into an error and stops', () => {
    marbles(({ expectObservable, scheduler }) => {
      const ticks$ = sampleEvery(
        2,
        ({ scheduledAt }) => {
          if (scheduledAt === 4) throw 'error';
          return 'a';
        },
        scheduler,
      );
      expectObservable(ticks$).toBe('a-a-#');
    });
  });

  it('takes nothing any more after unsubscribing', () => {
    marbles(({ scheduler, flush }) => {
      let taken = 0;
      const subscription = sampleEvery(5, () => ++taken, scheduler).subscribe();
      scheduler.schedule(() => subscription.unsubscribe(), 12);
      flush();
      expect(taken).toBe(3);
    });
  });

  it('refuses a period below a millisecond', () => {
    marbles(({ scheduler }) => {
      expect(() => sampleEvery(0, () => 0, scheduler)).toThrow(RangeError);
      expect(() => sampleEvery(Number.NaN, () => 0, scheduler)).toThrow(RangeError);
    });
  });
});
