import type { OperatorFunction, SchedulerLike } from 'rxjs';
import { type RunHelpers, TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';

/** Runs `check` on virtual time: one character of a marble diagram is 1 ms. */
export function marbles(check: (helpers: RunHelpers & { readonly scheduler: SchedulerLike }) => void): void {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  scheduler.run((helpers) => check({ ...helpers, scheduler }));
}

export type Case = {
  readonly source: string;
  readonly expected: string;
  /** Subscription to the source. */
  readonly subscription: string | string[];
  /** When the consumer leaves; default never. */
  readonly unsubscribe?: string;
};

/** The cases that every operator answers. */
export type Cases = Readonly<
  Record<'never' | 'empty' | 'single' | 'many' | 'error' | 'early unsubscribe', Case>
>;

/**
 * Tests the common cases of an operator, subscriptions included. The source is cold; a second subscription runs
 * alongside the first, so that state held by the factory instead of the subscription shows.
 */
export function describeCases<I, O>(
  operator: (scheduler: SchedulerLike) => OperatorFunction<I, O>,
  /** What the letters stand for; themselves by default. */
  values: { readonly inputs?: Record<string, I>; readonly outputs?: Record<string, O> },
  cases: Cases,
): void {
  describe('common cases', () => {
    for (const [name, { source, expected, subscription, unsubscribe }] of Object.entries(cases)) {
      it(name, () => {
        marbles(({ cold, expectObservable, expectSubscriptions, scheduler }) => {
          const source$ = cold<I>(source, values.inputs);
          const result$ = source$.pipe(operator(scheduler));
          const subscriptions = Array.isArray(subscription) ? subscription : [subscription];
          expectObservable(result$, unsubscribe).toBe(expected, values.outputs);
          expectObservable(result$, unsubscribe).toBe(expected, values.outputs);
          expectSubscriptions(source$.subscriptions).toBe(subscriptions.flatMap((one) => [one, one]));
        });
      });
    }
  });
}
