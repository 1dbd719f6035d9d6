/**
 * What has happened to agents: one small record an event, by agent and time. Those of HQ itself are of the agent whose
 * id is empty, which nobody can have.
 *
 * Bounds: who writes limits how many come. The sweep removes what is older than `maxAgeMs`, and the oldest of an agent
 * that has more than `maxEvents`, or more than its part of a sixteenth of the store.
 */
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { type AgentEvent, agentEventSchema } from '../../protocol/agent-event.ts';
import { readPage } from '../../storage/read-page.ts';
import type { Reader, Storage } from '../../storage/storage.ts';
import { isGone } from './agent-records.ts';
import { CursorError } from './cursor-error.ts';
import { parseJson, toJson } from './epoch-state.ts';
import {
  agentOfEvent,
  agentRange,
  eventKey,
  eventRange,
  kindRange,
  parseEventKey,
  successor,
} from './keys.ts';
import type { NewEvent, Page, TimeRange } from './store.ts';
import type { Transaction } from './transactions.ts';

/** Of HQ itself. */
const NOBODY = '';
/** What an event takes in the store, roughly, bytes. */
const EVENT_BYTES = 250;
const SHARE = 1 / 16;
/** What an agent may keep in any case. */
const LEAST_EVENTS = 50;
/** Events looked at in one pass. */
const PASS_EVENTS = 512;
const ROUND_IDLE_MS = 3_600_000;

export const DAY_MS = 86_400_000;
export const EVENT_DEFAULTS = { maxAgeMs: 400 * DAY_MS, maxEvents: 2_000 } as const;

/** Orders events of one ms: by the life of HQ, which only grows, then as they came. */
export type EventNumbers = { readonly life: number; next: number };

/** Of an agent that is being removed for good, or is gone, nothing is written. */
export function writeEvents(
  transaction: Transaction,
  events: readonly NewEvent[],
  numbers: EventNumbers,
): void {
  for (const { agent, event } of events) {
    if (agent !== null && isGone(transaction, agent)) continue;
    const { ts, ...rest } = event;
    const order = hex(numbers.life % 2 ** 32, 8) + hex(numbers.next % 65_536, 4);
    numbers.next += 1;
    transaction.writer.put(eventKey(agent ?? NOBODY, ts, order), toJson(rest));
  }
}

const hex = (number: number, digits: number): string => number.toString(16).padStart(digits, '0');

/** Time, order, and whether it is HQ's. */
const cursorSchema = z.tuple([z.number(), z.string().regex(/^[0-9a-f]{12}$/), z.boolean()]);
type Position = z.infer<typeof cursorSchema>;

const compare = ([ts, order, isOfHq]: Position, [otherTs, otherOrder, isOther]: Position): number =>
  ts - otherTs || (order < otherOrder ? -1 : order > otherOrder ? 1 : Number(isOfHq) - Number(isOther));

type Found = { readonly at: Position; readonly event: AgentEvent };

/** Oldest first, those of HQ itself among them. */
export function readEvents(
  storage: Storage,
  query: { agent: string; limit: number; cursor: string | null } & TimeRange,
): Page<AgentEvent> {
  const { agent, limit, cursor, from, to } = query;
  const after = cursor === null ? null : readCursor(cursor);
  const found = storage.read((reader) =>
    [agent, NOBODY].flatMap((whose) => eventsOf(reader, whose, { from, to, after, limit: limit + 1 })),
  );
  const ordered = found.sort((one, other) => compare(one.at, other.at));
  const items = ordered.slice(0, limit);
  const last = items.at(-1);
  const hasMore = ordered.length > limit && last !== undefined;
  return {
    items: items.map(({ event }) => event),
    cursor: hasMore ? Buffer.from(JSON.stringify(last.at)).toString('base64url') : null,
  };
}

type Wanted = TimeRange & { readonly after: Position | null; readonly limit: number };

/** `limit` at least, if there are so many. */
function eventsOf(reader: Reader, whose: string, { from, to, after, limit }: Wanted): Found[] {
  const isOfHq = whose === NOBODY;
  const found: Found[] = [];
  const range = eventRange(whose, Math.max(from, after?.[0] ?? from), to);
  for (let next: Uint8Array | null = range.from; next !== null && found.length < limit; ) {
    const page = readPage(reader, { from: next, to: range.to, limit });
    next = page.next;
    for (const { key, value } of page.entries) {
      const { ts, order } = parseEventKey(key);
      const at: Position = [ts, order, isOfHq];
      if (after !== null && compare(at, after) <= 0) continue;
      const parsed = agentEventSchema.safeParse({
        ...recordOf(value),
        ...{ ts, of: isOfHq ? 'hq' : 'agent' },
      });
      // Of a kind that a later version writes.
      if (parsed.success) found.push({ at, event: parsed.data });
    }
  }
  return found;
}

function recordOf(value: Uint8Array): object {
  const parsed = parseJson(value);
  return typeof parsed === 'object' && parsed !== null ? parsed : {};
}

function readCursor(cursor: string): Position {
  const parsed = cursorSchema.safeParse(parseJson(Buffer.from(cursor, 'base64url')));
  if (!parsed.success) throw new CursorError('this cursor was not given out by HQ; start again without one');
  return parsed.data;
}

export type EventPass = { readonly keys: readonly Uint8Array[]; readonly more: boolean };

export type EventSweep = {
  /** The next events that must go; null: it is not time yet. `cutoff`: those before are too old, ms. */
  readonly next: (cutoff: number) => EventPass | null;
};

export type EventSweepOptions = {
  readonly storage: Storage;
  readonly clock: Pick<Clock, 'precise'>;
  readonly maxEvents: number;
  /** Bound of the whole store, bytes. */
  readonly maxBytes: number;
};

/** Goes through all agents, a page at a time, once an hour. */
export function createEventSweep({ storage, clock, maxEvents, maxBytes }: EventSweepOptions): EventSweep {
  // The life of the log has the letter alone for its key.
  const { from: letter, to } = kindRange('O');
  const all = { from: successor(letter), to };
  let from: Uint8Array | null = all.from;
  let roundEnded = 0;
  /** Of the agent that is looked at: what it has beyond its bound, counted when its first event is met. */
  let tooMany = 0;
  let agent: string | null = null;
  /** Agents that have events: as counted in the last round, and in this one. */
  let agents = 1;
  let met = 0;

  const most = () => Math.min(maxEvents, Math.max(LEAST_EVENTS, (maxBytes * SHARE) / EVENT_BYTES / agents));
  const begin = (reader: Reader, name: string) => {
    agent = name;
    met += 1;
    let count = 0;
    for (let next: Uint8Array | null = agentRange('O', name).from; next !== null; ) {
      const keys = reader.keys({ from: next, to: agentRange('O', name).to, limit: PASS_EVENTS });
      count += keys.length;
      const last = keys.at(-1);
      next = last === undefined || keys.length < PASS_EVENTS ? null : successor(last);
    }
    tooMany = Math.ceil(count - most());
  };
  const pass = (reader: Reader, cutoff: number, begun: Uint8Array): EventPass => {
    const keys = reader.keys({ from: begun, to: all.to, limit: PASS_EVENTS });
    const gone: Uint8Array[] = [];
    for (const key of keys) {
      if (agentOfEvent(key) !== agent) begin(reader, agentOfEvent(key));
      if (tooMany <= 0 && parseEventKey(key).ts >= cutoff) continue;
      tooMany -= 1;
      gone.push(key);
    }
    const last = keys.at(-1);
    from = last === undefined || keys.length < PASS_EVENTS ? null : successor(last);
    if (from === null) {
      roundEnded = clock.precise();
      agents = Math.max(1, met);
      met = 0;
      agent = null;
    }
    return { keys: gone, more: from !== null };
  };
  return {
    next: (cutoff) => {
      if (from === null) {
        if (clock.precise() - roundEnded < ROUND_IDLE_MS) return null;
        from = all.from;
      }
      const begun = from;
      return storage.read((reader) => pass(reader, cutoff, begun));
    },
  };
}
