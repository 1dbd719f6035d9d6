/**
 * What the end of a connection, or of an attempt at one, leads to: how long to wait, and what people are told. Pure.
 */
import { afterLoss } from './poison-isolation.ts';
import { reconnectWaitMs } from './reconnect-wait.ts';
import { inFlight } from './shipments.ts';
import type { UplinkEffect, UplinkSettings, UplinkState } from './state.ts';
import { type Next, type Of, stopped } from './steps.ts';

/** Refusals that more haste does not mend: the wait starts near its maximum. */
const SLOW: ReadonlySet<string> = new Set([
  'unauthorized',
  'unsupported_version',
  'duplicate_agent',
  'other_hq',
]);
/**
 * What a person mends, and then waits to see mended: tried again within a minute, however patient the settings are.
 */
const MENDED_BY_HAND: ReadonlySet<string> = new Set(['unauthorized', 'token_file']);
const MENDED_WITHIN_MS = 60_000;
/**
 * A way that has worked is tried again at once and all the time after these: the link may be back any moment, or, as
 * with a budget and a token's file, an attempt costs no byte of it. A proxy stands before the link: while that is gone,
 * the proxy refuses.
 */
const MAY_BE_BACK: ReadonlySet<string> = new Set([
  'closed',
  'refused',
  'timeout',
  'unreachable',
  'dns',
  'moved',
  'unavailable',
  'proxy',
  'budget',
  'token_file',
]);
/** What the first attempts find after a connection has ended: the same outage, seen from without. */
const GONE: ReadonlySet<string> = new Set(['refused', 'timeout', 'unreachable']);

export function lost(state: UplinkState, message: Of<'lost'>, settings: UplinkSettings): Next {
  if (state.phase === 'waiting' || state.phase === 'stopped') return [state, []];
  if (state.phase === 'leaving') return stopped(state.memory);
  const { error, at, jitter } = message;
  const [judged, effects] =
    state.phase === 'online' && error.kind === 'closed'
      ? afterLoss(state.memory, inFlight(state), state.alone)
      : [state.memory, []];
  const kind = error.wire?.code ?? error.kind;
  const { attempt } = judged;
  const reconnectMs = MAY_BE_BACK.has(kind) ? judged.reconnectMs : null;
  const tookMs = state.phase === 'online' ? 0 : message.tookMs;
  // Of several ways one may refuse the token and the next be dead.
  const isByHand = MENDED_BY_HAND.has(kind) || MENDED_BY_HAND.has(judged.episode ?? '');
  const backoffMaxMs = isByHand ? Math.min(settings.backoffMaxMs, MENDED_WITHIN_MS) : settings.backoffMaxMs;
  const patience = { ...settings, backoffMaxMs };
  const drawn = reconnectWaitMs({
    settings: patience,
    attempt,
    jitter,
    slow: SLOW.has(kind),
    reconnectMs,
    tookMs,
  });
  const ms = error.isElsewhere ? 0 : Math.max(drawn, error.wire?.retryAfterMs ?? 0);
  const told = kind === judged.episode || (judged.episode === 'closed' && GONE.has(kind));
  const missed = judged.missed || state.phase !== 'online' || error.kind === 'closed';
  const memory = {
    ...judged,
    attempt: judged.attempt + 1,
    missed,
    episode: told ? judged.episode : kind,
  };
  // A data budget is asked all the time, for an anomaly may come; people are told when it lets the next connection
  // through.
  const retryMs = Math.max(ms, error.againMs);
  const log: UplinkEffect[] = told ? [] : [{ type: 'log_down', kind, detail: error.message, retryMs }];
  return [
    { phase: 'waiting', memory, until: at + retryMs, reason: error.message },
    [{ type: 'disconnect' }, ...log, ...effects, { type: 'wait', connection: memory.connection, ms }],
  ];
}
