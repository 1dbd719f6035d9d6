/**
 * Group commit across agents: frames gather while a commit runs and go together into the next, live ones first, agents in turns: one
 * that floods waits behind its own frames, not the others behind them. Bounded by bytes and by number: for all, for the backlog,
 * which may take half so that live frames always find room, and for one agent, which may take an eighth. A frame that finds
 * the queue full is turned away, its agent keeps it. One commit runs at a time.
 */
import { Observable, type Subscriber, timeout } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { FrameError } from '../../../protocol/frame.ts';
import type { IngestFrame, IngestOutcome } from '../../store/store.ts';
import { createFairQueue, createFifo } from './fair-queue.ts';
import type { IngestEmit } from './ingest-events.ts';

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

export type GroupCommitOptions = {
  readonly append: (frames: readonly IngestFrame[]) => Observable<readonly IngestOutcome[]>;
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly emit: IngestEmit;
  /** Bytes of frames that may wait or be in a commit. Default 64 MiB. */
  readonly maxQueueBytes?: number;
  /** Frames that may wait or be in a commit: each costs some 10 KB of memory beside its bytes. Default 8,192. */
  readonly maxQueueFrames?: number;
  /** A commit that has not answered by then counts as failed, and the next one begins, ms. Default 30,000. */
  readonly deadlineMs?: number;
  /** Bounds one commit. Defaults 16 MiB and 1,024 frames. */
  readonly maxCommitBytes?: number;
  readonly maxCommitFrames?: number;
};

export type GroupCommit = {
  /** Queues the frame; emits its outcome once flushed. Leaving early does not take it out of the queue. */
  readonly submit: (frame: IngestFrame) => Observable<IngestOutcome>;
  /** Emits once no frame of the agent waits any more. */
  readonly settled: (agent: string) => Observable<void>;
  /** Share of the queue in use, or of the backlog's part of it when that is more, 0 … 1. */
  readonly load: () => number;
  /** Bytes that the queue has room for: of all backlogs, and of one agent. */
  readonly room: { readonly backlogBytes: number; readonly agentBytes: number };
  /** Completes once nothing waits. */
  readonly idle: () => Observable<never>;
};

type Size = { frames: number; bytes: number };
const NOTHING: Readonly<Size> = { frames: 0, bytes: 0 };
type Waiting = { readonly frame: IngestFrame; readonly subscriber: Subscriber<IngestOutcome> };

const MIB = 1024 * 1024;
const BACKLOG_SHARE = 1 / 2;
const AGENT_SHARE = 1 / 8;

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { append, clock, emit } = options;
  const maxQueueBytes = options.maxQueueBytes ?? 64 * MIB;
  const maxQueueFrames = options.maxQueueFrames ?? 8192;
  const deadlineMs = options.deadlineMs ?? 30_000;
  const maxCommitBytes = options.maxCommitBytes ?? 16 * MIB;
  const maxCommitFrames = options.maxCommitFrames ?? 1024;
  const lanes = { live: createFairQueue<Waiting>(), backlog: createFairQueue<Waiting>() };
  /** Frames of a group that one of them spoiled: each goes alone, so that only the culprit fails. */
  const suspects = createFifo<Waiting>();
  /** Frames that wait or are in a commit, by agent. */
  const outstanding = new Map<string, Size & { readonly waiters: Set<Subscriber<void>> }>();
  const idlers = new Set<Subscriber<never>>();
  const queued: Size = { frames: 0, bytes: 0 };
  const backlog: Size = { frames: 0, bytes: 0 };
  let running = false;

  const count = (size: Size, { bytes }: IngestFrame, sign: 1 | -1) => {
    size.frames += sign;
    size.bytes += sign * bytes.length;
  };
  const begin = (frame: IngestFrame) => {
    const entry = outstanding.get(frame.agent) ?? { frames: 0, bytes: 0, waiters: new Set() };
    outstanding.set(frame.agent, entry);
    for (const size of [queued, entry]) count(size, frame, 1);
    if (frame.lane === 'backlog') count(backlog, frame, 1);
  };
  const end = (frame: IngestFrame) => {
    const { agent } = frame;
    count(queued, frame, -1);
    if (frame.lane === 'backlog') count(backlog, frame, -1);
    const entry = outstanding.get(agent);
    if (entry === undefined) return;
    count(entry, frame, -1);
    if (entry.frames > 0) return;
    outstanding.delete(agent);
    for (const waiter of entry.waiters) {
      waiter.next();
      waiter.complete();
    }
  };

  const use = ({ frames, bytes }: Size, part: number) =>
    Math.max(bytes / (part * maxQueueBytes), frames / (part * maxQueueFrames));
  const fits = ({ frames, bytes }: Size, part: number, frame: IngestFrame) =>
    // A part takes one frame whatever its size: else it could never be sent.
    frames === 0 || use({ frames: frames + 1, bytes: bytes + frame.bytes.length }, part) <= 1;
  const fullFor = (frame: IngestFrame): QueueFullError | null => {
    const { frames, bytes } = queued;
    if (use({ frames: frames + 1, bytes: bytes + frame.bytes.length }, 1) > 1)
      return new QueueFullError('hq', 'HQ has more frames waiting than it may keep in memory');
    if (!fits(outstanding.get(frame.agent) ?? NOTHING, AGENT_SHARE, frame))
      return new QueueFullError('agent', 'HQ has more frames of this agent waiting than it keeps of one');
    if (frame.lane === 'backlog' && !fits(backlog, BACKLOG_SHARE, frame))
      return new QueueFullError('backlog', 'HQ has more frames of backlogs waiting than it leaves room for');
    return null;
  };

  const gather = (): Waiting[] => {
    const suspect = suspects.shift();
    if (suspect !== undefined) return [suspect];
    const group: Waiting[] = [];
    let bytes = 0;
    for (const lane of [lanes.live, lanes.backlog]) {
      while (group.length < maxCommitFrames && (bytes < maxCommitBytes || group.length === 0)) {
        const one = lane.shift();
        if (one === undefined) break;
        bytes += one.frame.bytes.length;
        group.push(one);
      }
    }
    return group;
  };

  const pump = () => {
    if (running) return;
    const group = gather();
    if (group.length === 0) return;
    running = true;
    const started = clock.precise();
    let outcomes: readonly IngestOutcome[] = [];
    const finish = (settle: (one: Waiting, index: number) => void) => {
      for (const one of group) end(one.frame);
      group.forEach(settle);
      running = false;
      pump();
      if (outstanding.size === 0) for (const idler of [...idlers]) idler.complete();
    };
    const frames = group.map(({ frame }) => frame);
    append(frames)
      .pipe(timeout({ first: deadlineMs, scheduler: clock.scheduler }))
      .subscribe({
        next: (flushed) => {
          outcomes = flushed;
        },
        error: (error: unknown) => {
          if (error instanceof FrameError && group.length > 1) {
            for (const one of group) suspects.push(one);
            running = false;
            pump();
            return;
          }
          emit({ type: 'commit_failed', frames: group.length, error: String(error) });
          finish(({ subscriber }) => subscriber.error(error));
        },
        complete: () => {
          const sum = (of: (outcome: IngestOutcome) => number) =>
            outcomes.reduce((total, outcome) => total + of(outcome), 0);
          emit({
            type: 'commit',
            frames: group.length,
            bytes: group.reduce((total, { frame }) => total + frame.bytes.length, 0),
            stored: sum(({ stored }) => stored),
            duplicates: sum(({ duplicates }) => duplicates),
            thinned: sum(({ thinned }) => thinned),
            dropped: sum(({ dropped }) => dropped),
            durationMs: clock.precise() - started,
            queuedBytes: queued.bytes,
            queuedFrames: queued.frames,
          });
          finish(({ subscriber }, index) => {
            const outcome = outcomes[index];
            if (outcome !== undefined) subscriber.next(outcome);
            subscriber.complete();
          });
        },
      });
  };

  return {
    submit: (frame) =>
      new Observable<IngestOutcome>((subscriber) => {
        const full = fullFor(frame);
        if (full !== null) {
          subscriber.error(full);
          return;
        }
        begin(frame);
        lanes[frame.lane === 'backlog' ? 'backlog' : 'live'].push(frame.agent, { frame, subscriber });
        pump();
      }),
    settled: (agent) =>
      new Observable<void>((subscriber) => {
        const entry = outstanding.get(agent);
        if (entry === undefined) {
          subscriber.next();
          subscriber.complete();
          return undefined;
        }
        entry.waiters.add(subscriber);
        return () => entry.waiters.delete(subscriber);
      }),
    room: { backlogBytes: BACKLOG_SHARE * maxQueueBytes, agentBytes: AGENT_SHARE * maxQueueBytes },
    load: () => Math.max(use(queued, 1), use(backlog, BACKLOG_SHARE)),
    idle: () =>
      new Observable<never>((subscriber) => {
        if (outstanding.size === 0) {
          subscriber.complete();
          return undefined;
        }
        idlers.add(subscriber);
        return () => idlers.delete(subscriber);
      }),
  };
}
