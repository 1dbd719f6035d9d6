/**
 * Room of the commit's queue, by bytes and by number. What waits or is in a commit takes room.
 *
 * Bounds: all together; the backlog half and deliveries over HTTP a quarter, so that live frames always find room; one
 * agent's frames an eighth. Deliveries have a bound of their own by number, and take no room of an agent.
 * Within the whole, each part takes one item whatever its size: else it could never be sent.
 */
import { Observable, type Subscriber } from 'rxjs';

/** Whose part of the queue is full. */
type Bound = 'hq' | 'backlog' | 'agent' | 'http';

/** The queue is full; come back later. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
  readonly bound: Bound;
  constructor(bound: Bound, message: string) {
    super(message);
    this.bound = bound;
  }
}

/** What takes room: a frame of an agent, or a delivery over HTTP. */
export type Load =
  | {
      readonly lane: 'live' | 'backlog';
      readonly agent: string;
      readonly bytes: number;
      readonly samples: number;
    }
  | { readonly lane: 'http'; readonly bytes: number };
type Size = { frames: number; bytes: number };
type Part = { readonly bytes: number; readonly frames: number };

export type QueueBounds = {
  readonly maxBytes: number;
  readonly maxFrames: number;
  readonly maxDeliveries: number;
};

export type QueueRoom = {
  /** Takes room, or says which part is full. */
  readonly begin: (load: Load) => QueueFullError | null;
  /** Gives the room back. */
  readonly end: (load: Load) => void;
  readonly queued: () => Readonly<Size>;
  /** Samples of the agent that wait or are in a commit. */
  readonly samplesOf: (agent: string) => number;
  /** Share of the room in use, or of the backlog's part when that is more, 0 … 1. */
  readonly load: () => number;
  readonly parts: { readonly backlogBytes: number; readonly agentBytes: number };
  /** Emits once no frame of the agent takes room any more. */
  readonly settled: (agent: string) => Observable<void>;
  /** Completes once no frame of an agent takes room, or nothing at all, and `tellIdle` was called. */
  readonly idle: (of: 'frames' | 'all') => Observable<never>;
  readonly tellIdle: () => void;
};

const NOTHING: Readonly<Size> = { frames: 0, bytes: 0 };
const BACKLOG_SHARE = 1 / 2;
const AGENT_SHARE = 1 / 8;
export const HTTP_SHARE = 1 / 4;

const FULL: Readonly<Record<Bound, string>> = {
  hq: 'HQ has more waiting for its storage than it may keep in memory',
  agent: 'HQ has more frames of this agent waiting than it keeps of one',
  backlog: 'HQ has more frames of backlogs waiting than it leaves room for',
  http: 'HQ has as many deliveries over HTTP waiting as it takes at once',
};

export function createQueueRoom({ maxBytes, maxFrames, maxDeliveries }: QueueBounds): QueueRoom {
  const byAgent = new Map<string, Size & { samples: number; readonly waiters: Set<Subscriber<void>> }>();
  const idlers = new Map<Subscriber<never>, () => boolean>();
  const queued: Size = { ...NOTHING };
  const lanes = { live: { ...NOTHING }, backlog: { ...NOTHING }, http: { ...NOTHING } };

  const shareOfAll = (part: number): Part => ({ bytes: part * maxBytes, frames: part * maxFrames });
  const parts = {
    hq: shareOfAll(1),
    agent: shareOfAll(AGENT_SHARE),
    backlog: shareOfAll(BACKLOG_SHARE),
    http: { bytes: HTTP_SHARE * maxBytes, frames: maxDeliveries },
  };
  const fullFor = (load: Load): QueueFullError | null => {
    if (!fitsBeside(queued, parts.hq, load)) return new QueueFullError('hq', FULL.hq);
    const wants: [Bound, Size][] = [];
    if (load.lane !== 'http') wants.push(['agent', byAgent.get(load.agent) ?? NOTHING]);
    if (load.lane !== 'live') wants.push([load.lane, lanes[load.lane]]);
    const full = wants.find(([bound, size]) => size.frames > 0 && !fitsBeside(size, parts[bound], load));
    return full === undefined ? null : new QueueFullError(full[0], FULL[full[0]]);
  };
  const isIdle = {
    frames: () => byAgent.size === 0,
    all: () => queued.frames === 0,
  };

  return {
    begin: (load) => {
      const full = fullFor(load);
      if (full !== null) return full;
      for (const size of [queued, lanes[load.lane]]) count(size, load, 1);
      if (load.lane === 'http') return null;
      const entry = byAgent.get(load.agent) ?? { ...NOTHING, samples: 0, waiters: new Set() };
      byAgent.set(load.agent, entry);
      count(entry, load, 1);
      entry.samples += load.samples;
      return null;
    },
    end: (load) => {
      for (const size of [queued, lanes[load.lane]]) count(size, load, -1);
      const entry = load.lane === 'http' ? undefined : byAgent.get(load.agent);
      if (load.lane === 'http' || entry === undefined) return;
      count(entry, load, -1);
      entry.samples -= load.samples;
      if (entry.frames > 0) return;
      byAgent.delete(load.agent);
      for (const waiter of entry.waiters) {
        waiter.next();
        waiter.complete();
      }
    },
    queued: () => queued,
    samplesOf: (agent) => byAgent.get(agent)?.samples ?? 0,
    load: () => Math.max(shareOf(queued, parts.hq), shareOf(lanes.backlog, parts.backlog)),
    parts: { backlogBytes: parts.backlog.bytes, agentBytes: parts.agent.bytes },
    settled: (agent) =>
      new Observable<void>((subscriber) => {
        const entry = byAgent.get(agent);
        if (entry === undefined) {
          subscriber.next();
          subscriber.complete();
          return undefined;
        }
        entry.waiters.add(subscriber);
        return () => entry.waiters.delete(subscriber);
      }),
    idle: (of) =>
      new Observable<never>((subscriber) => {
        if (isIdle[of]()) {
          subscriber.complete();
          return undefined;
        }
        idlers.set(subscriber, isIdle[of]);
        return () => idlers.delete(subscriber);
      }),
    tellIdle: () => {
      for (const [idler, isOver] of [...idlers]) if (isOver()) idler.complete();
    },
  };
}

const shareOf = ({ frames, bytes }: Size, part: Part) => Math.max(bytes / part.bytes, frames / part.frames);

const fitsBeside = (size: Size, part: Part, { bytes }: Load) =>
  shareOf({ frames: size.frames + 1, bytes: size.bytes + bytes }, part) <= 1;

function count(size: Size, { bytes }: Load, sign: 1 | -1): void {
  size.frames += sign;
  size.bytes += sign * bytes;
}
