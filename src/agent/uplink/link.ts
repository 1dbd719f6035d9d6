/** The link port: what the uplink needs of a transport, in Observables. `socketio-link.ts` is the real one. */
import type { Observable } from 'rxjs';
import type {
  FrameMeta,
  FrameReply,
  Goodbye,
  Heartbeat,
  HeartbeatReply,
  Hello,
  HelloReply,
  OkReply,
  SchemaMessage,
  WireError,
} from '../../protocol/events.ts';

/**
 * Why there is no connection; one episode of one kind gives one log line. A lost connection (`closed`) and the attempts
 * after it that nothing answers are one episode.
 */
export type LinkFailure =
  /** Nothing listens there. */
  | 'refused'
  /** The name does not resolve. */
  | 'dns'
  /** Certificate or handshake trouble. */
  | 'tls'
  /** The address answers with a redirect, which a credential must not follow. */
  | 'redirect'
  /** Silence where an answer was due. */
  | 'timeout'
  /** What answers does not speak our protocol. */
  | 'protocol'
  /** The token is wrong or revoked. */
  | 'unauthorized'
  /** The file of the token cannot be used. */
  | 'token_file'
  /** No route to the address. */
  | 'unreachable'
  /** An open connection ended. */
  | 'closed'
  /** It is another HQ than the one that holds what this agent has delivered. */
  | 'other_hq'
  /** The connection was ended for a better way, which is taken next. */
  | 'moved'
  /** The data budget is used up. */
  | 'budget'
  /** Something on the way lets HTTP through and no WebSocket. */
  | 'upgrade_blocked'
  /** The HTTP proxy before HQ cannot be used, or refuses. */
  | 'proxy'
  /** HQ said no; `wire` says why. */
  | 'rejected';

/** Everything that a link may fail with. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
  readonly kind: LinkFailure;
  /** HQ's own words, where it said any. */
  readonly wire: WireError | null;
  /**
   * What became of the wish for a WebSocket, where it went out and no WebSocket came; for people. Something on the way
   * may block them.
   */
  readonly upgrade: string | null;
  /** Time for which it fails again in any case, but for an anomaly, ms. */
  readonly againMs: number;
  /** Another way to HQ is there to be tried at once. */
  readonly isElsewhere: boolean;
  constructor(
    kind: LinkFailure,
    message: string,
    options: ErrorOptions & {
      readonly wire?: WireError;
      readonly upgrade?: string;
      readonly againMs?: number;
      readonly isElsewhere?: boolean;
    } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.wire = options.wire ?? null;
    this.upgrade = options.upgrade ?? null;
    this.againMs = options.againMs ?? 0;
    this.isElsewhere = options.isElsewhere ?? false;
  }
}

/** What a way may carry at most: only live frames, anomalies too, or everything. */
export const MAX_LANES = ['live', 'anomalies', 'backlog'] as const;
export type MaxLane = (typeof MAX_LANES)[number];

/** One of the ordered ways to HQ. */
export type Way = {
  /** Its place in their order; 0 is the best. */
  readonly index: number;
  /** Its address, without secrets. */
  readonly url: string;
  readonly maxLane: MaxLane;
};

/** The way of an agent that has only one. */
export const onlyWay = (url: string): Way => ({ index: 0, url, maxLane: 'backlog' });

/**
 * One open connection. Each request is sent when subscribed, emits HQ's parsed answer once and completes; it errors
 * with a LinkError when the connection ends first (`closed`) or the answer is malformed (`protocol`). Nothing is ever
 * buffered for a later connection, and nothing times out here: deadlines belong to the uplink.
 */
export type LinkSession = {
  /** Which way it goes; estimates of links keep them apart by `way.index`. */
  readonly way: Way;
  /** Joining the namespace, the round trip before the hello; absent where the transport does not say. */
  readonly joined?: RoundTrip | undefined;
  /** The answer comes when all pages of HQ's coverage have; its `ack` is whole. */
  readonly hello: (hello: Hello) => Observable<HelloReply>;
  readonly schema: (message: SchemaMessage) => Observable<OkReply>;
  readonly frame: (meta: FrameMeta, frame: Uint8Array) => Observable<FrameReply>;
  readonly heartbeat: (heartbeat: Heartbeat) => Observable<HeartbeatReply>;
  readonly goodbye: (goodbye: Goodbye) => Observable<OkReply>;
  /** Bytes of the TCP payload since the connection began, framing and TLS included; `sent` includes `unsent()`. */
  readonly traffic: () => Traffic;
  /** Bytes handed over that the kernel has not taken yet. */
  readonly unsent: () => number;
  /** Emits now and then while a frame is held back here: it is not HQ that keeps it waiting. Absent: none ever is. */
  readonly holding$?: Observable<unknown>;
};

/** Something small that was answered. */
export type RoundTrip = {
  /** Bytes of the TCP payload that went up. */
  readonly bytes: number;
  readonly ms: number;
};

export type Traffic = { readonly sent: number; readonly received: number };

export type LinkEvent =
  | { readonly type: 'open'; readonly session: LinkSession }
  /** The connection is by long polling because no WebSocket gets through; what was seen, for people. */
  | { readonly type: 'blocked'; readonly what: string }
  /** `creditBytes`: absent where HQ says no word about bytes. */
  | { readonly type: 'credit'; readonly frames: number; readonly creditBytes?: number | undefined }
  /** Somebody else claims to be this agent. */
  | { readonly type: 'conflict'; readonly message: string }
  /** An event that this version does not know, or a known one with an unusable payload; ignored. */
  | { readonly type: 'ignored'; readonly name: string };

export type ConnectOptions = {
  /**
   * Silence that ends an attempt, ms: TCP, TLS, upgrade and join each may take longer while bytes come. Default: the
   * link's own.
   */
  readonly connectSilenceMs?: number;
  /** Until another TCP connection is begun alongside one that is not established yet, ms. Default: none is. */
  readonly againMs?: number;
  /**
   * Silence that ends an open connection, ms, given the silence that HQ announces, ms. Asked again several times within
   * it. Default: as announced.
   */
  readonly silenceMs?: (announcedMs: number) => number;
  /**
   * Told of the bytes of each try, which are counted from its first one on: there may be several until one opens, which
   * is the last.
   */
  readonly onTry?: (traffic: () => Traffic) => void;
};

export type Link = {
  /**
   * One connection: made when subscribed, closed when unsubscribed. Emits `open` first, then what HQ sends. Ends only
   * by a LinkError, whether it never opened or was lost. Never reconnects by itself.
   */
  readonly connect: (options?: ConnectOptions) => Observable<LinkEvent>;
  /**
   * To be told why the latest connection is of no more use, no matter who found it out, before the next `connect`; the
   * failure as that of all ways. Absent: there is one way.
   */
  readonly judge?: (error: LinkError) => LinkError;
};
