/**
 * What the uplink is at any moment, what can happen to it, and what it can want done. All plain data: `logic.ts` maps
 * (state, message) to (state, effects), `effects.ts` carries the effects out.
 *
 * Invariants:
 * - a seq is in flight at most once: live or backlog, never both;
 * - a backlog frame goes only while everything in flight fits the link's window with it, and HQ's credit; at most
 *   `maxInFlight` frames, which bounds memory; one that can't be cut to fit goes alone in its lane;
 * - live frames in flight fit their share of the window, or there is one; they wait behind no backlog frame that is not
 *   handed over;
 * - at most `MAX_WAITING` live frames wait in memory; older ones are left to the backlog, they are in the journal;
 * - one release and one compaction run at a time; a release covers everything that was acknowledged before it began;
 * - frames are released only on an ack that passed `checkAck`.
 */
import type { Suspected } from '../../delivery/poison-isolation.ts';
import type { StoredFrame } from '../../journal/port.ts';
import type { Coverage } from '../../protocol/coverage.ts';
import type { Limits, WireError } from '../../protocol/events.ts';
import type { LinkError, LinkFailure } from './link.ts';
import type { LinkWindow } from './link-window.ts';

/** Live frames without confirmation. Small: live frames are, and what is newer should not wait behind them. */
export const LIVE_WINDOW = 4;
/** A live frame waits no longer than this for others to share its headers on a slow link, ms. */
export const LIVE_AIM_MS = 2_000;
/** Live frames that wait for a place, at most. */
export const MAX_WAITING = 64;
/** Disconnects with one frame in flight until it is suspected to be their cause. */
export const STRIKES = 3;
/** Frames suspected at a time; each is held in memory. */
export const MAX_SUSPECTED = 32;
/** Frames larger than this many samples are compacted ones: they belong to the backlog. */
export const MAX_LIVE_SAMPLES = 512;

export type UplinkSettings = {
  readonly maxInFlight: number;
  /** ms. */
  readonly liveLingerMs: number;
  /** ms. */
  readonly backoffInitialMs: number;
  /** ms. */
  readonly backoffMaxMs: number;
};

export type Seqs = { readonly firstSeq: number; readonly lastSeq: number };

/** A frame of the journal, or a part of one that was cut for the link. */
export type Outgoing = StoredFrame & {
  /** The journal's frame that it is part of; absent: it is all of it. */
  readonly whole?: Seqs;
  /** Bytes that it was cut for; absent: it was not cut. */
  readonly cutFor?: number | undefined;
  /** Its bytes hold more than its seqs, so that it has to be cut before it goes. */
  readonly isUncut?: boolean;
};

/** Frames on their way as one message. */
export type Shipment = {
  /** First seq: identifies it while it is in flight. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Adjacent frames, merged when there are several. */
  readonly frames: readonly Outgoing[];
};

/** A frame, or a part of one, that seems to break connections or is refused; it is sent alone, then halved. */
export type SuspectedPart = {
  readonly frame: StoredFrame;
  /** First seq of the journal's frame that it is part of. */
  readonly origin: number;
  /** Last seq of that frame. */
  readonly originLast: number;
};
export type SuspectedFrame = Suspected<SuspectedPart>;

export type LiveLane = {
  readonly inFlight: readonly Shipment[];
  readonly waiting: readonly StoredFrame[];
  /**
   * `transmitting`: the link is busy with the last live frame, the next ones gather. `gathering`: they came faster than
   * HQ confirms.
   */
  readonly linger: 'none' | 'transmitting' | 'gathering';
};

/** What HQ takes of the backlog without having confirmed it. */
export type Credit = {
  readonly frames: number;
  /** Infinity where HQ says nothing of bytes. */
  readonly bytes: number;
};

export type BacklogLane = {
  readonly inFlight: readonly Shipment[];
  readonly stage: 'notable' | 'oldest';
  /** Read, and to be sent next, oldest first. */
  readonly ready: readonly Outgoing[];
  /** Everything up to here has been read in this stage. */
  readonly cursor: number;
  readonly reading: boolean;
  /** Whether the journal held nothing more beyond the cursor. */
  readonly exhausted: boolean;
  /** Whether a timer runs that ends with the pause between two frames. */
  readonly pausing: boolean;
  /** Whether something was passed over that is neither in flight nor acknowledged; the journal is read again then. */
  readonly skipped: boolean;
};

/** What answers have shown of the way to HQ. */
export type Measures = {
  /** Smoothed round trip of acks, ms; null before the first. */
  readonly rttMs: number | null;
  /** Our wall clock minus HQ's, ms, by the latest answer; null before the first. */
  readonly clockOffsetMs: number | null;
};

/** Lives on over connections. */
export type Memory = {
  readonly measures: Measures;
  /** What HQ said when it refused the epoch as that of a copy; null: it has not. */
  readonly forked: string | null;
  /** Connections that failed in a row. */
  readonly attempt: number;
  /** Number of the latest connection; messages of earlier ones are ignored. */
  readonly connection: number;
  /** What HQ may hold, see `AckBounds.known`. */
  readonly known: Coverage | null;
  /** What HQ has said that it holds. */
  readonly acked: Coverage;
  readonly releasing: 'no' | 'yes' | 'again';
  readonly compacting: boolean;
  readonly suspected: readonly SuspectedFrame[];
  /** Disconnects by first seq of the frame that was in flight. */
  readonly strikes: ReadonlyMap<number, number>;
  /** Whether HQ was not to be reached, or closed the connection, since it last accepted: its next hello is news. */
  readonly missed: boolean;
  /** Whether the current connection has shown that it works. */
  readonly proven: boolean;
  /**
   * HQ's hint for a way that has worked: upper bound of the wait before a reconnection, ms; null: no connection has
   * worked yet.
   */
  readonly reconnectMs: number | null;
  /** What the current episode of failure was logged as. */
  readonly episode: LinkFailure | WireError['code'] | null;
};

export type Online = {
  readonly phase: 'online';
  readonly memory: Memory;
  readonly credit: Credit;
  readonly limits: Limits;
  /** What the link can take. */
  readonly window: LinkWindow;
  readonly live: LiveLane;
  readonly backlog: BacklogLane;
  /** The suspected frame that is in flight, alone. */
  readonly alone: SuspectedFrame | null;
  /** Whose turn it is while there are suspected frames: they alternate with live frames. */
  readonly turn: 'live' | 'suspected';
};

export type UplinkState =
  /** Until `until`, ms of the scheduler's clock; what is asked in vain before costs the link nothing. */
  | { readonly phase: 'waiting'; readonly memory: Memory; readonly until: number; readonly reason: string }
  | { readonly phase: 'connecting'; readonly memory: Memory }
  | { readonly phase: 'hello'; readonly memory: Memory }
  | Online
  /** Sends what is live, then says goodbye. */
  | {
      readonly phase: 'leaving';
      readonly memory: Memory;
      readonly live: LiveLane;
      readonly limits: Limits;
      readonly window: LinkWindow;
      readonly farewell: boolean;
    }
  | { readonly phase: 'stopped'; readonly memory: Memory };

export type FromConnection = { readonly connection: number };

export type UplinkMessage =
  | ({ readonly type: 'retry' } & FromConnection)
  | ({ readonly type: 'opened' } & FromConnection)
  | ({ readonly type: 'linger_over' } & FromConnection)
  /** The next backlog frame may be handed over. */
  | ({ readonly type: 'pause_over' } & FromConnection)
  | ({ readonly type: 'left' } & FromConnection)
  /**
   * `at`: the scheduler's clock, ms. `tookMs`: since it was begun to connect. `jitter`: a number in [0, 1) that the
   * runner drew.
   */
  | ({
      readonly type: 'lost';
      readonly error: LinkError;
      readonly at: number;
      readonly tookMs: number;
      readonly jitter: number;
    } & FromConnection)
  | ({
      readonly type: 'accepted';
      readonly ack: Coverage;
      readonly credit: Credit;
      readonly limits: Limits;
      readonly window: LinkWindow;
      readonly sampled: number;
      readonly released: number;
      /** HQ's hint: upper bound of the wait before a reconnection, ms; null: it says nothing. */
      readonly reconnectMs: number | null;
    } & FromConnection)
  | ({ readonly type: 'credit'; readonly credit: Credit } & FromConnection)
  /** HQ took so long for a message with frames, ms. */
  | { readonly type: 'confirmed'; readonly rttMs: number }
  /** HQ read its clock at `hqTs`, in answer to what was sent at `sentTs` of ours; both ms since the epoch. */
  | { readonly type: 'clocks_read'; readonly hqTs: number; readonly sentTs: number; readonly rttMs: number }
  /** HQ refuses the epoch of the journal, as that of a copy, which it has noted: the agent has to start again. */
  | { readonly type: 'forked'; readonly detail: string }
  /** What the link can take has changed. Before every message that may have something sent. */
  | { readonly type: 'window'; readonly window: LinkWindow }
  | { readonly type: 'committed'; readonly frame: StoredFrame }
  | ({
      readonly type: 'read';
      readonly what: 'newest' | 'notable' | 'oldest';
      readonly frames: readonly StoredFrame[];
      /** Fewer frames than asked for: there are no more. */
      readonly exhausted: boolean;
    } & FromConnection)
  | ({
      readonly type: 'delivered';
      readonly firstSeq: number;
      readonly ack: Coverage;
      readonly credit: Credit;
      readonly sampled: number;
    } & FromConnection)
  /** HQ will never take it as it is. */
  | ({ readonly type: 'poisoned'; readonly firstSeq: number; readonly detail: string } & FromConnection)
  | ({
      readonly type: 'heartbeat_acked';
      readonly ack: Coverage;
      readonly sampled: number;
      /** Whether HQ's storage takes commits; null: it does not say. */
      readonly storing: boolean | null;
      /** HQ's hint; null: it has not changed. */
      readonly reconnectMs: number | null;
    } & FromConnection)
  | { readonly type: 'bisected'; readonly firstSeq: number; readonly parts: readonly StoredFrame[] }
  | { readonly type: 'unreadable'; readonly firstSeq: number; readonly detail: string }
  | { readonly type: 'rejected'; readonly origin: number }
  | { readonly type: 'released' }
  | { readonly type: 'compact' }
  | { readonly type: 'compacted'; readonly merged: number }
  /** Now and then: takes up whatever an odd moment may have left lying. */
  | { readonly type: 'look_again'; readonly pending: number }
  | { readonly type: 'stop' };

export type UplinkEffect =
  | { readonly type: 'wait'; readonly connection: number; readonly ms: number }
  | { readonly type: 'connect'; readonly connection: number }
  | { readonly type: 'disconnect' }
  | { readonly type: 'sayHello'; readonly connection: number }
  /** HQ was away and has accepted a hello, so it is there again: an open breaker need not wait for its time. */
  | { readonly type: 'try_breaker' }
  /** HQ says whether its storage takes commits. */
  | { readonly type: 'hq_storing'; readonly storing: boolean }
  | { readonly type: 'fail'; readonly connection: number; readonly error: LinkError }
  | {
      readonly type: 'read';
      readonly connection: number;
      readonly what: 'newest' | 'notable' | 'oldest';
      readonly after: number;
      readonly limit: number;
      /** No more frames once those read have so many bytes. */
      readonly maxBytes: number;
    }
  | {
      readonly type: 'deliver';
      readonly connection: number;
      readonly lane: 'live' | 'backlog';
      readonly shipment: Shipment;
      readonly limits: Limits;
    }
  | { readonly type: 'linger'; readonly connection: number; readonly ms: number }
  | { readonly type: 'pause'; readonly connection: number; readonly ms: number }
  | { readonly type: 'release'; readonly acked: Coverage }
  | { readonly type: 'compact'; readonly busy: readonly (readonly [number, number])[] }
  | { readonly type: 'bisect'; readonly suspected: SuspectedFrame }
  /** Everything of the frame at `origin` that is not acknowledged is given up. */
  | {
      readonly type: 'reject';
      readonly origin: number;
      readonly originLast: number;
      readonly samples: number;
      readonly detail: string;
      readonly acked: Coverage;
    }
  | { readonly type: 'farewell'; readonly connection: number }
  | { readonly type: 'leave_deadline'; readonly connection: number }
  | {
      readonly type: 'log_down';
      readonly kind: LinkFailure | WireError['code'];
      readonly detail: string;
      readonly retryMs: number;
    }
  | { readonly type: 'log_up'; readonly after: LinkFailure | WireError['code'] | null };
