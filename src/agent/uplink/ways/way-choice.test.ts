import { describe, expect, it } from 'vitest';
import {
  hasAnother,
  isReturnDue,
  isWatched,
  MAX_ASIDE_MS,
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
  it('begins with the best', () => expect(orderOf(newWayChoice(3), 0)).toEqual([0, 1, 2]));

  it.each<[string, WayEvent[], number[]]>([
    [
      'a way that failed by the next, until none is left',
      [{ type: 'failed', index: 0, isLasting: false, at: 0 }],
      [1, 2],
    ],
    ['the last by the first', [{ type: 'failed', index: 2, isLasting: false, at: 0 }], [0, 1]],
    ['a busy HQ by the next way', [{ type: 'busy', index: 0, at: 0 }], [1, 2, 0]],
    ['what has worked by nothing better', [{ type: 'proven', index: 1, at: 0 }], [1, 2, 0]],
    [
      'what has worked and was lost by itself',
      [
        { type: 'proven', index: 1, at: 0 },
        { type: 'lost', index: 1, at: 5 },
      ],
      [1, 2, 0],
    ],
  ])('follows %s', (_what, events, order) => expect(orderOf(chosen(events), 5)).toEqual(order));
});

const failed = (index: number, at: number, isLasting = false): WayEvent => ({
  type: 'failed',
  index,
  isLasting,
  at,
});

const another = (choice: WayChoice) => hasAnother(choice, 0);
const nextRound = (events: readonly WayEvent[], choice?: WayChoice) =>
  chosen([...events, { type: 'round_over' }], choice);

describe('a way that failed', () => {
  it('is followed by another at once, until each has failed', () => {
    const one = chosen([failed(0, 0)]);
    const two = chosen([failed(1, 0)], one);
    const three = chosen([failed(2, 0)], two);
    expect([newWayChoice(3), one, two, three].map(another)).toEqual([false, true, true, false]);
    expect(orderOf(two, 0)).toEqual([2]);
    expect(orderOf(chosen([{ type: 'round_over' }], three), 0)).toEqual([0, 1, 2]);
    expect(another(chosen([{ type: 'proven', index: 2, at: 0 }], two))).toBe(false);
  });

  it('for a reason that lasts is tried behind all others, and only once in a while', () => {
    const aside = chosen([failed(0, 0, true)]);
    const next = nextRound([], aside);
    expect(orderOf(next, RETURN_MS - 1)).toEqual([1, 2]);
    expect(orderOf(next, RETURN_MS)).toEqual([1, 2, 0]);
    const onlyOneLeft = chosen([failed(1, 0, true)], aside);
    expect(orderOf(onlyOneLeft, 1)).toEqual([2]);
    expect(another(onlyOneLeft)).toBe(true);
    expect(another(chosen([failed(2, 0)], onlyOneLeft))).toBe(false);
    expect(orderOf(nextRound([failed(2, 0, true)], onlyOneLeft), 1)).toEqual([0, 1, 2]);
    expect(orderOf(chosen([{ type: 'proven', index: 0, at: 0 }], aside), 1)).toEqual([0, 1, 2]);
  });

  it.each([
    [true, MAX_ASIDE_MS],
    [false, MAX_CAUTION * RETURN_MS],
  ])('is looked at again after twice as long each time, up to a bound (lasting: %s)', (isLasting, mostMs) => {
    let choice = newWayChoice(2);
    let at = 0;
    for (let expected = RETURN_MS, round = 0; round < 16; round += 1) {
      choice = chosen([{ type: 'unopened', index: 0, isLasting, at }], choice);
      expect(isWatched(choice, 0, at + expected - 1)).toBe(false);
      at += expected;
      expect(isWatched(choice, 0, at)).toBe(true);
      expected = Math.min(mostMs, 2 * expected);
    }
    expect(isWatched(chosen([{ type: 'proven', index: 0, at }], choice), 0, at)).toBe(true);
  });
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

  it('begins again when it does not answer once', () => {
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
    expect(orderOf(moved, 1_000)).toEqual([0, 1, 2]);
    const second = [0, 300, 600, 900].flatMap((at): WayEvent[] => [
      { type: 'probed', index: 0, answers: false, at },
      ...answering(1, [at]),
    ]);
    expect(orderOf(chosen([...second, { type: 'moved', at: 1_000 }], onTheLast), 1_000)).toEqual([1, 2, 0]);
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
          { type: 'failed', index: 0, isLasting: false, at: moved + 10 },
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
