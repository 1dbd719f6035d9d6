/**
 * Group commit of everything that is delivered: frames of agents and deliveries over HTTP gather while a commit runs
 * and go together into the next (waiting-items.ts says in which order).
 *
 * Agents take turns: one that floods waits behind its own frames, not the others behind them. What finds the queue full
 * (queue-room.ts) is turned away; who sent it keeps it. One commit runs at a time.
 */
import { Observable, type Subscriber, TimeoutError, timeout } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { errorText } from '../../../platform/error-text.ts';
import { StorageError } from '../../../storage/storage.ts';
import type {
  AgentFrame,
  DeliveryOutcome,
  FrameLog,
  IngestItem,
  IngestOutcome,
  ItemOutcome,
  SampleDelivery,
} from '../../store/store.ts';
import type { IngestEmit } from './ingest-events.ts';
import { createQueueRoom, type Load } from './queue-room.ts';
import { createWaitingItems, type Waiting } from './waiting-items.ts';

export type GroupCommitOptions = {
  readonly append: FrameLog['append'];
  readonly clock: Pick<Clock, 'precise' | 'scheduler'>;
  readonly emit: IngestEmit;
  /** Bytes that may wait or be in a commit. Default 64 MiB. */
  readonly maxQueueBytes?: number;
  /** Items that may wait or be in a commit: each costs some 10 KB of memory besides its bytes. Default 8,192. */
  readonly maxQueueFrames?: number;
  /** Of them deliveries over HTTP. Default 256. */
  readonly maxDeliveries?: number;
  /** A commit that has not answered by then counts as failed, and the next one begins, ms. Default 30,000. */
  readonly deadlineMs?: number;
  /** Bounds one commit. Defaults 16 MiB and 1,024 items. */
  readonly maxCommitBytes?: number;
  readonly maxCommitFrames?: number;
};

export type GroupCommit = {
  /** Queues the frame; emits its outcome once flushed. Leaving early does not take it out of the queue. */
  readonly submit: (frame: AgentFrame) => Observable<IngestOutcome>;
  /** Queues the delivery, as `submit` does. */
  readonly deliver: (delivery: SampleDelivery) => Observable<DeliveryOutcome>;
  /** Emits once no frame of the agent waits any more. */
  readonly settled: (agent: string) => Observable<void>;
  /** Samples of the agent that have arrived and are not durable yet. */
  readonly inFlight: (agent: string) => number;
  /** Share of the queue in use, or of the backlog's part of it when that is more, 0 … 1. */
  readonly load: () => number;
  /** Bytes that the queue has room for: of all backlogs, and of one agent. */
  readonly room: { readonly backlogBytes: number; readonly agentBytes: number };
  /** Completes once no frame, or nothing at all, waits. */
  readonly idle: (of: 'frames' | 'all') => Observable<never>;
};

const MIB = 1024 * 1024;
/** What a sample of a delivery takes besides its values, about. */
const SAMPLE_BYTES = 64;
const VALUE_BYTES = 8;

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { append, clock, emit } = options;
  const room = createQueueRoom({
    maxBytes: options.maxQueueBytes ?? 64 * MIB,
    maxFrames: options.maxQueueFrames ?? 8192,
    maxDeliveries: options.maxDeliveries ?? 256,
  });
  const deadlineMs = options.deadlineMs ?? 30_000;
  const waiting = createWaitingItems({
    maxBytes: options.maxCommitBytes ?? 16 * MIB,
    maxItems: options.maxCommitFrames ?? 1024,
  });
  let running = false;

  const pump = () => {
    if (running) return;
    const group = waiting.gather();
    if (group.length === 0) return;
    running = true;
    const started = clock.precise();
    let outcomes: readonly ItemOutcome[] = [];
    const finish = (settle: (one: Waiting, index: number) => void) => {
      for (const { load } of group) room.end(load);
      group.forEach(settle);
      running = false;
      pump();
      room.tellIdle();
    };
    append(group.map(({ item }) => item))
      .pipe(timeout({ first: deadlineMs, scheduler: clock.scheduler }))
      .subscribe({
        next: (flushed) => {
          outcomes = flushed;
        },
        error: (error: unknown) => {
          if (group.length > 1 && isOfOneItem(error)) {
            waiting.suspect(group);
            running = false;
            pump();
            return;
          }
          emit({ type: 'commit_failed', frames: group.length, error: errorText(error) });
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
  const enqueue = (item: IngestItem, load: Load, subscriber: Waiting['subscriber']) => {
    const full = room.begin(load);
    if (full !== null) {
      subscriber.error(full);
      return;
    }
    waiting.push({ item, load, subscriber });
    pump();
  };

  return {
    submit: (frame) =>
      new Observable((subscriber) => enqueue(frame, loadOf(frame), onlyOf(subscriber, isOfFrame))),
    deliver: (delivery) =>
      new Observable((subscriber) => {
        const load: Load = { lane: 'http', bytes: sizeOf(delivery) };
        enqueue(delivery, load, onlyOf(subscriber, isOfDelivery));
      }),
    settled: room.settled,
    room: room.parts,
    inFlight: room.samplesOf,
    load: room.load,
    idle: room.idle,
  };
}

const isOfFrame = (outcome: ItemOutcome): outcome is IngestOutcome => 'coverage' in outcome;
const isOfDelivery = (outcome: ItemOutcome): outcome is DeliveryOutcome => 'keyReusedAt' in outcome;

/** Outcomes are told by item, and each has its own kind. */
function onlyOf<T extends ItemOutcome>(
  subscriber: Subscriber<T>,
  is: (outcome: ItemOutcome) => outcome is T,
): Waiting['subscriber'] {
  return {
    next: (outcome) => {
      if (is(outcome)) subscriber.next(outcome);
    },
    error: (error) => subscriber.error(error),
    complete: () => subscriber.complete(),
  };
}

/** Whether the content of an item may be why its group failed, and not the storage. */
function isOfOneItem(error: unknown): boolean {
  return !(error instanceof StorageError || error instanceof TimeoutError);
}

const loadOf = ({ lane, agent, bytes, header }: AgentFrame): Load => ({
  lane,
  agent,
  bytes: bytes.length,
  samples: header.count,
});

function sizeOf({ parts }: SampleDelivery): number {
  let bytes = 0;
  for (const { samples } of parts) {
    for (const { values } of samples) bytes += SAMPLE_BYTES + VALUE_BYTES * values.length;
  }
  return bytes;
}

/** Of frames only: samples that came over HTTP are counted where they are answered. */
function sumsOf(group: readonly Waiting[], outcomes: readonly ItemOutcome[]) {
  const sums = { frames: group.length, bytes: 0, stored: 0, duplicates: 0, thinned: 0, dropped: 0 };
  group.forEach(({ load }, index) => {
    const outcome = outcomes[index];
    if (load.lane === 'http' || outcome === undefined) return;
    sums.bytes += load.bytes;
    sums.stored += outcome.stored;
    sums.duplicates += outcome.duplicates;
    sums.thinned += outcome.thinned;
    sums.dropped += outcome.dropped;
  });
  return sums;
}
