/**
 * What no commit has taken yet, and what goes into the next one.
 *
 * Live frames go first, agents in turns; then deliveries over HTTP in the order in which they came, a quarter of a
 * commit at most; then frames of backlogs, agents in turns. So neither of the two keeps the other out.
 */
import type { Observer } from 'rxjs';
import { createFifo } from '../../../platform/fifo.ts';
import type { IngestItem, ItemOutcome } from '../../store/store.ts';
import { createFairQueue } from './fair-queue.ts';
import { HTTP_SHARE, type Load } from './queue-room.ts';

export type Waiting = {
  readonly item: IngestItem;
  readonly load: Load;
  readonly subscriber: Observer<ItemOutcome>;
};

/** Bounds one commit; it takes one item whatever its size. */
export type CommitBounds = { readonly maxBytes: number; readonly maxItems: number };

export type WaitingItems = {
  readonly push: (one: Waiting) => void;
  /** One of them spoiled the group: each goes alone, so that only the culprit fails. */
  readonly suspect: (group: readonly Waiting[]) => void;
  /** The next group to commit; empty when nothing waits. */
  readonly gather: () => readonly Waiting[];
};

type Group = { readonly items: Waiting[]; bytes: number };
type Queue = { readonly shift: () => Waiting | undefined };

export function createWaitingItems({ maxBytes, maxItems }: CommitBounds): WaitingItems {
  const live = createFairQueue<Waiting>();
  const backlog = createFairQueue<Waiting>();
  const http = createFifo<Waiting>();
  const suspects = createFifo<Waiting>();

  /** Moves items until the group has no more room, or the queue has given its share of a commit. */
  const fill = (group: Group, queue: Queue, share = 1) => {
    const until = {
      items: Math.min(maxItems, group.items.length + share * maxItems),
      bytes: Math.min(maxBytes, group.bytes + share * maxBytes),
    };
    while (group.items.length < until.items && (group.bytes < until.bytes || group.items.length === 0)) {
      const one = queue.shift();
      if (one === undefined) return;
      group.bytes += one.load.bytes;
      group.items.push(one);
    }
  };

  return {
    push: (one) => {
      const { load } = one;
      if (load.lane === 'http') http.push(one);
      else (load.lane === 'live' ? live : backlog).push(load.agent, one);
    },
    suspect: (group) => {
      for (const one of group) suspects.push(one);
    },
    gather: () => {
      const suspect = suspects.shift();
      if (suspect !== undefined) return [suspect];
      const group: Group = { items: [], bytes: 0 };
      fill(group, live);
      fill(group, http, HTTP_SHARE);
      fill(group, backlog);
      return group.items;
    },
  };
}
