import { Observable, type SchedulerLike } from 'rxjs';
import { vi } from 'vitest';
import type { RawSample, Source } from '../../src/agent/sources/source.ts';
import type { Appended } from '../../src/journal/port.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { unfold } from '../../src/protocol/codec/testing/blocks.ts';
import type { Sample } from '../../src/protocol/sample.ts';
import type { SampleRows } from '../../src/protocol/sample-block.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';

/** Wall time of virtual time 0. */
export const EPOCH_MS = 1_700_000_000_000;

/** A clock on virtual time. `wallJump` moves its wall time. */
export function virtualClock(scheduler: SchedulerLike): Clock & { wallJump: number } {
  const clock = {
    wallJump: 0,
    now: () => EPOCH_MS + scheduler.now() + clock.wallJump,
    mono: () => scheduler.now(),
    precise: () => scheduler.now(),
    bootId: 'boot',
    scheduler,
  };
  return clock;
}

export type Event = { readonly type: string; readonly [field: string]: unknown };

/** Keeps what was emitted. */
export function recorder() {
  const events: Event[] = [];
  const emit = (event: Event) => void events.push(event);
  return { events, emit, of: (type: string) => events.filter((event) => event.type === type) };
}

export const schema = internSchema({
  source: 'test',
  boot: 'boot',
  series: [{ name: 'a', attributes: {}, unit: '' }],
});

/** A raw sample of one value; its ts and mono are the value as well, unless given. */
export function raw(value: number | null, at: number = value ?? 0): RawSample {
  return { schema, ts: EPOCH_MS + at, mono: at, values: [value] };
}

export function sampleOf(value: number): Sample {
  return { ...raw(value), anomalies: [], diagnostics: [] };
}

export function sourceOf(name: string, samples: Source['samples'], time: Source['time'] = 'clock'): Source {
  return { name, time, samples, traits: () => ({}) };
}

/** What a fake journal does with an append. */
export type Answer = { readonly afterMs: number } | { readonly afterMs: number; readonly error: unknown };

/**
 * A journal in which appends take virtual time and fail on demand. A failed append leaves nothing behind. It fails the
 * test when a second append comes while one is under way.
 */
export function fakeJournal(scheduler: SchedulerLike, answers: (attempt: number) => Answer) {
  const committed: Sample[][] = [];
  const attempts: { readonly at: number; readonly batch: readonly SampleRows[] }[] = [];
  let underway = false;
  const overlap = vi.fn();
  const append = (batch: readonly SampleRows[]): Observable<Appended> =>
    new Observable((subscriber) => {
      if (underway) overlap();
      underway = true;
      attempts.push({ at: scheduler.now(), batch });
      const answer = answers(attempts.length);
      const timer = scheduler.schedule(() => {
        underway = false;
        if ('error' in answer) return subscriber.error(answer.error);
        const firstSeq = committed.flat().length + 1;
        const samples = batch.flatMap(unfold);
        committed.push(samples);
        subscriber.next({
          kind: 'committed',
          frame: {
            firstSeq,
            lastSeq: firstSeq + samples.length - 1,
            kind: 'data',
            notable: false,
            tsMin: 0,
            tsMax: 0,
            bytes: new Uint8Array(),
          },
        });
        subscriber.complete();
      }, answer.afterMs);
      return () => {
        underway = false;
        timer.unsubscribe();
      };
    });
  return {
    append,
    attempts,
    committed,
    overlap,
    overflowing: false,
    values: () => committed.map((batch) => batch.map(({ values }) => values[0])),
  };
}

export const half = { next: () => 0.5 };
