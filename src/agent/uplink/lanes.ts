/** Fills the lanes of an open connection: what may be sent now, and what must be read for it. Pure. */
import { pumpBacklog } from './backlog-lane.ts';
import { pumpLive, pumpLiveOf } from './live-lane.ts';
import { nextSuspected } from './poison-isolation.ts';
import { inFlight, shipmentOf, withSent } from './shipments.ts';
import type { Online, UplinkEffect, UplinkSettings } from './state.ts';

type Result = readonly [Online, UplinkEffect[]];

/**
 * A suspected frame travels alone, so that a disconnect speaks about it and nothing else; live frames take turns with
 * it.
 */
function pumpSuspected(state: Online, settings: UplinkSettings): Result {
  const suspected = nextSuspected(state.memory);
  if (suspected === undefined || inFlight(state).length > 0) return [state, []];
  const { memory, limits, window } = state;
  if (state.turn === 'live' && state.live.waiting.length > 0) {
    const [live, effects] = pumpLive(
      { ...state.live, linger: 'none' },
      {
        memory,
        limits,
        settings: { ...settings, liveLingerMs: 0 },
        window: { ...window, isMeasured: false },
        maxFrames: 1,
      },
    );
    return [{ ...state, live, turn: 'suspected' }, effects];
  }
  const shipment = shipmentOf([suspected.frame]);
  return [
    { ...state, alone: suspected, turn: 'live' },
    [{ type: 'deliver', connection: memory.connection, lane: 'backlog', shipment, limits }],
  ];
}

/** Everything that may be done now. Idempotent: called after each change. */
export function pump(state: Online, settings: UplinkSettings): Result {
  // A suspected frame travels in the backlog lane. Without credit, or while no backlog may go, it stays where it is,
  // and has nothing to do with what else is lost.
  const mayGo = state.credit.frames > 0 && state.window.allowed.backlog;
  if (nextSuspected(state.memory) !== undefined && (mayGo || state.alone !== null))
    return sent(pumpSuspected(state, settings));
  const [live, liveEffects] = pumpLiveOf(state, settings);
  const [next, effects] = pumpBacklog({ ...state, live }, settings);
  return sent([next, [...liveEffects, ...effects]]);
}

function sent([state, effects]: Result): Result {
  const shipments = effects.flatMap((effect) => (effect.type === 'deliver' ? [effect.shipment] : []));
  if (shipments.length === 0) return [state, effects];
  return [{ ...state, memory: { ...state.memory, known: withSent(state.memory.known, shipments) } }, effects];
}
