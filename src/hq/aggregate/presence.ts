/**
 * How an agent is: the one place that decides its state, by what HQ has seen of it. Pure; every view shows its verdict.
 *
 * 1. What arrives weighs more than what is said: frames that come end `offline`, whatever the agent said last.
 * 2. A link that carries nothing is none. It is doubted when HQ refuses all frames, or the agent says `offline`; it is
 *    `offline` once nothing has arrived for DOUBT_MS.
 * 3. While the link carries, what the agent says of itself holds.
 * 4. An agent whose hello HQ refuses has no link: it is `refused` until REFUSED_MS after the last time.
 * 5. A sender by HTTP holds no link. Its own rhythm says whether it is `reporting`, `late` or `silent`.
 *
 * `at` is monotonic, ms; `ts` is HQ's wall time, ms.
 */
import type { AgentSummary, RefusalReason } from '../../protocol/api.ts';
import type { Heartbeat } from '../../protocol/events.ts';
import { NO_RHYTHM, notePause, ONE_DELIVERY_MS, patience, type Rhythm, usualPause } from './rhythm.ts';

type Word = Pick<Heartbeat, 'state' | 'breaker' | 'lagMs'>;

type Linked = {
  readonly kind: 'linked';
  /** Since when the link carries, ts. */
  readonly since: number;
  /** Its latest word over this connection; null: none yet. */
  readonly word: Word | null;
  readonly breaker: Heartbeat['breaker'] | null;
  /** When frames last came over this connection, at; null: none yet. */
  readonly arrivedAt: number | null;
  /** Whether older frames came over this connection. */
  readonly drains: boolean;
  /** When the link was first doubted since the last arrival, at; null: it is not. */
  readonly doubtedAt: number | null;
};

export type Presence =
  /** Nothing is known of how it delivers. */
  | { readonly kind: 'unknown' }
  | Linked
  /** It had a link, and has none. */
  | { readonly kind: 'gone' }
  /** It has no link, as HQ does not accept its hello. */
  | {
      readonly kind: 'refused';
      /** When it was last refused, at. */
      readonly at: number;
      /** Since when it is, ts. */
      readonly since: number;
      readonly reason: RefusalReason;
      readonly detail: string;
      /** Whether it has had a link. */
      readonly wasIn: boolean;
    }
  /** Delivers by HTTP. */
  | {
      readonly kind: 'sender';
      /** When its last delivery came, at. Before `isHeard`: when HQ began to listen. */
      readonly deliveredAt: number;
      /** Whether it has delivered since HQ started, or was not overdue when HQ started. */
      readonly isHeard: boolean;
      /** When the last pause ended, at. */
      readonly beganAt: number;
      readonly rhythm: Rhythm;
    };

export type PresenceEvent =
  | { readonly kind: 'connected'; readonly at: number; readonly ts: number }
  | { readonly kind: 'said'; readonly word: Word; readonly at: number; readonly ts: number }
  | {
      readonly kind: 'hello_refused';
      readonly reason: RefusalReason;
      readonly detail: string;
      readonly at: number;
      readonly ts: number;
    }
  /** HQ takes no frames just now, and has refused one of it. */
  | { readonly kind: 'refused'; readonly at: number }
  | {
      readonly kind: 'arrived';
      readonly lane: 'live' | 'backlog' | 'http';
      readonly at: number;
      readonly ts: number;
    }
  | { readonly kind: 'disconnected' };

export type Verdict = Pick<
  AgentSummary,
  'state' | 'connected' | 'connectedSince' | 'breaker' | 'deliversEveryMs' | 'over'
> & { readonly refusal: Omit<NonNullable<AgentSummary['refusal']>, 'advice'> | null };

/** An arrival outweighs a doubt for so long: what was under way may come behind the word that nothing does. */
export const DOUBT_MS = 2_000;
/** A refused agent comes back sooner: after 15 minutes with the most patient preset. */
export const REFUSED_MS = 1_200_000;
/** An agent whose oldest sample is younger than this is not catching up: it is the usual delay. */
const CATCHING_UP_MS = 5_000;

export const UNKNOWN: Presence = { kind: 'unknown' };

/** Of an agent that the store names, and that had a link. */
export const GONE: Presence = { kind: 'gone' };

/**
 * Of an agent that the store names, and that delivers by HTTP. `agoMs`: since its last delivery; null: not known. One
 * that was due while HQ was away is waited for from now on.
 */
export function restoredSender(rhythm: Rhythm, agoMs: number | null, at: number): Presence {
  const isHeard = agoMs !== null && agoMs >= 0 && agoMs < patience(rhythm).lateMs;
  const deliveredAt = isHeard ? at - agoMs : at;
  return { kind: 'sender', deliveredAt, isHeard, beganAt: deliveredAt, rhythm };
}

export function transition(before: Presence, event: PresenceEvent): Presence {
  switch (event.kind) {
    case 'connected':
      return {
        ...{ kind: 'linked', since: event.ts, word: null, breaker: null },
        ...{ arrivedAt: null, drains: false, doubtedAt: null },
      };
    case 'disconnected':
      return before.kind === 'linked' ? { kind: 'gone' } : before;
    case 'arrived':
      if (event.lane === 'http') return delivered(before, event.at);
      return before.kind === 'linked' ? arrived(before, event) : { kind: 'gone' };
    case 'said':
      return before.kind === 'linked' ? said(before, event) : before;
    case 'hello_refused':
      return helloRefused(before, event);
    case 'refused':
      return before.kind === 'linked' ? { ...before, doubtedAt: before.doubtedAt ?? event.at } : before;
  }
}

/** What stands or arrives says more: then another one claims its id. */
function helloRefused(
  before: Presence,
  { reason, detail, at, ts }: Extract<PresenceEvent, { kind: 'hello_refused' }>,
): Presence {
  if (before.kind === 'linked' || before.kind === 'sender') return before;
  const goesOn = before.kind === 'refused' && before.reason === reason && at - before.at < REFUSED_MS;
  const wasIn = before.kind === 'refused' ? before.wasIn : before.kind === 'gone';
  return { kind: 'refused', at, since: goesOn ? before.since : ts, reason, detail, wasIn };
}

function delivered(before: Presence, at: number): Presence {
  // A link says more of an agent that delivers both ways.
  if (before.kind === 'linked') return before;
  if (before.kind !== 'sender' || !before.isHeard) {
    const rhythm = before.kind === 'sender' ? before.rhythm : NO_RHYTHM;
    return { kind: 'sender', deliveredAt: at, isHeard: true, beganAt: at, rhythm };
  }
  const pause = at - before.beganAt;
  if (pause < ONE_DELIVERY_MS) return { ...before, deliveredAt: at };
  return { ...before, deliveredAt: at, beganAt: at, rhythm: notePause(before.rhythm, pause) };
}

const AFTER_ARRIVAL = { open: 'half-open', 'half-open': 'closed', closed: 'closed' } as const;

function arrived(before: Linked, event: Extract<PresenceEvent, { kind: 'arrived' }>): Linked {
  return {
    ...before,
    since: carries(before, event.at) ? before.since : event.ts,
    // What an open breaker lets through is a probe, and the second one closes it.
    breaker: before.breaker === null ? null : AFTER_ARRIVAL[before.breaker],
    arrivedAt: event.at,
    drains: before.drains || event.lane === 'backlog',
    doubtedAt: null,
  };
}

function said(before: Linked, { word, at, ts }: Extract<PresenceEvent, { kind: 'said' }>): Linked {
  const now = { ...before, word, breaker: word.breaker };
  if (word.state === 'offline') return { ...now, doubtedAt: before.doubtedAt ?? at };
  // It may have been under way when HQ refused.
  if (before.doubtedAt === null || at - before.doubtedAt < DOUBT_MS) return now;
  return { ...now, doubtedAt: null, since: carries(before, at) ? before.since : ts };
}

function carries({ doubtedAt, arrivedAt }: Linked, at: number): boolean {
  return doubtedAt === null || (arrivedAt !== null && at - arrivedAt < DOUBT_MS);
}

/** `pending`: samples that it has and HQ has not. */
export function verdictOf(presence: Presence, at: number, pending: number): Verdict {
  const apart = {
    connected: false,
    connectedSince: null,
    breaker: 'unknown',
    deliversEveryMs: null,
    over: 'link',
    refusal: null,
  } as const;
  switch (presence.kind) {
    case 'unknown':
      return { ...apart, state: 'unknown', over: null };
    case 'gone':
      return { ...apart, state: 'offline' };
    case 'refused': {
      const { at: last, since, reason, detail, wasIn } = presence;
      if (at - last < REFUSED_MS) return { ...apart, state: 'refused', refusal: { reason, since, detail } };
      return wasIn ? { ...apart, state: 'offline' } : { ...apart, state: 'unknown', over: null };
    }
    case 'sender': {
      const usual = usualPause(presence.rhythm);
      const deliversEveryMs = usual === null ? null : Math.round(usual);
      return { ...apart, over: 'http', deliversEveryMs, state: senderState(presence, at) };
    }
    case 'linked': {
      const breaker = presence.breaker ?? 'unknown';
      if (!carries(presence, at)) return { ...apart, breaker, state: 'offline' };
      const state = linkedState(presence, pending);
      return { ...apart, state, connected: true, connectedSince: presence.since, breaker };
    }
  }
}

function senderState(
  { deliveredAt, isHeard, rhythm }: Extract<Presence, { kind: 'sender' }>,
  at: number,
): AgentSummary['state'] {
  const { lateMs, silentMs } = patience(rhythm);
  const silence = at - deliveredAt;
  if (silence >= silentMs) return 'silent';
  if (silence >= lateMs) return 'late';
  return isHeard ? 'reporting' : 'unknown';
}

/** Of an agent whose link carries. Its first word may come after its first frames, and the next one an hour later. */
function linkedState({ word, arrivedAt, drains }: Linked, pending: number): AgentSummary['state'] {
  const isBehind = pending > 0 && (word?.lagMs ?? 0) > CATCHING_UP_MS;
  switch (word?.state) {
    case 'degraded':
    case 'stopping':
      return word.state;
    case 'live':
      return 'live';
    case 'catching-up':
      return isBehind ? 'catching-up' : 'live';
    default:
      // Starting, silent so far, or offline until what has arrived since.
      if (arrivedAt === null) return 'starting';
      return isBehind || (drains && pending > 0) ? 'catching-up' : 'live';
  }
}

/** When the verdict changes by itself, at; null: it does not. */
export function changesAt(presence: Presence, at: number): number | null {
  if (presence.kind === 'sender') {
    const { lateMs, silentMs } = patience(presence.rhythm);
    const next = [lateMs, silentMs].map((ms) => presence.deliveredAt + ms);
    return next.find((time) => time > at) ?? null;
  }
  if (presence.kind === 'refused') return presence.at + REFUSED_MS > at ? presence.at + REFUSED_MS : null;
  if (presence.kind !== 'linked' || presence.doubtedAt === null || presence.arrivedAt === null) return null;
  const doubtWins = presence.arrivedAt + DOUBT_MS;
  return doubtWins > at ? doubtWins : null;
}
