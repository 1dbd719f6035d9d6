/**
 * What faults do at the moment at which they begin: ends, damage, jumps of clocks. A kind that is not listed only
 * lasts.
 */
import { FRAME_KEY_BYTES } from '../../src/journal/keys.ts';
import { keyBytes } from '../../src/storage/key-text.ts';
import type { Disk, Snapshot } from '../kernel/disk.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { SimAgent } from '../world/sim-agent.ts';
import type { SimHq } from '../world/sim-hq.ts';
import type { Conditions } from './conditions.ts';
import type { Fault, FaultKind } from './plan.ts';

/** What happens to whole disks, which the world knows how to do. */
export type DiskSurgery = {
  /** Puts other content on the disk of an agent that does not run. */
  readonly replaceDisk: (agent: number, content: Snapshot) => void;
  /** Puts an earlier state on the disk of an agent that does not run: the newest for 0, the oldest near 1. */
  readonly rollBack: (agent: number, age: number) => void;
  /**
   * Starts a copy of an agent on a copy of its disk as it is now, under the same id. What it returns gives the copy a
   * life of its own.
   */
  readonly clone: (agent: number, fault: Fault) => () => void;
  /** Puts a backup on the disk of HQ, which does not run: the newest for 0, the oldest near 1. */
  readonly restoreHq: (age: number) => void;
  /** Takes records off the disk of HQ, which does not run, as a salvage of a damaged file does. */
  readonly damageHq: (fault: Fault) => void;
};

export type StrikeOptions = {
  readonly timeline: Timeline;
  readonly agents: readonly SimAgent[];
  readonly hq: SimHq;
  readonly surgery: DiskSurgery;
  readonly conditions: Conditions;
  readonly isHealed: () => boolean;
};

export type Strikes = {
  readonly strike: (fault: Fault) => void;
  /** Gives each copy of an agent its own life, unless it has it. */
  readonly separateAll: () => void;
};

type AgentStrike = (fault: Fault, agent: SimAgent, index: number) => void;
/** Who is down for as long as a fault lasts. */
type Victim = { readonly start: () => void; readonly hold: (held: boolean) => void };

const TEN_YEARS_MS = 10 * 365.25 * 86_400_000;
const EMPTY_DISK: Snapshot = { records: new Map(), usedBytes: 0, isSalvaged: false };
const FRAME_PREFIX = 0x40;
const LEDGER_KEY = Uint8Array.of(0x01);

export function createStrikes(options: StrikeOptions): Strikes {
  const separations: (() => void)[] = [];
  const onAgents = agentStrikes(options, separations);
  const onHq = hqStrikes(options);
  return {
    strike: (fault) => {
      for (const index of fault.agents) {
        const agent = options.agents[index];
        if (agent !== undefined) onAgents[fault.kind]?.(fault, agent, index);
      }
      onHq[fault.kind]?.(fault);
    },
    separateAll: () => {
      for (const separate of separations) separate();
    },
  };
}

function agentStrikes(
  options: StrikeOptions,
  separations: (() => void)[],
): Partial<Record<FaultKind, AgentStrike>> {
  const { timeline, surgery } = options;
  return {
    agent_crash: (fault, agent) => down(options, fault, agent, () => agent.kill(false)),
    agent_power_loss: (fault, agent) => down(options, fault, agent, () => agent.kill(true)),
    agent_stop: (fault, agent) => down(options, fault, agent, agent.stop),
    agent_disk_full: (fault, { disk }) => fillUp(disk, fault, 4_096),
    agent_record_damaged: (fault, { disk }) => damageFrame(disk, fault),
    agent_ledger_damaged: (fault, agent) =>
      down(options, fault, agent, () => {
        agent.kill(true);
        agent.disk.damage(LEDGER_KEY);
      }),
    agent_torn_write: (fault, agent) =>
      whenWriting(options, agent.disk, () => downNow(options, fault, agent, agent.tear)),
    agent_wiped: (fault, agent, index) =>
      down(options, fault, agent, () => {
        agent.kill(false);
        surgery.replaceDisk(index, EMPTY_DISK);
      }),
    agent_rolled_back: (fault, agent, index) => {
      const start = fault.steps % 2 === 0 ? agent.start : () => startUnheard(options, fault, agent);
      down(options, fault, { start, hold: agent.hold }, () => {
        agent.kill(true);
        surgery.rollBack(index, fault.strength);
      });
    },
    agent_cloned: (fault, _, index) => {
      const separate = once(surgery.clone(index, fault));
      separations.push(separate);
      timeline.after(fault.forMs, separate);
    },
    agent_clock_jump: (fault, { machine }) => machine.jump(jumpMs(fault)),
  };
}

function hqStrikes(options: StrikeOptions): Partial<Record<FaultKind, (fault: Fault) => void>> {
  const { hq, surgery } = options;
  const victim: Victim = { start: hq.start, hold: () => {} };
  return {
    hq_crash: (fault) => down(options, fault, victim, () => hq.kill(false)),
    hq_power_loss: (fault) => down(options, fault, victim, () => hq.kill(true)),
    hq_restored: (fault) =>
      down(options, fault, victim, () => {
        hq.kill(true);
        surgery.restoreHq(fault.strength);
      }),
    hq_damaged: (fault) =>
      down(options, fault, victim, () => {
        hq.kill(true);
        surgery.damageHq(fault);
      }),
    hq_disk_full: (fault) => fillUp(hq.disk, fault, 65_536),
    hq_clock_jump: (fault) => hq.machine.jump(jumpMs(fault)),
  };
}

/** Kills at once and starts again when the fault has passed. */
function downNow(
  { timeline, conditions, isHealed }: StrikeOptions,
  fault: Fault,
  { start, hold }: Victim,
  kill: () => void,
): void {
  if (isHealed()) return;
  hold(true);
  kill();
  timeline.after(fault.forMs, () => {
    hold(false);
    start();
    conditions.refresh();
  });
}

/** The same, some events later. */
function down(options: StrikeOptions, fault: Fault, victim: Victim, kill: () => void): void {
  options.timeline.afterSteps(fault.steps, () => downNow(options, fault, victim, kill));
}

/** Without its line, and once more before it has that back: by then it may have more samples than HQ has of it. */
function startUnheard(
  { timeline, conditions: { active, refresh }, isHealed }: StrikeOptions,
  fault: Fault,
  agent: SimAgent,
): void {
  const alone: Fault = { ...fault, kind: 'partition' };
  if (!isHealed()) active.add(alone);
  refresh();
  agent.start();
  timeline.after(fault.forMs, () => {
    // Else all has healed.
    if (!active.delete(alone)) return;
    agent.kill(false);
    agent.start();
    refresh();
  });
}

/** Waits for a commit to be under way. */
function whenWriting(options: StrikeOptions, disk: Disk, strike: () => void): void {
  if (options.isHealed()) return;
  if (disk.isWriting()) strike();
  else options.timeline.afterSteps(1, () => whenWriting(options, disk, strike));
}

function damageFrame(disk: Disk, fault: Fault): void {
  const frames = [...disk.records().keys()].filter(
    (text) => text.charCodeAt(0) === FRAME_PREFIX && text.length === FRAME_KEY_BYTES,
  );
  const text = frames[Math.floor(fault.strength * frames.length)];
  if (text !== undefined) disk.damage(keyBytes(text));
}

/** Leaves less than `mostBytes` free. */
function fillUp(disk: Disk, fault: Fault, mostBytes: number): void {
  disk.faults.capacityBytes = disk.usedBytes() + Math.floor(fault.strength * mostBytes);
}

function jumpMs({ strength }: Fault): number {
  return (strength * 2 - 1) ** 3 * TEN_YEARS_MS;
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}
