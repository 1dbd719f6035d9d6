/**
 * Which better ways do not work while a lower one is taken, why, and since when: nobody else says that the costly way
 * is in use.
 */
import type { LinkError, Way } from '../link.ts';

export type FailingWay = {
  readonly way: Way;
  /** Of the latest failure, for people. */
  readonly reason: string;
  /** Of the first failure since it last worked, epoch ms. */
  readonly since: number;
};

export type FailingWays = {
  /** `error`: null when it was given up without one. */
  readonly failed: (way: Way, error: LinkError | null) => void;
  readonly works: (way: Way) => void;
  /** Those above the one that worked last. */
  readonly list: () => readonly FailingWay[];
};

/** `onFailing`: told of a way when one below it works, once until it works itself. */
export function createFailingWays(now: () => number, onFailing: (failing: FailingWay) => void): FailingWays {
  const failing = new Map<number, FailingWay>();
  const told = new Set<number>();
  let working = -1;
  const list = () =>
    [...failing.values()]
      .filter(({ way }) => way.index < working)
      .sort((one, other) => one.way.index - other.way.index);
  return {
    list,
    failed: (way, error) => {
      const before = failing.get(way.index);
      const reason = error?.message ?? before?.reason ?? 'HQ took nothing over it.';
      failing.set(way.index, { way, reason, since: before?.since ?? now() });
    },
    works: ({ index }) => {
      working = index;
      // Nothing is known of those below: they are not tried.
      for (const one of [...failing.keys()].filter((other) => other >= index)) {
        failing.delete(one);
        told.delete(one);
      }
      for (const one of list()) {
        if (told.has(one.way.index)) continue;
        told.add(one.way.index);
        onFailing(one);
      }
    },
  };
}
