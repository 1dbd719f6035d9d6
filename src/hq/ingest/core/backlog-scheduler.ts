/**
 * Credit of the agents: who of them is behind, whose turn it is to drain, and how many backlog frames that allows.
 *
 * An agent is behind while HQ lacks a seq that had been given out when it said hello, or one heartbeat ago, or that it
 * sent in the backlog lane; what is younger travels in the live lane. Those that are behind take turns in the slots of
 * `drain-slots.ts`. While somebody waits for a slot, credit is 0 for all who have none; else everybody has the usual
 * credit, so that a backlog begins without asking. Credit bounds frames and, for agents that know of it, bytes in
 * flight; it is enforced exactly, by a `credit-window.ts` for each connection: frames that it allowed are taken also
 * when they come after a turn's end.
 */
import type { Clock } from '../../../platform/clock.ts';
import { creditShare } from './credit-share.ts';
import { type Credit, type CreditWindow, createCreditWindow } from './credit-window.ts';
import { createDrainSlots, type DrainSlots, type TurnChange } from './drain-slots.ts';
import type { IngestEmit } from './ingest-events.ts';

export type BacklogSchedulerOptions = {
  /** Agents that may drain at once at full speed; slow ones take part of a slot. */
  readonly slots: number;
  /** Backlog frames that one agent may have in flight when there is room for all. */
  readonly creditFrames: number;
  /**
   * Backlog bytes that one agent may have in flight when there is room for all, and that the queue has room for in all.
   */
  readonly creditBytes: { readonly perAgent: number; readonly total: number; readonly least: number };
  readonly clock: Pick<Clock, 'precise'>;
  /** Share of the queue in use, 0 … 1. */
  readonly load: () => number;
  readonly emit: IngestEmit;
};

export type BacklogScheduler = {
  /** The agent said hello; `tell` sends it another credit later. */
  readonly accepted: (agent: string, is: Accepted) => void;
  /** It has given out so many seqs by now. */
  readonly heard: (agent: string, sampled: number) => void;
  /** HQ holds everything up to there. */
  readonly covered: (agent: string, contiguous: number) => void;
  /** A backlog frame has arrived. */
  readonly admit: (agent: string, frame: { readonly lastSeq: number; readonly bytes: number }) => Admission;
  /** The credit to answer with; `bytes` is infinite for an agent that does not know of it. */
  readonly credit: (agent: string) => Credit;
  readonly gone: (agent: string) => void;
  /** To be called several times a second: ends turns, and tells those who drain what has changed. */
  readonly tick: () => void;
};

/** Taken: to be told once it has been answered, however. Refused: when to come again. */
export type Admission =
  | { readonly isTaken: true; readonly answered: () => void }
  | { readonly isTaken: false; readonly waitMs: number };

/** Live frames need no credit. */
export const NOT_COUNTED: Admission = { isTaken: true, answered: () => {} };

type Accepted = {
  readonly sampled: number;
  readonly contiguous: number;
  /** It heeds a credit of bytes. */
  readonly knowsBytes: boolean;
  readonly tell: (credit: Credit) => void;
};
type Drainer = {
  readonly tell: (credit: Credit) => void;
  readonly knowsBytes: boolean;
  readonly window: CreditWindow;
  /** It is behind while HQ does not hold everything up to this seq. */
  target: number;
  /** What it had given out at its last heartbeat. */
  sampled: number;
  contiguous: number;
};

/** Backlog frames of all agents together that are given out as credit. */
const TOTAL_CREDIT = 512;
/** Long against a round trip, so that a turn is worth its beginning; short against the patience of a person. */
const TURN_MS = 2_000;
const IDLE_MS = 1_000;
/** What one slot stands for: 64 of them are more than HQ validates and stores. */
const SLOT_BYTES_PER_SECOND = 256 * 1024;
const NONE: Credit = { frames: 0, bytes: 0 };
/**
 * HQ's time from a backlog frame to its answer from which on agents take it for a queue of their links
 * (`uplink.queueTargetMs`).
 */
const SLOW_ANSWER_MS = 250;
/** Of the time of the latest answer in what counts. */
const ANSWER_SHARE = 1 / 16;
/** Bytes of credit are told again without being asked when they have changed so much. */
const NOTABLE = 2;

export function createBacklogScheduler(options: BacklogSchedulerOptions): BacklogScheduler {
  const { creditFrames, creditBytes, clock, load } = options;
  const slots = createDrainSlots({
    slots: options.slots,
    turnMs: TURN_MS,
    idleMs: IDLE_MS,
    slotBytesPerSecond: SLOT_BYTES_PER_SECOND,
    isHqSlow: () => answerMs > SLOW_ANSWER_MS,
  });
  /** Of late, on average. */
  let answerMs = 0;
  const drainers = new Map<string, Drainer>();
  const report = createReport(slots, options.emit);

  const share = (): Credit => {
    const now = { drainingAgents: slots.taken(), load: load() };
    return {
      frames: creditShare({ perAgent: creditFrames, total: TOTAL_CREDIT }, now),
      bytes: Math.max(creditBytes.least, creditShare(creditBytes, now)),
    };
  };
  /** Those who leave because they are done are told by the answer to their frame. */
  const tellAll = (changes: readonly TurnChange[], except: string | null) => {
    for (const { agent, drains } of changes) {
      const drainer = drainers.get(agent);
      if (drainer === undefined || agent === except) continue;
      tellIfNotable(drainer, drains ? share() : NONE);
    }
    report();
  };
  const judge = (agent: string, drainer: Drainer) => {
    const now = clock.precise();
    const isBehind = drainer.contiguous < drainer.target;
    tellAll(isBehind ? slots.want(agent, now) : slots.leave(agent, now), isBehind ? null : agent);
  };

  return {
    accepted: (agent, { sampled, contiguous, knowsBytes, tell }) => {
      const window = createCreditWindow();
      drainers.set(agent, { tell, knowsBytes, window, target: sampled, sampled, contiguous });
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
    admit: (agent, { lastSeq, bytes }) => {
      const drainer = drainers.get(agent);
      if (drainer === undefined) return NOT_COUNTED;
      drainer.target = Math.max(drainer.target, lastSeq);
      judge(agent, drainer);
      const { window } = drainer;
      const isTaken = window.admit(bytes);
      slots.used(agent, isTaken ? bytes : 0, clock.precise());
      if (!isTaken) return { isTaken: false, waitMs: TURN_MS };
      const arrivedAt = clock.precise();
      const answered = () => {
        window.answered(bytes);
        answerMs += ANSWER_SHARE * (clock.precise() - arrivedAt - answerMs);
      };
      return { isTaken: true, answered };
    },
    credit: (agent) => {
      const drainer = drainers.get(agent);
      if (drainer === undefined) return NONE;
      return announce(drainer, slots.drains(agent) || slots.waiting() === 0 ? share() : NONE);
    },
    gone: (agent) => {
      drainers.delete(agent);
      tellAll(slots.leave(agent, clock.precise()), agent);
    },
    tick: () => {
      tellAll(slots.rotate(clock.precise()), null);
      const credit = share();
      for (const agent of slots.draining()) {
        const drainer = drainers.get(agent);
        if (drainer !== undefined) tellIfNotable(drainer, credit);
      }
    },
  };
}

function announce({ window, knowsBytes }: Drainer, { frames, bytes }: Credit): Credit {
  window.announce({ frames, bytes: knowsBytes ? bytes : Number.POSITIVE_INFINITY });
  return window.announced();
}

/** Sends the agent its credit when that has changed so much that it should hear of it now. */
function tellIfNotable(drainer: Drainer, credit: Credit): void {
  const { frames, bytes } = drainer.window.announced();
  const ratio = drainer.knowsBytes && frames > 0 && credit.frames > 0 ? credit.bytes / bytes : 1;
  if (frames !== credit.frames || ratio >= NOTABLE || ratio <= 1 / NOTABLE)
    drainer.tell(announce(drainer, credit));
}

/** Reports how many drain and how many wait, when that has changed. */
function createReport(slots: DrainSlots, emit: IngestEmit): () => void {
  // Nobody drains at first, which is nothing to tell.
  let reported = '0/0';
  return () => {
    const [taken, waiting] = [slots.taken(), slots.waiting()];
    if (reported === `${taken}/${waiting}`) return;
    reported = `${taken}/${waiting}`;
    emit({ type: 'drain_slots', taken, waiting });
  };
}
