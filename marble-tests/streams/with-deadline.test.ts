import { describe, it } from 'vitest';
import { withDeadline } from '../../src/streams/index.ts';
import { describeCases, marbles } from '../marbles.ts';

describe('withDeadline', () => {
  describeCases<string, string>(
    (scheduler) => withDeadline(6, scheduler, () => 'error'),
    {},
    {
      never: { source: '-', expected: '------#', subscription: '^-----!' },
      empty: { source: '--|', expected: '--|', subscription: '^-!' },
      single: { source: '-a|', expected: '-a|', subscription: '^-!' },
      many: { source: '-a-b-c-d-e', expected: '-a-b-c#', subscription: '^-----!' },
      error: { source: '-a#', expected: '-a#', subscription: '^-!' },
      'early unsubscribe': { source: '-a-', expected: '-a-', subscription: '^-!', unsubscribe: '--!' },
    },
  );

  it('errors with the error that its maker makes then', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const result$ = cold('a').pipe(withDeadline(3, scheduler, () => ({ late: scheduler.now() })));
      expectObservable(result$).toBe('a--#', undefined, { late: 3 });
    });
  });
});
