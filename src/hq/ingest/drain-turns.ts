/**
 * Credit of the agents: who of them is behind, whose turn it is to drain, and how many backlog frames that allows.
 *
 * An agent is behind while HQ lacks a seq that had been given out when it said hello, or one heartbeat ago, or that it sent
 * in the backlog lane; what is younger travels in the live lane. Those that are behind take turns in the slots of
 * `drain-slots.ts`. While somebody waits for a slot, credit is 0 for all who have none; else everybody has the usual credit, so that
 * a backlog begins without asking. Credit is a promise: frames that it allowed are taken also when they come after a turn's end.
 */
import type { Clock } from '../../platform/clock.ts';
import { creditShare } from './credit-share.ts';
import { createDrainSlots, type Shift } from './drain-slots.ts';
import type { IngestEmit } from './ingest-events.ts';

export type DrainTurnsOptions = {
  /** Agents that may drain at once. */
  readonly slots: number;
  /** Backlog frames that one agent may have in flight when there is room for all. */
  readonly creditFrames: number;
  readonly clock: Pick<Clock, 'precise'>;
  /** Share of the queue in use, 0 … 1. */
  readonly load: () => number;
  readonly emit: IngestEmit;
};

export type DrainTurns = {
  /** The agent said hello; `tell` sends it another credit later. */
  readonly greeted: (agent: string, is: Greeted) => void;
  /** It has given out so many seqs by now. */
  readonly heard: (agent: string, sampled: number) => void;
  /** HQ holds everything up to there. */
  readonly covered: (agent: string, contiguous: number) => void;
  /** A backlog frame up to this seq: 0 takes it, else ms after which to come again. */
  readonly admit: (agent: string, lastSeq: number) => number;
  /** The credit to answer with. */
  readonly credit: (agent: string) => number;
  readonly gone: (agent: string) => void;
  /** To be called several times a second: ends turns, and tells those who drain what has changed. */
  readonly tick: () => void;
};

type Greeted = {
  readonly sampled: number;
  readonly contiguous: number;
  readonly tell: (frames: number) => void;
};
type Drainer = {
  readonly tell: (frames: number) => void;
  /** It is behind while HQ does not hold everything up to this seq. */
  target: number;
  /** What it had given out at its last heartbeat. */
  sampled: number;
  contiguous: number;
  told: number;
  /** Frames that were allowed and may still come. */
  promised: number;
};

/** Backlog frames of all agents together that are given out as credit. */
const TOTAL_CREDIT = 512;
/** Long against a round trip, so that a turn is worth its beginning; short against the patience of a person. */
const TURN_MS = 2_000;
const IDLE_MS = 1_000;

export function createDrainTurns(options: DrainTurnsOptions): DrainTurns {
  const { creditFrames, clock, load, emit } = options;
  const slots = createDrainSlots({ slots: options.slots, turnMs: TURN_MS, idleMs: IDLE_MS });
  const drainers = new Map<string, Drainer>();
  let reported = '';

  const share = () =>
    creditShare(
      { perAgent: creditFrames, total: TOTAL_CREDIT },
      { drainingAgents: slots.taken(), load: load() },
    );
  const promise = (drainer: Drainer, frames: number): number => {
    drainer.told = frames;
    if (frames > 0) drainer.promised = frames;
    return frames;
  };
  const report = () => {
    const [taken, waiting] = [slots.taken(), slots.waiting()];
    if (reported === `${taken}/${waiting}`) return;
    reported = `${taken}/${waiting}`;
    emit({ type: 'drain_turns', taken, waiting });
  };
  /** Those who leave because they are done are told by the answer to their frame. */
  const tellAll = (shifts: readonly Shift[], except: string | null) => {
    for (const { agent, drains } of shifts) {
      const drainer = drainers.get(agent);
      if (drainer === undefined || agent === except) continue;
      const frames = drains ? share() : 0;
      if (frames !== drainer.told) drainer.tell(promise(drainer, frames));
    }
    report();
  };
  const judge = (agent: string, drainer: Drainer) => {
    const now = clock.precise();
    const isBehind = drainer.contiguous < drainer.target;
    tellAll(isBehind ? slots.want(agent, now) : slots.leave(agent, now), isBehind ? null : agent);
  };

  return {
    greeted: (agent, { sampled, contiguous, tell }) => {
      const drainer = { tell, target: sampled, sampled, contiguous, told: 0, promised: 0 };
      drainers.set(agent, drainer);
      // The answer to hello tells it.
      const now = clock.precise();
      tellAll(contiguous < sampled ? slots.want(agent, now) : slots.leave(agent, now), agent);
    },
    heard: (agent, sampled) => {
      const drainer = drainers.get(agent);
      if (drainer === undefined) return;
      drainer.target = Math.max(drainer.target, drainer.sampled);
      drainer.sampled = Math.max(drainer.sampled, sampled);
      judge(agent, drainer);
    },
    covered: (agent, contiguous) => {
      const drainer = drainers.get(agent);
      if (drainer === undefined) return;
      drainer.contiguous = contiguous;
      if (contiguous >= drainer.target) judge(agent, drainer);
    },
    admit: (agent, lastSeq) => {
      const drainer = drainers.get(agent);
      if (drainer === undefined) return 0;
      drainer.target = Math.max(drainer.target, lastSeq);
      judge(agent, drainer);
      if (slots.drains(agent)) {
        slots.used(agent, clock.precise());
        return 0;
      }
      // What HQ holds already costs nothing to answer.
      if (lastSeq <= drainer.contiguous) return 0;
      if (drainer.promised === 0) return TURN_MS;
      drainer.promised -= 1;
      return 0;
    },
    credit: (agent) => {
      const drainer = drainers.get(agent);
      if (drainer === undefined) return 0;
      return promise(drainer, slots.drains(agent) || slots.waiting() === 0 ? share() : 0);
    },
    gone: (agent) => {
      drainers.delete(agent);
      tellAll(slots.leave(agent, clock.precise()), agent);
    },
    tick: () => {
      tellAll(slots.rotate(clock.precise()), null);
      const frames = share();
      for (const agent of slots.draining()) {
        const drainer = drainers.get(agent);
        if (drainer !== undefined && drainer.told !== frames) drainer.tell(promise(drainer, frames));
      }
    },
  };
}
