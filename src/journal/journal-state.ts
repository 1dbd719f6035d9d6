/** What a running journal knows without a read: how much its frames occupy, and the stats that it publishes. */
import { BehaviorSubject, type Observable, tap } from 'rxjs';
import type { Clock } from '../platform/clock.ts';
import type { DiskState } from '../protocol/events.ts';
import { watchCommits } from '../storage/commit-health.ts';
import type { Storage, Writer } from '../storage/storage.ts';
import { createRoomKeeper, type RoomKeeper } from './append/room.ts';
import { isCrowded } from './downsampling/downsampling.ts';
import { createEditor, type JournalEditor } from './editor.ts';
import { ackedSamples, type Ledger } from './ledger.ts';
import type { JournalStats, OverflowPolicy } from './port.ts';

export type JournalState = {
  /** The storage, watched. */
  readonly storage: Storage;
  readonly room: RoomKeeper;
  readonly stats$: BehaviorSubject<JournalStats>;
  /** Bytes that frames occupy now. */
  readonly footprint: () => number;
  /** Takes over the ledger of a commit; `overflowed` when the quota was reached in it. */
  readonly publish: (ledger: Ledger, overflowed?: boolean) => JournalStats;
  /** An append has to wait for room. */
  readonly noteBlocked: () => void;
  /** Changes frames in one transaction and publishes the ledger after it. */
  readonly edit: EditJournal;
};

export type EditJournal = <T>(
  work: (writer: Writer, editor: JournalEditor) => T,
) => Observable<{ readonly result: T; readonly ledger: Ledger }>;

export type JournalStateOptions = {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly policy: OverflowPolicy;
  readonly maxBytes: number;
  readonly inMemory?: boolean;
};

const FRAME_SHARE = 0.95;

/** `onRoom` is told when a disk that was full has room again. */
export function createJournalState(
  options: JournalStateOptions,
  opened: Ledger,
  onRoom: () => void,
): JournalState {
  const { clock, policy, maxBytes, inMemory = false } = options;
  const change = (part: Partial<JournalStats>) => stats$.next({ ...stats$.value, ...part });
  const { storage, failure } = watchCommits(options.storage, () => change({ disk: diskState() }));
  let footprint = opened.footprint;
  const room = createRoomKeeper({
    storage,
    clock,
    policy,
    quotaBytes: Math.floor(maxBytes * FRAME_SHARE),
    footprint: () => footprint,
    onLowered: () => change(circumstances(stats$.value.overflowing)),
    onTrimmed: (ledger) => publish(ledger, true),
    onRaised: () => {
      change({ disk: diskState() });
      onRoom();
    },
  });
  const diskState = (): DiskState => {
    if (inMemory) return 'absent';
    const reason = failure();
    if (reason !== null) return reason === 'full' ? 'full' : 'failing';
    return room.isDiskFull() ? 'full' : 'good';
  };
  const circumstances = (overflowing: boolean) => ({
    maxBytes,
    overflowing,
    crowded: policy === 'thin' && isCrowded(footprint, room.limitBytes()),
    disk: diskState(),
  });
  const stats$ = new BehaviorSubject<JournalStats>(toStats(opened, circumstances(false)));
  const publish = (ledger: Ledger, overflowed = false): JournalStats => {
    // Once reached, the quota counts as reached until a tenth is free again: no flicker at the edge.
    const overflowing =
      overflowed || (stats$.value.overflowing && ledger.footprint > room.limitBytes() * 0.9);
    footprint = ledger.footprint;
    const stats = toStats(ledger, circumstances(overflowing));
    stats$.next(stats);
    return stats;
  };
  return {
    storage,
    room,
    stats$,
    footprint: () => footprint,
    publish,
    noteBlocked: () => change({ overflowing: true }),
    edit: createEdit(storage, clock, publish),
  };
}

function createEdit(storage: Storage, clock: Clock, publish: (ledger: Ledger) => void): EditJournal {
  return (work) =>
    storage
      .commit((writer) => {
        const editor = createEditor(writer, clock.now());
        const result = work(writer, editor);
        return { result, ledger: editor.finish() };
      })
      .pipe(tap(({ ledger }) => publish(ledger)));
}

function toStats(
  ledger: Ledger,
  now: Pick<JournalStats, 'maxBytes' | 'overflowing' | 'crowded' | 'disk'>,
): JournalStats {
  return {
    ...now,
    epoch: ledger.epoch,
    sampled: ledger.sampled,
    released: ledger.released,
    pending: ledger.pending,
    thinned: ledger.thinned,
    pendingBytes: ledger.frameBytes,
    pendingFrames: ledger.frames,
    frameSamples: ledger.frameSamples ?? ledger.pending,
    acked: ackedSamples(ledger),
    dropped: ledger.dropped,
    greeting: ledger.greeting,
    rebuilt: ledger.rebuilt,
    hq: ledger.hq,
    oldestPendingTs: ledger.oldest?.ts ?? null,
  };
}
