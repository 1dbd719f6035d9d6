import { expect, it } from 'vitest';
import { createSessionView } from './session-view.ts';

const upTo = (contiguous: number) => ({ contiguous, ranges: [] });

it('has what was loaded, and what came since', () => {
  const view = createSessionView({ coverage: upTo(3), schemas: [{ ref: 'one', series: 4 }] }, null);
  expect(view.coverage()).toEqual(upTo(3));
  view.moved(upTo(5));
  expect(view.coverage()).toEqual(upTo(5));
  expect(view.found(upTo(9)), 'what got through unnoticed').toEqual(upTo(9));
  expect(view.found(upTo(5)), 'an answer that comes late').toEqual(upTo(9));
  expect([view.seriesOf('one'), view.seriesOf('two')]).toEqual([4, undefined]);
  view.addSchema({ ref: 'two', series: 7 });
  expect(view.seriesOf('two')).toBe(7);
});

it('of a later hello does not fall behind frames that were answered before its note', () => {
  const first = createSessionView({ coverage: upTo(3), schemas: [] }, null);
  first.moved({ contiguous: 3, ranges: [[5, 9]] });
  expect(createSessionView({ coverage: upTo(4), schemas: [] }, first).coverage()).toEqual(first.coverage());
  expect(createSessionView({ coverage: upTo(20), schemas: [] }, first).coverage()).toEqual(upTo(20));
});
