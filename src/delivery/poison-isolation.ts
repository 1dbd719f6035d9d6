/**
 * Finds the record that a receiver refuses, or that breaks connections, and gives up nothing else. Pure.
 *
 * A batch that is refused is suspected, and so is one that was under way each time `strikes` connections broke. It then
 * goes alone, so that what happens speaks about it. When it is refused again, or the connection breaks again, its
 * sender halves it and each part goes alone in turn. What cannot be halved is given up: at once when it is refused,
 * after `strikes` connections otherwise. So a flaky way costs time here, but no data.
 *
 *     1–4 refused → 1–2 delivered, 3–4 refused → 3 refused: given up, 4 delivered
 *
 * Bounds: `maxSuspected` batches, and as many parts of each as halving makes. One that finds no place is not suspected.
 */

/** A batch, or a part of one, that goes alone. */
export type Suspected<B> = B & {
  /**
   * `open`: to be tried. `halving`: its parts will take its place. `refused`: given up. `rejecting`: its sender is
   * writing down that it is.
   */
  readonly stage:
    | { readonly kind: 'open' | 'halving' | 'rejecting' }
    | { readonly kind: 'refused'; readonly reason: string };
  /** Connections that broke while it was alone under way. */
  readonly strikes: number;
};

export type Isolation<B> = {
  readonly suspected: readonly Suspected<B>[];
  /** Connections that broke with a batch under way among others, by its key. */
  readonly strikes: ReadonlyMap<number, number>;
};

export type IsolationRules<B> = {
  /** Tells batches apart; the first half of one may keep its key. */
  readonly keyOf: (batch: B) => number;
  readonly isDivisible: (batch: B) => boolean;
  /** Whether it can be what breaks connections. */
  readonly maySuspect: (batch: B) => boolean;
  readonly strikes: number;
  readonly maxSuspected: number;
};

/** What its sender has to do. `given_up`: see which are `refused`, and write that down. */
export type IsolationStep<B> =
  | { readonly kind: 'none' | 'given_up' }
  | { readonly kind: 'halve'; readonly suspected: Suspected<B> };

/** The state may hold more than the isolation, which is kept. Where nothing changed it is the same object. */
export type PoisonIsolation<B> = {
  /** The next one to go alone. */
  readonly next: (state: Isolation<B>) => Suspected<B> | undefined;
  readonly find: (state: Isolation<B>, key: number) => Suspected<B> | undefined;
  readonly suspect: <S extends Isolation<B>>(state: S, batch: B) => S;
  /** It has been delivered. */
  readonly delivered: <S extends Isolation<B>>(state: S, key: number) => S;
  /** The receiver refuses it as it is. */
  readonly refused: <S extends Isolation<B>>(state: S, batch: B, reason: string) => Judged<B, S>;
  /** It will never be delivered. */
  readonly giveUp: <S extends Isolation<B>>(state: S, key: number, reason: string) => Judged<B, S>;
  /** A connection broke with these under way. */
  readonly broken: <S extends Isolation<B>>(state: S, batches: readonly B[]) => S;
  /** A connection broke with it alone under way. */
  readonly brokenAlone: <S extends Isolation<B>>(state: S, alone: Suspected<B>) => Judged<B, S>;
  /** Puts the parts where the whole was. */
  readonly withParts: <S extends Isolation<B>>(state: S, key: number, parts: readonly B[]) => S;
};

type Judged<B, S> = readonly [S, IsolationStep<B>];

const NOTHING = { kind: 'none' } as const;

export function createPoisonIsolation<B extends object>(rules: IsolationRules<B>): PoisonIsolation<B> {
  const { keyOf, isDivisible, maySuspect, maxSuspected } = rules;
  const fresh = (batch: B): Suspected<B> => ({ ...batch, stage: { kind: 'open' }, strikes: 0 });
  const find = (state: Isolation<B>, key: number) => state.suspected.find((one) => keyOf(one) === key);
  const replaced = <S extends Isolation<B>>(state: S, next: Suspected<B>): S => ({
    ...state,
    suspected: state.suspected.map((one) => (keyOf(one) === keyOf(next) ? next : one)),
  });
  const suspect = <S extends Isolation<B>>(state: S, batch: B): S => {
    const isFull = state.suspected.length >= maxSuspected;
    if (isFull || find(state, keyOf(batch)) !== undefined) return state;
    return { ...state, suspected: [...state.suspected, fresh(batch)] };
  };
  const halve = <S extends Isolation<B>>(state: S, suspected: Suspected<B>): Judged<B, S> => [
    replaced(state, { ...suspected, stage: { kind: 'halving' } }),
    { kind: 'halve', suspected },
  ];
  const giveUp = <S extends Isolation<B>>(state: S, key: number, reason: string): Judged<B, S> => {
    const found = find(state, key);
    if (found === undefined || found.stage.kind === 'refused' || found.stage.kind === 'rejecting')
      return [state, NOTHING];
    return [replaced(state, { ...found, stage: { kind: 'refused', reason } }), { kind: 'given_up' }];
  };
  return {
    next: ({ suspected }) => suspected.find(({ stage }) => stage.kind === 'open'),
    find,
    suspect,
    delivered: (state, key) => {
      const found = find(state, key);
      if (found === undefined) return state;
      return { ...state, suspected: state.suspected.filter((one) => one !== found) };
    },
    refused: (state, batch, reason) => {
      const known = suspect(state, batch);
      const found = find(known, keyOf(batch));
      if (found === undefined) return [known, NOTHING];
      return isDivisible(batch) ? halve(known, found) : giveUp(known, keyOf(batch), reason);
    },
    giveUp,
    broken: (state, batches) => {
      const strikes = new Map(state.strikes);
      let next = state;
      for (const batch of batches) {
        const key = keyOf(batch);
        const count = (strikes.get(key) ?? 0) + 1;
        if (count < rules.strikes || !maySuspect(batch)) strikes.set(key, count);
        else {
          strikes.delete(key);
          next = suspect(next, batch);
        }
      }
      return { ...next, strikes };
    },
    brokenAlone: (state, alone) => {
      const found: Suspected<B> = { ...alone, strikes: alone.strikes + 1 };
      const noted = replaced(state, found);
      if (isDivisible(found)) return halve(noted, found);
      if (found.strikes < rules.strikes) return [noted, NOTHING];
      const reason = `${rules.strikes} connections broke while it was alone on its way`;
      return giveUp(noted, keyOf(found), reason);
    },
    withParts: (state, key, parts) => ({
      ...state,
      suspected: state.suspected.flatMap((one) => (keyOf(one) === key ? parts.map(fresh) : [one])),
    }),
  };
}
