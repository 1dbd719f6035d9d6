import { describe, expect, it } from 'vitest';
import {
  isReturnDue,
  MAX_CAUTION,
  newWayChoice,
  nextWayChoice,
  orderOf,
  type WayChoice,
  type WayEvent,
} from './way-choice.ts';

const RETURN_MS = 1_000;
const chosen = (events: readonly WayEvent[], choice: WayChoice = newWayChoice(3)) =>
  events.reduce((now, event) => nextWayChoice(now, event, RETURN_MS), choice);
const answering = (index: number, times: readonly number[]): WayEvent[] =>
  times.map((at) => ({ type: 'probed', index, answers: true, at }));
const due = (choice: WayChoice, at: number) => isReturnDue(choice, at, RETURN_MS);

describe('the order of ways', () => {
  it('begins with the best', () => expect(orderOf(newWayChoice(3))).toEqual([0, 1, 2]));

  it.each<[string, WayEvent[], number[]]>([
    ['a way that failed by the next', [{ type: 'failed', index: 0, at: 0 }], [1, 2, 0]],
    ['the last by the first', [{ type: 'failed', index: 2, at: 0 }], [0, 1, 2]],
    ['what has worked by nothing better', [{ type: 'proven', index: 1, at: 0 }], [1, 2, 0]],
    [
      'what has worked and was lost by itself',
      [
        { type: 'proven', index: 1, at: 0 },
        { type: 'lost', index: 1, at: 5 },
      ],
      [1, 2, 0],
    ],
  ])('follows %s', (_what, events, order) => expect(orderOf(chosen(events))).toEqual(order));
});

describe('the return to a better way', () => {
  const onTheLast = chosen([{ type: 'proven', index: 2, at: 0 }]);

  it('is due when it has answered often enough for long enough', () => {
    const choice = chosen(answering(0, [0, 300, 600, 900]), onTheLast);
    expect(due(choice, 999)).toBe(false);
    expect(due(choice, 1_000)).toBe(true);
    const seldom = chosen(answering(0, [0, 500, 1_000]), onTheLast);
    expect(due(seldom, 5_000)).toBe(false);
  });

  it('begins anew when it does not answer once', () => {
    const choice = chosen(
      [
        ...answering(0, [0, 300, 600]),
        { type: 'probed', index: 0, answers: false, at: 900 },
        ...answering(0, [1_200, 1_500, 1_800, 2_100]),
      ],
      onTheLast,
    );
    expect(due(choice, 2_199)).toBe(false);
    expect(due(choice, 2_200)).toBe(true);
  });

  it('is to the best of those that answer', () => {
    const both = [0, 300, 600, 900].flatMap((at) => [...answering(0, [at]), ...answering(1, [at])]);
    const moved = chosen([...both, { type: 'moved', at: 1_000 }], onTheLast);
    expect(orderOf(moved)).toEqual([0, 1, 2]);
    const second = [0, 300, 600, 900].flatMap((at): WayEvent[] => [
      { type: 'probed', index: 0, answers: false, at },
      ...answering(1, [at]),
    ]);
    expect(orderOf(chosen([...second, { type: 'moved', at: 1_000 }], onTheLast))).toEqual([1, 2, 0]);
  });

  it('takes twice as long after a return that was soon lost, up to a bound, and as long as before once one held', () => {
    let choice = onTheLast;
    for (let round = 0; round < 6; round += 1) {
      const at = round * 100_000;
      choice = chosen(answering(0, [at, at + 1, at + 2, at + 3]), choice);
      const caution = Math.min(MAX_CAUTION, 2 ** round);
      expect(due(choice, at + RETURN_MS * caution - 1)).toBe(false);
      expect(due(choice, at + RETURN_MS * caution)).toBe(true);
      const moved = at + RETURN_MS * caution;
      choice = chosen(
        [
          { type: 'moved', at: moved },
          { type: 'failed', index: 0, at: moved + 10 },
          { type: 'proven', index: 2, at: moved + 20 },
        ],
        choice,
      );
    }
    choice = chosen(
      [
        { type: 'moved', at: 1_000_000 },
        { type: 'proven', index: 0, at: 1_000_010 },
        { type: 'lost', index: 0, at: 2_000_000 },
        { type: 'proven', index: 2, at: 2_000_010 },
        ...answering(0, [2_000_100, 2_000_101, 2_000_102, 2_000_103]),
      ],
      choice,
    );
    expect(due(choice, 2_000_100 + RETURN_MS)).toBe(true);
  });
});
