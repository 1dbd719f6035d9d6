/**
 * Room of the commit's queue, by bytes and by number. What waits or is in a commit takes room.
 *
 * Bounds: all together; the backlog half, so that live frames always find room; one agent an eighth.
 */
import { Observable, type Subscriber } from 'rxjs';
import type { IngestFrame } from '../../store/store.ts';

/** Whose part of the queue is full. */
type Bound = 'hq' | 'backlog' | 'agent';

/** The queue is full; come back later. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
  readonly bound: Bound;
  constructor(bound: Bound, message: string) {
    super(message);
    this.bound = bound;
  }
}

/** What takes room: a frame, or what will become one. */
export type Load = Pick<IngestFrame, 'agent' | 'lane'> & { readonly bytes: { readonly length: number } };
type Size = { frames: number; bytes: number };

export type QueueRoom = {
  /** Takes room, or says which part is full. */
  readonly begin: (load: Load) => QueueFullError | null;
  /** Gives the room back. */
  readonly end: (load: Load) => void;
  readonly queued: () => Readonly<Size>;
  /** Share of the room in use, or of the backlog's part when that is more, 0 … 1. */
  readonly load: () => number;
  readonly parts: { readonly backlogBytes: number; readonly agentBytes: number };
  /** Emits once nothing of the agent takes room any more. */
  readonly settled: (agent: string) => Observable<void>;
  /** Completes once nothing takes room and `tellIdle` was called. */
  readonly idle: () => Observable<never>;
  readonly tellIdle: () => void;
};

const NOTHING: Readonly<Size> = { frames: 0, bytes: 0 };
const BACKLOG_SHARE = 1 / 2;
const AGENT_SHARE = 1 / 8;

export function createQueueRoom({ maxBytes, maxFrames }: { maxBytes: number; maxFrames: number }): QueueRoom {
  const byAgent = new Map<string, Size & { readonly waiters: Set<Subscriber<void>> }>();
  const idlers = new Set<Subscriber<never>>();
  const queued: Size = { ...NOTHING };
  const backlog: Size = { ...NOTHING };

  const shareOf = ({ frames, bytes }: Size, part: number) =>
    Math.max(bytes / (part * maxBytes), frames / (part * maxFrames));
  const shareWith = ({ frames, bytes }: Size, part: number, load: Load) =>
    shareOf({ frames: frames + 1, bytes: bytes + load.bytes.length }, part);
  // A part takes one frame whatever its size: else it could never be sent.
  const fits = (size: Size, part: number, load: Load) =>
    size.frames === 0 || shareWith(size, part, load) <= 1;
  const fullFor = (load: Load): QueueFullError | null => {
    if (shareWith(queued, 1, load) > 1)
      return new QueueFullError('hq', 'HQ has more frames waiting than it may keep in memory');
    if (!fits(byAgent.get(load.agent) ?? NOTHING, AGENT_SHARE, load))
      return new QueueFullError('agent', 'HQ has more frames of this agent waiting than it keeps of one');
    if (load.lane === 'backlog' && !fits(backlog, BACKLOG_SHARE, load))
      return new QueueFullError('backlog', 'HQ has more frames of backlogs waiting than it leaves room for');
    return null;
  };

  return {
    begin: (load) => {
      const full = fullFor(load);
      if (full !== null) return full;
      const entry = byAgent.get(load.agent) ?? { ...NOTHING, waiters: new Set() };
      byAgent.set(load.agent, entry);
      for (const size of [queued, entry]) count(size, load, 1);
      if (load.lane === 'backlog') count(backlog, load, 1);
      return null;
    },
    end: (load) => {
      count(queued, load, -1);
      if (load.lane === 'backlog') count(backlog, load, -1);
      const entry = byAgent.get(load.agent);
      if (entry === undefined) return;
      count(entry, load, -1);
      if (entry.frames > 0) return;
      byAgent.delete(load.agent);
      for (const waiter of entry.waiters) {
        waiter.next();
        waiter.complete();
      }
    },
    queued: () => queued,
    load: () => Math.max(shareOf(queued, 1), shareOf(backlog, BACKLOG_SHARE)),
    parts: { backlogBytes: BACKLOG_SHARE * maxBytes, agentBytes: AGENT_SHARE * maxBytes },
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
    idle: () =>
      new Observable<never>((subscriber) => {
        if (byAgent.size === 0) {
          subscriber.complete();
          return undefined;
        }
        idlers.add(subscriber);
        return () => idlers.delete(subscriber);
      }),
    tellIdle: () => {
      if (byAgent.size === 0) for (const idler of [...idlers]) idler.complete();
    },
  };
}

function count(size: Size, { bytes }: Load, sign: 1 | -1): void {
  size.frames += sign;
  size.bytes += sign * bytes.length;
}
