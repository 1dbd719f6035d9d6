/**
 * Group commit across agents: frames gather while a commit runs and go together into the next.
 *
 * Live frames go first, agents in turns: one that floods waits behind its own frames, not the others behind them.
 * A frame that finds the queue full (queue-room.ts) is turned away, its agent keeps it. One commit runs at a time.
 */
import { Observable, type Subscriber, timeout } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { createFifo } from '../../../platform/fifo.ts';
import { FrameError } from '../../../protocol/frame.ts';
import type { IngestFrame, IngestOutcome } from '../../store/store.ts';
import { createFairQueue } from './fair-queue.ts';
import type { IngestEmit } from './ingest-events.ts';
import { createQueueRoom } from './queue-room.ts';

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

type Waiting = { readonly frame: IngestFrame; readonly subscriber: Subscriber<IngestOutcome> };
type CommitBounds = { readonly maxBytes: number; readonly maxFrames: number };

const MIB = 1024 * 1024;

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { append, clock, emit } = options;
  const room = createQueueRoom({
    maxBytes: options.maxQueueBytes ?? 64 * MIB,
    maxFrames: options.maxQueueFrames ?? 8192,
  });
  const deadlineMs = options.deadlineMs ?? 30_000;
  const waiting = createWaitingFrames({
    maxBytes: options.maxCommitBytes ?? 16 * MIB,
    maxFrames: options.maxCommitFrames ?? 1024,
  });
  let running = false;

  const pump = () => {
    if (running) return;
    const group = waiting.gather();
    if (group.length === 0) return;
    running = true;
    const started = clock.precise();
    let outcomes: readonly IngestOutcome[] = [];
    const finish = (settle: (one: Waiting, index: number) => void) => {
      for (const { frame } of group) room.end(frame);
      group.forEach(settle);
      running = false;
      pump();
      room.tellIdle();
    };
    append(group.map(({ frame }) => frame))
      .pipe(timeout({ first: deadlineMs, scheduler: clock.scheduler }))
      .subscribe({
        next: (flushed) => {
          outcomes = flushed;
        },
        error: (error: unknown) => {
          if (error instanceof FrameError && group.length > 1) {
            waiting.suspect(group);
            running = false;
            pump();
            return;
          }
          emit({ type: 'commit_failed', frames: group.length, error: String(error) });
          finish(({ subscriber }) => subscriber.error(error));
        },
        complete: () => {
          const durationMs = clock.precise() - started;
          const { bytes: queuedBytes, frames: queuedFrames } = room.queued();
          emit({ type: 'commit', ...sumsOf(group, outcomes), durationMs, queuedBytes, queuedFrames });
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
        const full = room.begin(frame);
        if (full !== null) {
          subscriber.error(full);
          return;
        }
        waiting.push({ frame, subscriber });
        pump();
      }),
    settled: room.settled,
    room: room.parts,
    load: room.load,
    idle: room.idle,
  };
}

/** The frames that no commit has taken yet, in the order in which they go. */
function createWaitingFrames({ maxBytes, maxFrames }: CommitBounds) {
  const lanes = { live: createFairQueue<Waiting>(), backlog: createFairQueue<Waiting>() };
  /** Frames of a group that one of them spoiled: each goes alone, so that only the culprit fails. */
  const suspects = createFifo<Waiting>();
  return {
    push: (one: Waiting) =>
      lanes[one.frame.lane === 'backlog' ? 'backlog' : 'live'].push(one.frame.agent, one),
    suspect: (group: readonly Waiting[]) => {
      for (const one of group) suspects.push(one);
    },
    /** The next group to commit; empty when nothing waits. */
    gather: (): readonly Waiting[] => {
      const suspect = suspects.shift();
      if (suspect !== undefined) return [suspect];
      const group: Waiting[] = [];
      let bytes = 0;
      for (const lane of [lanes.live, lanes.backlog]) {
        while (group.length < maxFrames && (bytes < maxBytes || group.length === 0)) {
          const one = lane.shift();
          if (one === undefined) break;
          bytes += one.frame.bytes.length;
          group.push(one);
        }
      }
      return group;
    },
  };
}

function sumsOf(group: readonly Waiting[], outcomes: readonly IngestOutcome[]) {
  const sum = (of: (outcome: IngestOutcome) => number) =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  return {
    frames: group.length,
    bytes: group.reduce((total, { frame }) => total + frame.bytes.length, 0),
    stored: sum(({ stored }) => stored),
    duplicates: sum(({ duplicates }) => duplicates),
    thinned: sum(({ thinned }) => thinned),
    dropped: sum(({ dropped }) => dropped),
  };
}
