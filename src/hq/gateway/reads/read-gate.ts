/**
 * Lets in what reads much of the storage: so many at once, in a bounded sum of memory, clients in turn. What waits
 * holds nothing.
 */
import { Observable } from 'rxjs';

export type ReadTicket = {
  /** The work is done: the next may begin. What it holds in memory stays counted. */
  readonly worked: () => void;
  /** All of it is gone. */
  readonly release: () => void;
};

export type ReadGateState = {
  readonly active: number;
  readonly waiting: number;
  /** What all that are let in hold in memory, estimated. */
  readonly bytes: number;
};

export type ReadGate = {
  /**
   * Emits a ticket once the read may begin, and completes. Unsubscribing before that gives up the place. `client`: whom
   * it is for; `bytes`: what it will hold in memory.
   */
  readonly enter: (read: { readonly client: string; readonly bytes: number }) => Observable<ReadTicket>;
};

export type ReadGateOptions = {
  readonly maxActive: number;
  /** A read that needs more comes when nothing else is held; one client has half of it. */
  readonly maxBytes: number;
  readonly onChange?: (state: ReadGateState) => void;
};

type Entry = { readonly client: string; readonly bytes: number; readonly begin: () => void };

export function createReadGate({ maxActive, maxBytes, onChange = () => {} }: ReadGateOptions): ReadGate {
  /** By client, in the order of their turns. */
  const waiting = new Map<string, Set<Entry>>();
  const heldBy = new Map<string, number>();
  let waits = 0;
  let active = 0;
  let bytes = 0;
  const tell = () => onChange({ active, waiting: waits, bytes });

  const fits = (entry: Entry): boolean => {
    const own = heldBy.get(entry.client) ?? 0;
    if (own > 0 && own + entry.bytes > maxBytes / 2) return false;
    return bytes === 0 || bytes + entry.bytes <= maxBytes;
  };
  const leave = (entry: Entry): boolean => {
    const own = waiting.get(entry.client);
    if (own?.delete(entry) !== true) return false;
    waits -= 1;
    if (own.size === 0) waiting.delete(entry.client);
    return true;
  };
  /** The next in turn that fits; its client goes behind the others. */
  const next = (): Entry | undefined => {
    for (const [client, own] of waiting) {
      const [entry] = own;
      if (entry === undefined || !fits(entry)) continue;
      leave(entry);
      if (waiting.delete(client)) waiting.set(client, own);
      return entry;
    }
    return undefined;
  };
  const hold = (client: string, change: number) => {
    bytes += change;
    const own = (heldBy.get(client) ?? 0) + change;
    if (own > 0) heldBy.set(client, own);
    else heldBy.delete(client);
  };
  const fill = () => {
    while (active < maxActive) {
      const entry = next();
      if (entry === undefined) break;
      active += 1;
      hold(entry.client, entry.bytes);
      entry.begin();
    }
    tell();
  };
  const ticketOf = ({ client, bytes: held }: Entry): ReadTicket => {
    let isWorking = true;
    let isHeld = true;
    const worked = () => {
      if (!isWorking) return;
      isWorking = false;
      active -= 1;
      fill();
    };
    return {
      worked,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        hold(client, -held);
        worked();
        fill();
      },
    };
  };

  return {
    enter: ({ client, bytes: needed }) =>
      new Observable<ReadTicket>((subscriber) => {
        const entry: Entry = {
          client,
          bytes: needed,
          begin: () => {
            subscriber.next(ticketOf(entry));
            subscriber.complete();
          },
        };
        const own = waiting.get(client) ?? new Set();
        waiting.set(client, own.add(entry));
        waits += 1;
        fill();
        return () => {
          if (leave(entry)) tell();
        };
      }),
  };
}
