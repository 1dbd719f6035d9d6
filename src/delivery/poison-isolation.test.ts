import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPoisonIsolation, type Isolation, type IsolationStep } from './poison-isolation.ts';

/** Records `first` to `last`; the number of the first is its key. */
type Batch = { readonly first: number; readonly last: number };
type State = Isolation<Batch> & { readonly note: string };

const STRIKES = 3;
const isolation = createPoisonIsolation<Batch>({
  keyOf: ({ first }) => first,
  isDivisible: ({ first, last }) => first < last,
  maySuspect: () => true,
  strikes: STRIKES,
  maxSuspected: 4,
});
const FRESH: State = { suspected: [], strikes: new Map(), note: 'kept' };

const recordsOf = ({ first, last }: Batch) => Array.from({ length: last - first + 1 }, (_, at) => first + at);
const halvesOf = ({ first, last }: Batch): Batch[] => {
  const middle = Math.floor((first + last) / 2);
  return [
    { first, last: middle },
    { first: middle + 1, last },
  ];
};

/** What a sender does with it, at a receiver that refuses writes with poison, or whose connection breaks at them. */
function deliverAll(sizes: readonly number[], poison: ReadonlySet<number>, how: 'refuses' | 'breaks') {
  const delivered: number[] = [];
  const rejected: number[] = [];
  let writes = 0;
  let todo: Batch[] = [];
  for (const size of sizes) {
    const first = (todo.at(-1)?.last ?? 0) + 1;
    todo.push({ first, last: first + size - 1 });
  }
  let state = FRESH;
  const follow = ([next, step]: readonly [State, IsolationStep<Batch>]) => {
    state = step.kind === 'halve' ? withHalves(next, step.suspected) : next;
    if (step.kind !== 'given_up') return;
    const refused = state.suspected.filter(({ stage }) => stage.kind === 'refused');
    rejected.push(...refused.flatMap(recordsOf));
    state = { ...state, suspected: state.suspected.filter(({ stage }) => stage.kind !== 'refused') };
  };
  const withHalves = (next: State, whole: Batch) => isolation.withParts(next, whole.first, halvesOf(whole));
  const isPoisoned = (batch: Batch) => recordsOf(batch).some((record) => poison.has(record));

  while (todo.length > 0 || state.suspected.length > 0) {
    writes += 1;
    if (writes > 10_000) throw new Error('it never ends');
    const alone = isolation.next(state);
    if (alone !== undefined) {
      if (!isPoisoned(alone)) {
        delivered.push(...recordsOf(alone));
        state = isolation.delivered(state, alone.first);
      } else if (how === 'breaks') follow(isolation.brokenAlone(state, alone));
      else follow(isolation.refused(state, alone, 'bad'));
      continue;
    }
    const together = todo.slice(0, how === 'breaks' ? 3 : 1);
    const [head] = together;
    if (head === undefined) break;
    if (!together.some(isPoisoned)) {
      delivered.push(...together.flatMap(recordsOf));
      todo = todo.slice(together.length);
      continue;
    }
    if (how === 'breaks') state = isolation.broken(state, together);
    else follow(isolation.refused(state, head, 'bad'));
    // What is suspected goes alone from now on; what was given up goes nowhere.
    const taken = new Set([...state.suspected.flatMap(recordsOf), ...rejected]);
    todo = todo.filter(({ first }) => !taken.has(first));
  }
  return {
    delivered: delivered.sort((a, b) => a - b),
    rejected: rejected.sort((a, b) => a - b),
    writes,
    state,
  };
}

describe('poison isolation', () => {
  it.each(['refuses', 'breaks'] as const)(
    'gives up the poison and nothing else, where the receiver %s',
    (how) => {
      fc.assert(
        fc.property(
          fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }),
          fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 6 }),
          (sizes, drawn) => {
            const count = sizes.reduce((sum, size) => sum + size, 0);
            const poison = new Set(drawn.map((number) => 1 + (number % count)));
            const { delivered, rejected, writes, state } = deliverAll(sizes, poison, how);
            const records = recordsOf({ first: 1, last: count });
            expect(rejected).toEqual(records.filter((record) => poison.has(record)));
            expect(delivered).toEqual(records.filter((record) => !poison.has(record)));
            expect(state.note).toBe('kept');
            // Each poison costs the way down to it, twice where it has a neighbour.
            const depth = Math.ceil(Math.log2(40));
            expect(writes).toBeLessThanOrEqual(
              (STRIKES + 1) * sizes.length + poison.size * (2 * depth + STRIKES),
            );
          },
        ),
      );
    },
  );

  it('does not suspect what was under way at fewer disconnects, nor give up what arrives after all', () => {
    const batch = { first: 1, last: 1 };
    let state = FRESH;
    for (let strike = 1; strike < STRIKES; strike += 1) state = isolation.broken(state, [batch]);
    expect(isolation.next(state)).toBeUndefined();
    state = isolation.broken(state, [batch]);
    for (let strike = 1; strike < STRIKES; strike += 1) {
      const alone = isolation.next(state);
      expect(alone).toMatchObject({ ...batch, strikes: strike - 1 });
      if (alone === undefined) return;
      const [next, step] = isolation.brokenAlone(state, alone);
      expect(step).toEqual({ kind: 'none' });
      state = next;
    }
    expect(isolation.delivered(state, 1).suspected).toEqual([]);
  });

  it('leaves the state as it is, the very object, when no place is left', () => {
    const full = [1, 2, 3, 4].reduce(
      (state, first) => isolation.suspect(state, { first, last: first }),
      FRESH,
    );
    expect(full.suspected).toHaveLength(4);
    expect(isolation.suspect(full, { first: 9, last: 9 })).toBe(full);
    const [state, step] = isolation.refused(full, { first: 9, last: 9 }, 'bad');
    expect(state).toBe(full);
    expect(step).toEqual({ kind: 'none' });
  });

  it('gives up once: neither what is refused already nor what is being written down', () => {
    const suspected = isolation.suspect(FRESH, { first: 1, last: 1 });
    const [refused, step] = isolation.giveUp(suspected, 1, 'too large');
    expect(step).toEqual({ kind: 'given_up' });
    expect(refused.suspected).toMatchObject([{ stage: { kind: 'refused', reason: 'too large' } }]);
    expect(isolation.giveUp(refused, 1, 'again')).toEqual([refused, { kind: 'none' }]);
    expect(isolation.next(refused)).toBeUndefined();
  });
});
