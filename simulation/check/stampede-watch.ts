/**
 * What a stampede looks like from the wire in front of HQ: when each agent says hello, when its newest sample is
 * confirmed and when all that it had at its hello is; and how much HQ has taken upon itself meanwhile. HQ's own
 * counters have no say in it.
 */
import type { Answer, Arrival } from '../kernel/network-port.ts';
import type { HqTruth } from './hq-truth.ts';

export type StampedeFigures = {
  /** Per agent that came, ms since HQ's return; null: never. */
  readonly hellos: readonly number[];
  readonly lives: readonly (number | null)[];
  /** From hello until everything that was sampled before it is confirmed, ms. */
  readonly waits: readonly (number | null)[];
  /** The most of each since HQ's return. */
  readonly peaks: Readonly<Record<StampedePeak, number>>;
};

export type StampedePeak =
  /** Frames that HQ has been sent and has not answered. */
  | 'frames'
  | 'bytes'
  | 'backlogFrames'
  /** Agents that are behind and may drain; their credit; agents that are behind and may not. */
  | 'draining'
  | 'credit'
  | 'waiting';

export type StampedeWatchOptions = { readonly now: () => number; readonly atHq: HqTruth['epoch'] };

export type StampedeWatch = {
  /** HQ returns now. */
  readonly back: () => void;
  readonly arrived: (arrival: Arrival) => void;
  readonly answered: (answer: Answer) => void;
  /** HQ's disk has taken something. */
  readonly wrote: () => void;
  readonly credit: (credit: { readonly wire: string; readonly frames: number }) => void;
  /** Whether so many agents have come, are seen live and have drained. */
  readonly isOver: (agents: number) => boolean;
  readonly figures: () => StampedeFigures;
};

type Seen = {
  readonly helloAt: number;
  readonly epoch: string;
  readonly sampled: number;
  liveAt: number | null;
  drainedAt: number | null;
  /** What HQ told it last. */
  credit: number | null;
};
type Reply = {
  readonly ok: boolean;
  readonly ack?: { readonly contiguous: number; readonly ranges: readonly (readonly [number, number])[] };
  readonly credit?: number;
};

export function createStampedeWatch({ now, atHq }: StampedeWatchOptions): StampedeWatch {
  const seen = new Map<string, Seen>();
  /** Those that are behind and may drain. */
  const draining = new Map<string, Seen>();
  const held = { frames: 0, bytes: 0, backlogFrames: 0, draining: 0, credit: 0, waiting: 0 };
  const peaks = { ...held };
  let backAt: number | null = null;
  let live = 0;
  let drained = 0;

  const add = (what: StampedePeak, amount: number) => {
    held[what] += amount;
    peaks[what] = Math.max(peaks[what], held[what]);
  };
  const hold = ({ event, args }: Arrival, sign: 1 | -1) => {
    if (event !== 'frame') return;
    const [meta, bytes] = args as readonly [{ readonly lane: string }, Uint8Array];
    add('frames', sign);
    add('bytes', sign * bytes.length);
    if (meta.lane === 'backlog') add('backlogFrames', sign);
  };
  /** `credit` of an agent that is behind; null: it is not, or not known to be. */
  const tell = (wire: string, one: Seen, given: number | null) => {
    // Its slot is another's as soon as HQ holds everything, before any answer says so.
    const credit = atHq(wire, one.epoch).durable.contiguous >= one.sampled ? null : given;
    const count = (of: number | null, sign: 1 | -1) => {
      if (of === null) return;
      add(of > 0 ? 'draining' : 'waiting', sign);
      add('credit', sign * of);
    };
    count(one.credit, -1);
    count(credit, 1);
    one.credit = credit;
    if (credit === null || credit === 0) draining.delete(wire);
    else draining.set(wire, one);
  };

  return {
    back: () => {
      backAt = now();
    },
    arrived: (arrival) => {
      if (backAt === null) return;
      hold(arrival, 1);
      const { wire, event, args } = arrival;
      if (event !== 'hello' || seen.has(wire)) return;
      const { sampled, epoch } = args[0] as { readonly sampled: number; readonly epoch: string };
      seen.set(wire, { helloAt: now(), epoch, sampled, liveAt: null, drainedAt: null, credit: null });
    },
    answered: ({ reply: given, ...arrival }) => {
      if (backAt === null) return;
      hold(arrival, -1);
      const { ok, ack, credit } = given as Reply;
      const one = seen.get(arrival.wire);
      if (!ok || ack === undefined || one === undefined) return;
      const { sampled } = one;
      const isBehind = ack.contiguous < sampled;
      if (one.drainedAt === null && !isBehind) {
        one.drainedAt = now();
        drained += 1;
      }
      // The newest that it had at its hello, or a newer one.
      if (one.liveAt === null && (ack.ranges.at(-1)?.[1] ?? ack.contiguous) >= sampled) {
        one.liveAt = now();
        live += 1;
      }
      if (one.drainedAt !== null) tell(arrival.wire, one, null);
      else if (credit !== undefined) tell(arrival.wire, one, credit);
    },
    wrote: () => {
      for (const [wire, one] of draining) tell(wire, one, one.credit);
    },
    credit: ({ wire, frames }) => {
      const one = seen.get(wire);
      if (one !== undefined && one.drainedAt === null && one.credit !== null) tell(wire, one, frames);
    },
    isOver: (agents) => live === agents && drained === agents,
    figures: () => {
      const since = (at: number | null, from: number) => (at === null ? null : at - from);
      const all = [...seen.values()];
      return {
        hellos: all.map(({ helloAt }) => helloAt - (backAt ?? 0)),
        lives: all.map(({ liveAt }) => since(liveAt, backAt ?? 0)),
        waits: all.map(({ helloAt, drainedAt }) => since(drainedAt, helloAt)),
        peaks,
      };
    },
  };
}
