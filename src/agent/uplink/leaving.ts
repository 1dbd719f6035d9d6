/** The last part of an uplink's life: what is live still goes out, then the goodbye. Pure. */
import { unite } from '../../protocol/coverage.ts';
import { checkAck } from './check-ack.ts';
import { pumpLive } from './live-lane.ts';
import { withSent } from './shipments.ts';
import {
  LIVE_WINDOW,
  MAX_WAITING,
  type UplinkMessage,
  type UplinkSettings,
  type UplinkState,
} from './state.ts';
import { type Next, release, stopped } from './steps.ts';

export type Leaving = Extract<UplinkState, { readonly phase: 'leaving' }>;

/** Sends what is live; once nothing of it is left, and the journal has noted what arrived, says goodbye. */
export function leave(state: Leaving, settings: UplinkSettings): Next {
  const { memory, limits, window } = state;
  const [live, effects] = pumpLive(
    { ...state.live, linger: 'none' },
    { memory, limits, settings: { ...settings, liveLingerMs: 0 }, window, maxFrames: LIVE_WINDOW },
  );
  const shipments = effects.flatMap((effect) => (effect.type === 'deliver' ? [effect.shipment] : []));
  const next = { ...state, live, memory: { ...memory, known: withSent(memory.known, shipments) } };
  const busy = live.inFlight.length > 0 || memory.releasing !== 'no';
  if (busy || state.farewell) return [next, effects];
  return [{ ...next, farewell: true }, [...effects, { type: 'farewell', connection: memory.connection }]];
}

export function leaving(state: Leaving, message: UplinkMessage, settings: UplinkSettings): Next {
  const arrived = (firstSeq: number): Leaving => ({
    ...state,
    live: { ...state.live, inFlight: state.live.inFlight.filter((one) => one.firstSeq !== firstSeq) },
  });
  switch (message.type) {
    case 'window':
      return [{ ...state, window: message.window }, []];
    case 'committed': {
      const live = { ...state.live, waiting: [...state.live.waiting, message.frame].slice(-MAX_WAITING) };
      return leave({ ...state, live }, settings);
    }
    case 'poisoned':
      return leave(arrived(message.firstSeq), settings);
    case 'delivered':
    case 'heartbeat_acked': {
      if (checkAck(message.ack, { sampled: message.sampled, known: state.memory.known }) !== null)
        return stopped(state.memory);
      const acked = unite(state.memory.acked, message.ack);
      const [memory, releases] = release({ ...state.memory, acked }, acked !== state.memory.acked);
      const rest = message.type === 'delivered' ? arrived(message.firstSeq) : state;
      const [next, effects] = leave({ ...rest, memory }, settings);
      return [next, [...releases, ...effects]];
    }
    default:
      return [state, []];
  }
}
