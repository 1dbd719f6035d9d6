/**
 * A slow link that all connections through it share, on a clock that is told: a line each way, which flows take turns
 * to fill, and an answer of TCP for every second packet of data, which uses the line of the other way.
 *
 * What a flow has that the modem does not let in yet stays with its sender: nothing more is asked of that one before it
 * is gone. A change of the link counts from when it is made.
 */
import {
  type Carried,
  createLine,
  type Line,
  type LineOptions,
  MAX_PAYLOAD_BYTES,
  type PacketKind,
} from './link-line.ts';

export type Way = 'up' | 'down';
export const WAYS: readonly Way[] = ['up', 'down'];
const opposite = (way: Way): Way => (way === 'up' ? 'down' : 'up');
const NOTHING = Buffer.alloc(0);

export type LinkOptions = {
  readonly up: LineOptions;
  readonly down: LineOptions;
};

/** One direction of one connection. */
export type FlowOptions = {
  readonly way: Way;
  /** A packet arrives at the far end; it is never an ack. */
  readonly onArrival: (kind: PacketKind, payload: Buffer) => void;
  /** The modem has taken all that was offered. */
  readonly onTaken: () => void;
  /** Whether the receiver takes more. */
  readonly isTaking: () => boolean;
};

export type Flow = {
  /** The sender has these bytes ready. */
  readonly offer: (bytes: Buffer, now: number) => void;
  /** Asks for a connection, or grants one: a packet without data, ahead of what is offered later. */
  readonly open: (now: number) => void;
  /** Behind what was offered. */
  readonly end: (now: number) => void;
  /** What was offered and is not in the modem is gone. */
  readonly reset: (now: number) => void;
  readonly waitingBytes: () => number;
};

type FlowState = FlowOptions & {
  readonly parts: Buffer[];
  waiting: number;
  ending: boolean;
  unanswered: number;
};

export type LinkModel = {
  readonly addFlow: (options: FlowOptions) => Flow;
  /** All that happens until `now`, in order. */
  readonly advance: (now: number) => void;
  /** When something happens next by itself; infinity when nothing does. */
  readonly next: () => number;
  readonly change: (
    changes: { readonly [W in Way]?: Partial<LineOptions> } & { readonly isUp?: boolean },
    now: number,
  ) => void;
  /** Everything that waits or is on the way is lost. */
  readonly clear: (now: number) => void;
  readonly carried: (way: Way, now: number) => Carried;
  readonly queuedBytes: (way: Way) => number;
};

type LinkState = {
  readonly lines: Readonly<Record<Way, Line<FlowState>>>;
  /** Flows with something to send; the first has its turn. */
  readonly ready: Record<Way, FlowState[]>;
};

export function createLinkModel({ up, down }: LinkOptions, start: number): LinkModel {
  const state: LinkState = {
    lines: { up: createLine(up, start), down: createLine(down, start) },
    ready: { up: [], down: [] },
  };
  const { lines, ready } = state;
  return {
    addFlow: (options) => createFlow(state, options),
    advance: (now) => advance(state, now),
    next: () => Math.min(...WAYS.flatMap((way) => [lines[way].nextDeparture(), lines[way].nextArrival()])),
    change: ({ isUp, ...changes }, now) => {
      advance(state, now);
      for (const way of WAYS) {
        lines[way].change({ ...changes[way], ...(isUp === undefined ? {} : { isUp }) }, now);
        fill(state, way, now);
      }
    },
    clear: (now) => {
      advance(state, now);
      for (const way of WAYS) {
        lines[way].clear(now);
        ready[way] = [];
      }
    },
    carried: (way, now) => {
      advance(state, now);
      return lines[way].carried(now);
    },
    queuedBytes: (way) => lines[way].queuedBytes(),
  };
}

function createFlow(state: LinkState, options: FlowOptions): Flow {
  const { lines, ready } = state;
  const { way } = options;
  const flow: FlowState = { ...options, parts: [], waiting: 0, ending: false, unanswered: 0 };
  const queueUp = (now: number) => {
    if (!ready[way].includes(flow)) ready[way].push(flow);
    fill(state, way, now);
  };
  return {
    offer: (bytes, now) => {
      advance(state, now);
      flow.parts.push(bytes);
      flow.waiting += bytes.length;
      queueUp(now);
    },
    open: (now) => {
      advance(state, now);
      lines[way].push({ owner: flow, kind: 'open', payload: NOTHING }, now);
    },
    end: (now) => {
      advance(state, now);
      flow.ending = true;
      queueUp(now);
    },
    reset: (now) => {
      advance(state, now);
      flow.parts.length = 0;
      flow.waiting = 0;
      ready[way] = ready[way].filter((one) => one !== flow);
      lines[way].push({ owner: flow, kind: 'reset', payload: NOTHING }, now);
    },
    waitingBytes: () => flow.waiting,
  };
}

function advance(state: LinkState, now: number): void {
  while (step(state, now)) {}
  // A receiver may take more than when its flow had its turn.
  for (const way of WAYS) fill(state, way, now);
}

function step(state: LinkState, until: number): boolean {
  const { lines } = state;
  let least = Number.POSITIVE_INFINITY;
  let happens: (at: number) => void = () => {};
  for (const way of WAYS) {
    if (lines[way].nextDeparture() < least) {
      least = lines[way].nextDeparture();
      happens = (at) => {
        lines[way].depart();
        fill(state, way, at);
      };
    }
    if (lines[way].nextArrival() < least) {
      least = lines[way].nextArrival();
      happens = (at) => arrive(state, way, at);
    }
  }
  if (least > until) return false;
  happens(least);
  return true;
}

/** The modem takes a packet of each flow in turn while it has room. */
function fill({ lines, ready }: LinkState, way: Way, now: number): void {
  let passed = 0;
  while (passed < ready[way].length && lines[way].hasRoom()) {
    const flow = ready[way].shift();
    if (flow === undefined) return;
    if (!flow.isTaking()) {
      ready[way].push(flow);
      passed += 1;
      continue;
    }
    passed = 0;
    if (flow.waiting > 0) lines[way].push({ owner: flow, kind: 'data', payload: takePacket(flow) }, now);
    if (flow.waiting > 0) ready[way].push(flow);
    else if (flow.ending) lines[way].push({ owner: flow, kind: 'end', payload: NOTHING }, now);
    else flow.onTaken();
  }
}

function arrive({ lines }: LinkState, way: Way, now: number): void {
  const { owner, kind, payload } = lines[way].arrive();
  if (kind === 'ack') return;
  if (kind === 'data') {
    owner.unanswered += 1;
    if (owner.unanswered === 2) {
      owner.unanswered = 0;
      lines[opposite(way)].push({ owner, kind: 'ack', payload: NOTHING }, now);
    }
  }
  owner.onArrival(kind, payload);
}

function takePacket(flow: FlowState): Buffer {
  const taken: Buffer[] = [];
  let size = 0;
  while (size < MAX_PAYLOAD_BYTES) {
    const part = flow.parts.shift();
    if (part === undefined) break;
    const fits = part.subarray(0, MAX_PAYLOAD_BYTES - size);
    taken.push(fits);
    size += fits.length;
    if (fits.length < part.length) flow.parts.unshift(part.subarray(fits.length));
  }
  flow.waiting -= size;
  return taken.length === 1 && taken[0] !== undefined ? taken[0] : Buffer.concat(taken);
}
