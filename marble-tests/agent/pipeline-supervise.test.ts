import { concat, NEVER, type Observable, of, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { supervise } from '../../src/agent/pipeline/supervise.ts';
import type { RawSample } from '../../src/agent/sources/source.ts';
import { eachSample } from '../../src/agent/testing/each-sample.ts';
import { marbles } from '../marbles.ts';
import { half, raw, recorder, sourceOf, virtualClock } from './support.ts';

const broken = () => throwError(() => new Error('unplugged'));

function run(lives: (life: number) => Observable<RawSample>, untilMs: number) {
  const { emit, events, of: eventsOf } = recorder();
  const values: [at: number, value: number | null | undefined][] = [];
  const starts: number[] = [];
  const states: string[] = [];
  let completed = false;
  marbles(({ scheduler }) => {
    const source = sourceOf('s', () => {
      starts.push(scheduler.now());
      return lives(starts.length);
    });
    const running = supervise(source, {
      clock: virtualClock(scheduler),
      random: half,
      emit,
      demand$: of(true),
      onState: ({ kind }) => states.push(kind),
    })
      .pipe(eachSample())
      .subscribe({
        next: (sample) => values.push([scheduler.now(), sample.values[0]]),
        complete: () => {
          completed = true;
        },
      });
    timer(untilMs, scheduler).subscribe(() => running.unsubscribe());
  });
  return { values, starts, states, events, eventsOf, completed };
}

describe('a supervised source', () => {
  it('is started again after a failure, later each time it fails in a row', () => {
    const { starts, eventsOf, states } = run(broken, 20_000);
    // 500 ms at least, plus half of 1, 2, 4, 8 s.
    expect(starts).toEqual([0, 1000, 2500, 5000, 9500, 18_000]);
    expect(eventsOf('source_failed')[0]).toMatchObject({ reason: 'unplugged', attempt: 1, delayMs: 1000 });
    expect(states.slice(0, 2)).toEqual(['restarting', 'restarting']);
    expect(states.at(-1)).toBe('ended');
  });

  it('begins its delays again once it has worked', () => {
    const { starts, events } = run((life) => (life === 3 ? concat(of(raw(1)), broken()) : broken()), 5000);
    expect(starts).toEqual([0, 1000, 2500, 3500]);
    expect(events.map(({ type }) => type)).toEqual([
      'source_failed',
      'source_failed',
      'source_restarted',
      'source_failed',
      'source_failed',
    ]);
  });

  it('that throws while it is being started is no different', () => {
    const { starts, values } = run((life) => {
      if (life === 1) throw new Error('no such device');
      return concat(of(raw(7)), NEVER);
    }, 5000);
    expect(starts).toEqual([0, 1000]);
    expect(values).toEqual([[1000, 7]]);
  });

  it('ends when it has no more', () => {
    const { completed, eventsOf, states } = run(() => of(raw(1), raw(2)), 10);
    expect(completed).toBe(true);
    expect(eventsOf('source_completed')).toEqual([{ type: 'source_completed', source: 's', samples: 2 }]);
    expect(states).toEqual(['running', 'ended']);
  });

  it('is stopped with its subscription, also while it waits for its restart', () => {
    const { starts } = run(broken, 100);
    expect(starts).toEqual([0]);
  });
});
