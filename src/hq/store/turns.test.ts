import { lastValueFrom, NEVER, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createTurns } from './turns.ts';

/** A clock whose time passes by steps of work; timers run when `flush` is called, one by one. */
function workClock() {
  const scheduler = new VirtualTimeScheduler();
  let now = 0;
  return {
    clock: { precise: () => now, scheduler },
    scheduler,
    spend: (ms: number) => {
      now += ms;
    },
    now: () => now,
  };
}

describe('createTurns', () => {
  it('holds the event loop for one slice, however many work at once', () => {
    const { clock, scheduler, spend, now } = workClock();
    const held: number[] = [];
    const schedule = scheduler.schedule.bind(scheduler);
    scheduler.schedule = ((work: (...given: unknown[]) => void, delay?: number, state?: unknown) =>
      schedule(
        function (this: never, ...given: unknown[]) {
          const start = now();
          work.apply(this, given);
          held.push(now() - start);
        } as never,
        delay,
        state as never,
      )) as typeof scheduler.schedule;
    const turns = createTurns(clock);
    const done: number[] = [];
    for (let caller = 0; caller < 100; caller += 1) {
      turns
        .run(function* () {
          for (let step = 0; step < 20; step += 1) {
            spend(1);
            yield;
          }
          return caller;
        })
        .subscribe((value) => done.push(value));
    }
    scheduler.flush();
    expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(Math.max(...held)).toBeLessThanOrEqual(5);
  });

  it('begins no more than a few at once, and gives each of them its turn', () => {
    const { clock, scheduler, spend } = workClock();
    const turns = createTurns(clock, 2);
    const order: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      turns
        .run(function* () {
          for (let step = 1; step <= 2; step += 1) {
            order.push(`${name}${step}`);
            spend(10);
            yield;
          }
        })
        .subscribe();
    }
    scheduler.flush();
    expect(order).toEqual(['a1', 'b1', 'a2', 'b2', 'c1', 'c2']);
  });

  it('goes on with others when one throws or is left', async () => {
    const { clock, scheduler, spend } = workClock();
    const turns = createTurns(clock, 1);
    const errors: unknown[] = [];
    turns
      // biome-ignore lint/correctness/useYield: it fails before it could.
      .run(function* () {
        throw new Error('unreadable');
      })
      .subscribe({ error: (error) => errors.push(error) });
    let steps = 0;
    const left = turns
      .run(function* () {
        for (;;) {
          steps += 1;
          if (steps === 3) left.unsubscribe();
          spend(10);
          yield;
        }
      })
      .subscribe();
    const last = lastValueFrom(
      turns.run(function* () {
        yield;
        return 'read';
      }),
      { defaultValue: NEVER },
    );
    scheduler.flush();
    expect(await last).toBe('read');
    expect(errors).toEqual([new Error('unreadable')]);
    expect(steps).toBe(3);
  });
});
