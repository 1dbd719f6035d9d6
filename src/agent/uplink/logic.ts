/**
 * The uplink as a pure transition: what happens becomes what is and what shall be done. See `state.ts` for the
 * invariants.
 */
import type { ActorLogic } from '../../actors/actor.ts';
import { type Coverage, cover, covers, EMPTY_COVERAGE, unite } from '../../protocol/coverage.ts';
import { isLiveAllowed } from './allowed.ts';
import { NEW_BACKLOG, takeBacklog } from './backlog-lane.ts';
import { checkAck } from './check-ack.ts';
import { pump } from './lanes.ts';
import { leave, leaving } from './leaving.ts';
import { EMPTY_LIVE, isLiveSized, leaveForbidden, queueLive } from './live-lane.ts';
import { lost } from './lost.ts';
import { roundTripTaken, withClocks } from './measures.ts';
import {
  cleared,
  givenUp,
  refuse,
  rejectedBy,
  rejectWhatIsLeft,
  suspect,
  withParts,
} from './poison-isolation.ts';
import { busyRanges, inFlight, overlaps } from './shipments.ts';
import {
  LIVE_WINDOW,
  type Measures,
  type Memory,
  type Online,
  type UplinkEffect,
  type UplinkMessage,
  type UplinkSettings,
  type UplinkState,
} from './state.ts';
import { type Next, type Of, release, stopped, violation, withMemory } from './steps.ts';

const FRESH: Memory = {
  measures: { rttMs: null, clockOffsetMs: null },
  forked: null,
  attempt: 0,
  connection: 1,
  known: null,
  acked: EMPTY_COVERAGE,
  releasing: 'no',
  compacting: false,
  suspected: [],
  strikes: new Map(),
  missed: false,
  proven: false,
  reconnectMs: null,
  episode: null,
};

/** For the newest frames at a connection's beginning: larger ones are none that people wait for. */
const NEWEST_BYTES = 64 * 1024;
export function createUplinkLogic(
  settings: UplinkSettings,
): ActorLogic<UplinkState, UplinkMessage, UplinkEffect> {
  return {
    initial: () => [
      { phase: 'connecting', memory: FRESH },
      [{ type: 'connect', connection: FRESH.connection }],
    ],
    transition: (state, message) => {
      // An answer of an earlier connection: what it says is out of date, and HQ tells it again.
      if ('connection' in message && message.connection !== state.memory.connection) return [state, []];
      return transition(state, message, settings);
    },
  };
}

function transition(state: UplinkState, message: UplinkMessage, settings: UplinkSettings): Next {
  switch (message.type) {
    case 'retry':
      return state.phase === 'waiting' ? connect(state.memory) : [state, []];
    case 'opened':
      return state.phase === 'connecting'
        ? [
            { phase: 'hello', memory: state.memory },
            [{ type: 'sayHello', connection: state.memory.connection }],
          ]
        : [state, []];
    case 'accepted':
      return state.phase === 'hello' ? accepted(state.memory, message) : [state, []];
    case 'lost':
      return lost(state, message, settings);
    case 'released':
      return released(state, settings);
    case 'compact':
      return compact(state);
    case 'compacted':
      return compacted(state, message, settings);
    case 'bisected':
      return resume(withMemory(state, withParts(state.memory, message.firstSeq, message.parts)), settings);
    case 'unreadable': {
      const [memory, effects] = givenUp(state.memory, message.firstSeq, message.detail);
      return [withMemory(state, memory), effects];
    }
    case 'rejected':
      // A gap frame stands in its place now, and must be sent.
      return resume(lookAgain(withMemory(state, rejectedBy(state.memory, message.origin))), settings);
    case 'confirmed':
      return [measured(state, roundTripTaken(state.memory.measures, message)), []];
    case 'clocks_read':
      return [measured(state, withClocks(state.memory.measures, message)), []];
    case 'forked':
      return [withMemory(state, { ...state.memory, forked: message.detail }), []];
    case 'stop':
      return stop(state, settings);
    case 'left':
      return state.phase === 'leaving' ? stopped(state.memory) : [state, []];
    default:
      if (state.phase === 'online') return online(state, message, settings);
      return state.phase === 'leaving' ? leaving(state, message, settings) : [state, []];
  }
}

function online(
  state: Online,
  message: Of<
    | 'credit'
    | 'window'
    | 'committed'
    | 'read'
    | 'delivered'
    | 'poisoned'
    | 'heartbeat_acked'
    | 'linger_over'
    | 'pause_over'
    | 'look_again'
  >,
  settings: UplinkSettings,
): Next {
  switch (message.type) {
    case 'credit':
      return pump({ ...state, credit: message.credit }, settings);
    case 'window':
      return [leaveForbidden({ ...state, window: message.window }), []];
    case 'committed':
      return pump(queueLive(state, message.frame), settings);
    case 'linger_over':
      return pump({ ...state, live: { ...state.live, linger: 'none' } }, settings);
    case 'pause_over':
      return pump({ ...state, backlog: { ...state.backlog, pausing: false } }, settings);
    case 'read':
      return read(state, message, settings);
    case 'delivered':
      return delivered(state, message, settings);
    case 'poisoned':
      return poisoned(state, message, settings);
    case 'heartbeat_acked': {
      const proven = state.memory.episode !== 'protocol';
      const { storing, reconnectMs } = message;
      const told = reconnectMs === null ? state : { ...state, memory: { ...state.memory, reconnectMs } };
      const [next, effects] = acknowledged(told, message, { proven, news: false }, settings);
      return [next, storing === null ? effects : [...effects, { type: 'hq_storing', storing }]];
    }
    case 'look_again': {
      // A backlog that was read to its end may have been passed over in part, and a live lane need never be idle.
      const idle = inFlight(state).length === 0 && state.live.waiting.length === 0;
      const due = message.pending > 0 && (idle || state.backlog.exhausted);
      return due ? resume(lookAgain(state), settings) : pump(state, settings);
    }
  }
}

function connect(memory: Memory): Next {
  const connection = memory.connection + 1;
  return [
    { phase: 'connecting', memory: { ...memory, connection, proven: false } },
    [{ type: 'connect', connection }],
  ];
}

function accepted(memory: Memory, message: Of<'accepted'>): Next {
  const problem = checkAck(message.ack, { sampled: message.sampled, known: memory.known });
  if (problem !== null) return violation({ phase: 'hello', memory }, problem);
  // HQ's own word, whole: what it acked before and does not hold any more is pending again.
  const acked = message.ack;
  // What was given out before this process first asked may have been sent by the one before it, and HQ need not have
  // named all of it in its first ack.
  const before = memory.known ?? cover(EMPTY_COVERAGE, 1, message.sampled);
  const known = cover(unite(before, acked), 1, message.released);
  const strikes = new Map([...memory.strikes].filter(([seq]) => !covers(acked, seq, seq)));
  const { credit, limits, window, reconnectMs } = message;
  const heard = { ...memory, known, acked, strikes, missed: false, reconnectMs };
  const [next, effects] = release(heard, true);
  // The newest first, so that the present is seen before the past drains.
  return [
    {
      phase: 'online',
      memory: next,
      credit,
      limits,
      window,
      live: EMPTY_LIVE,
      backlog: { ...NEW_BACKLOG, reading: true },
      alone: null,
      turn: 'live',
    },
    [
      // Frames that stay unanswered end connections too, and hellos after that prove nothing.
      ...(memory.missed ? [{ type: 'try_breaker' } as const] : []),
      ...effects,
      {
        type: 'read',
        connection: next.connection,
        what: 'newest',
        after: 0,
        limit: LIVE_WINDOW,
        maxBytes: NEWEST_BYTES,
      },
    ],
  ];
}

function read(state: Online, message: Of<'read'>, settings: UplinkSettings): Next {
  if (message.what !== 'newest') {
    return pump(takeBacklog(state, message), settings);
  }
  const taken = [
    ...inFlight(state),
    ...state.live.waiting,
    ...state.memory.suspected.map((one) => one.frame),
  ];
  const heads = message.frames
    .filter((frame) => isLiveSized(state.window, frame))
    .filter((frame) => isLiveAllowed(state.window.allowed, frame))
    .filter((frame) => !taken.some((other) => overlaps(frame, other)))
    .filter((frame) => !covers(state.memory.acked, frame.firstSeq, frame.lastSeq))
    .sort((a, b) => a.firstSeq - b.firstSeq);
  const live = { ...state.live, waiting: [...heads, ...state.live.waiting] };
  return pump({ ...state, live, backlog: { ...state.backlog, reading: false } }, settings);
}

function delivered(state: Online, message: Of<'delivered'>, settings: UplinkSettings): Next {
  const shipment = inFlight(state).find((one) => one.firstSeq === message.firstSeq);
  if (shipment === undefined) return [state, []];
  const problem = checkAck(message.ack, { sampled: message.sampled, known: state.memory.known });
  if (problem !== null) return violation(state, problem);
  if (!covers(message.ack, shipment.firstSeq, shipment.lastSeq))
    return violation(
      state,
      `the answer to seqs ${shipment.firstSeq}–${shipment.lastSeq} does not confirm them`,
    );
  const strikes = new Map(state.memory.strikes);
  for (const frame of shipment.frames) strikes.delete(frame.firstSeq);
  const acked = unite(state.memory.acked, message.ack);
  const memory = cleared({ ...state.memory, strikes, acked }, message.firstSeq);
  const arrived = { ...without(state, message.firstSeq), memory, credit: message.credit };
  return acknowledged(arrived, message, { proven: true, news: true }, settings);
}

/**
 * Takes note of an ack. `proven`: the connection has shown that it works; `news`: there is something to release for
 * certain.
 */
function acknowledged(
  state: Online,
  message: { readonly ack: Coverage; readonly sampled: number },
  { proven, news }: { proven: boolean; news: boolean },
  settings: UplinkSettings,
): Next {
  const problem = checkAck(message.ack, { sampled: message.sampled, known: state.memory.known });
  if (problem !== null) return violation(state, problem);
  const acked = unite(state.memory.acked, message.ack);
  const { episode } = state.memory;
  const up: UplinkEffect[] = proven && !state.memory.proven ? [{ type: 'log_up', after: episode }] : [];
  const noted = proven
    ? { ...state.memory, acked, attempt: 0, proven, episode: null }
    : { ...state.memory, acked };
  const [judged, rejects] = noted.suspected.length === 0 ? [noted, []] : rejectWhatIsLeft(noted);
  const [memory, releases] = release(judged, news || acked !== state.memory.acked);
  const [next, effects] = pump({ ...state, memory }, settings);
  return [next, [...up, ...releases, ...rejects, ...effects]];
}

function poisoned(state: Online, message: Of<'poisoned'>, settings: UplinkSettings): Next {
  const shipment = inFlight(state).find((one) => one.firstSeq === message.firstSeq);
  if (shipment === undefined) return [state, []];
  const frames = shipment.frames;
  const rest = without(state, message.firstSeq);
  const [only] = frames;
  if (only === undefined || frames.length > 1) {
    // Which of the merged ones it was will show when each goes by itself.
    const memory = frames.reduce((sum, frame) => suspect(sum, frame), state.memory);
    return resume(lookAgain({ ...rest, memory }), settings);
  }
  if (only.kind === 'gap') return violation(rest, `a ${only.kind} frame is refused: ${message.detail}`);
  const [memory, effects] = refuse(state.memory, only, message.detail);
  if (effects.length === 0 && memory === state.memory)
    return violation(rest, `too many frames are refused at once: ${message.detail}`);
  const [next, more] = resume({ ...rest, memory }, settings);
  return [next, [...effects, ...more]];
}

function released(state: UplinkState, settings: UplinkSettings): Next {
  const again = state.memory.releasing === 'again';
  const [memory, effects] = release({ ...state.memory, releasing: 'no' }, again);
  if (state.phase !== 'leaving') return [withMemory(state, memory), effects];
  const [next, more] = leave({ ...state, memory }, settings);
  return [next, [...effects, ...more]];
}

function compact(state: UplinkState): Next {
  if (state.memory.compacting || state.phase === 'stopped') return [state, []];
  const shipments =
    state.phase === 'online'
      ? [...inFlight(state), ...state.backlog.ready.map(({ whole, ...frame }) => whole ?? frame)]
      : state.phase === 'leaving'
        ? state.live.inFlight
        : [];
  const busy = busyRanges(state.memory, shipments);
  return [withMemory(state, { ...state.memory, compacting: true }), [{ type: 'compact', busy }]];
}

function compacted(state: UplinkState, message: Of<'compacted'>, settings: UplinkSettings): Next {
  const next = withMemory(state, { ...state.memory, compacting: false });
  // Frames that were looked at one by one may now be parts of larger ones.
  return message.merged === 0 ? [next, []] : resume(lookAgain(next), settings);
}

function stop(state: UplinkState, settings: UplinkSettings): Next {
  if (state.phase === 'stopped' || state.phase === 'leaving') return [state, []];
  if (state.phase !== 'online') return stopped(state.memory);
  const { memory, live, limits, window } = state;
  const { connection } = memory;
  const [next, effects] = leave(
    { phase: 'leaving', memory, live, limits, window, farewell: false },
    settings,
  );
  return [next, [{ type: 'leave_deadline', connection }, ...effects]];
}

function measured(state: UplinkState, measures: Measures): UplinkState {
  return withMemory(state, { ...state.memory, measures });
}

function lookAgain(state: UplinkState): UplinkState {
  if (state.phase !== 'online' || state.backlog.stage === 'notable') return state;
  return { ...state, backlog: { ...state.backlog, ready: [], cursor: 0, exhausted: false, skipped: false } };
}

function resume(state: UplinkState, settings: UplinkSettings): Next {
  return state.phase === 'online' ? pump(state, settings) : [state, []];
}

function without(state: Online, firstSeq: number): Online {
  const others = <T extends { readonly firstSeq: number }>(list: readonly T[]) =>
    list.filter((one) => one.firstSeq !== firstSeq);
  return {
    ...state,
    live: { ...state.live, inFlight: others(state.live.inFlight) },
    backlog: { ...state.backlog, inFlight: others(state.backlog.inFlight) },
    alone: state.alone?.frame.firstSeq === firstSeq ? null : state.alone,
  };
}
