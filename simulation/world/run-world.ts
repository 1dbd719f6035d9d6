/** One run: a world drawn from a seed, its faults, its healing, and everything that was found wrong with it. */
import { config as rxConfig } from 'rxjs';
import { coveredCount } from '../../src/protocol/coverage.ts';
import { checkBudgets } from '../check/budgets.ts';
import { type CheckOptions, checkAlways, checkDrained } from '../check/check-world.ts';
import { createHqTruth } from '../check/hq-truth.ts';
import { createLinkWatch } from '../check/link-watch.ts';
import { createLiveWatch } from '../check/live-lag.ts';
import { differences, type Shown } from '../check/shown.ts';
import { createViolations, type Violation } from '../check/violations.ts';
import { createInjector } from '../faults/inject.ts';
import { drawLineFaults, drawPlan, type Fault, type FaultKind } from '../faults/plan.ts';
import { createChance } from '../kernel/chance.ts';
import { createDisk, type Snapshot } from '../kernel/disk.ts';
import { createMachine } from '../kernel/machine.ts';
import { createNetwork } from '../kernel/network.ts';
import { createTimeline } from '../kernel/timeline.ts';
import { createTrace } from '../kernel/trace.ts';
import { createSubject, type SubjectWorld } from './create-subject.ts';
import { drainBoundMs } from './drain-bound.ts';
import { drawFallingLine } from './falling-line.ts';
import { type AgentSettings, drawAgent, drawHq } from './settings.ts';
import { type SimAgent, withoutBudget } from './sim-agent.ts';
import { createSimHq } from './sim-hq.ts';
import { createViewer } from './viewer.ts';

export type RunOptions = {
  readonly seed: number;
  /** Simulated time with faults and, in its last fifth, without; draining comes on top. */
  readonly hours: number;
  /** Only these of the seed's faults, by index; all without it. */
  readonly only?: readonly number[];
  /** These faults in place of the seed's own. */
  readonly faults?: readonly Fault[];
  /** Changes what the seed drew for each agent. */
  readonly alter?: (drawn: AgentSettings) => AgentSettings;
  /** Told of each line of the trace. */
  readonly onLine?: (line: string) => void;
};

export type RunResult = {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Hash of the whole trace. */
  readonly digest: string;
  /** ms of virtual time. */
  readonly simulatedMs: number;
  readonly steps: number;
  readonly samples: number;
  /** Of those, how many reached HQ as parts of buckets only. */
  readonly thinned: number;
  readonly faults: readonly Fault[];
  readonly injected: Readonly<Partial<Record<FaultKind, number>>>;
};

const HOUR_MS = 3_600_000;
const NOTHING_SHOWN: Shown = new Map();
/** Faults have ended by then. */
const HEALED_SHARE = 0.8;
const CHECKS = 24;
/** What everybody who looks on sees once all is quiet, they see within this time. */
const SEEN_WITHIN_MS = 5_000;
/** What a fault left behind has been noticed by then, besides what waits for an ack. */
const CALM_MS = 10_000;
/** Between two looks at whether everything has drained. */
const LOOK_MS = 1_000;

export function runWorld({ seed, hours, only, onLine, ...given }: RunOptions): RunResult {
  const chance = createChance(seed);
  const timeline = createTimeline();
  const trace = createTrace(timeline.now, onLine);
  const { note } = trace;
  const violations = createViolations(timeline.now, note);
  const crashed = (error: unknown) =>
    violations.report('crash', error instanceof Error ? (error.stack ?? error.message) : String(error));
  rxConfig.onUnhandledError = crashed;

  const shape = chance.stream('shape');
  const usualDelayMs = shape.pick([
    [1, 5],
    [10, 60],
    [250, 400],
  ] as const);
  const hqTruth = createHqTruth(violations);
  const network = createNetwork({
    timeline,
    chance: chance.stream('network'),
    note,
    onAnswer: hqTruth.answered,
    onCredit: (credit) => links.credited(credit),
    watch: {
      sent: (message) => links.sent(message),
      heard: (answer) => links.heard(answer),
      ended: (ended) => links.ended(ended),
    },
    usualDelayMs,
  });
  const hqDisk = createDisk(chance.stream('hq-disk'), {
    onWritten: (operations) => {
      note(`hq wrote ${operations.length}`);
      hqTruth.wrote(operations);
    },
  });
  const end = hours * HOUR_MS;
  const healAt = end * HEALED_SHARE;
  const onlookers = chance.stream('viewers');
  const viewers = Array.from({ length: onlookers.whole(0, 2) }, (_, index) =>
    createViewer({
      timeline,
      chance: onlookers.stream(String(index)),
      healAt,
      onWrong: (what) => violations.report('dashboard', `dashboard ${index + 1} ${what}`),
      onCut: () => note(`dashboard ${index + 1} is cut off`),
    }),
  );
  const hq = createSimHq({
    config: drawHq(shape),
    chance: chance.stream('hq'),
    machine: createMachine(timeline, 'hq'),
    server: network.server,
    disk: hqDisk,
    viewers,
    note,
  });
  let lastId = 0;
  let quiet = false;
  const world: SubjectWorld = {
    timeline,
    network,
    hqTruth,
    violations,
    note,
    nextId: () => {
      lastId += 1;
      return lastId;
    },
    isQuiet: () => quiet,
  };
  const fallingLine = drawFallingLine(chance.stream('falling-line'), { spanMs: end, healAt });
  const subjects = Array.from({ length: shape.whole(1, 4) }, (_, index) => {
    const id = `agent-${index + 1}`;
    const own = chance.stream(id);
    const drawn = drawAgent(own.stream('settings'), { hours, usualDelayMs });
    const falling = index === 0 && given.faults === undefined ? (fallingLine?.alter(drawn) ?? drawn) : drawn;
    const settings = given.alter?.(falling) ?? falling;
    return createSubject(world, { id, name: id, settings, chance: own });
  });
  const agents = subjects.map(({ agent }) => agent);
  /** Copies of some of them, as cloned disks make them. */
  const copies: SimAgent[] = [];
  const checks: CheckOptions = { subjects, hq: hqTruth, hqRecords: hqDisk.records, violations };

  const drawn = drawPlan(chance.stream('plan'), { hours, agents: agents.length });
  const slow = [...agents.keys()].filter((index) => isSlow(agents[index]));
  const changes = drawLineFaults(chance.stream('line-plan'), { hours, slow, from: drawn.length });
  const plan = given.faults ?? fallingLine?.faults ?? [...drawn, ...changes];
  const faults = only === undefined ? plan : plan.filter(({ index }) => only.includes(index));
  const backups: Snapshot[] = [hqDisk.snapshot()];
  const images = agents.map((agent) => [agent.disk.snapshot()]);
  const injected: Partial<Record<FaultKind, number>> = {};
  const injector = createInjector({
    timeline,
    agents,
    hq,
    healAt,
    note,
    replaceDisk: (index, content) => {
      const subject = subjects[index];
      if (subject === undefined) return;
      subject.agent.disk.restore(content);
      subject.truth.replaced(subject.agent.disk.records());
    },
    rollBack: (index, age) => {
      const states = images[index] ?? [];
      const state = states[Math.floor((1 - age) * (states.length - 1))];
      const subject = subjects[index];
      if (state === undefined || subject === undefined) return;
      subject.agent.disk.restore(state);
      subject.truth.replaced(subject.agent.disk.records());
    },
    clone: (index, fault) => {
      const original = subjects[index];
      if (original === undefined) return () => {};
      const { id, disk } = original.agent;
      const settings = withoutBudget(original.agent.settings);
      const name = `${id}-copy-${fault.index}`;
      const copied = { of: original, image: disk.snapshot() };
      const copy = createSubject(world, { id, name, settings, chance: chance.stream(name), copied });
      subjects.push(copy);
      copies.push(copy.agent);
      copy.agent.start();
      return () => {
        copy.agent.kill(false);
        copy.agent.rename(name);
        copy.agent.start();
      };
    },
    restoreHq: (age) => {
      const backup = backups[Math.floor((1 - age) * (backups.length - 1))];
      if (backup === undefined) return;
      hqDisk.restore(backup);
      hqTruth.replaced(hqDisk.records());
    },
    onInjected: ({ kind }) => {
      injected[kind] = (injected[kind] ?? 0) + 1;
    },
  });
  injector.schedule(faults);

  const place = (name: string) => agents.findIndex(({ wire }) => wire.name === name);
  /** A copy, and whoever has one, is refused for a while. */
  const isCalm = (name: string) => {
    const at = place(name);
    const agent = agents[at];
    if (agent === undefined || copies.some(({ id }) => id === agent.id || id.startsWith(`${agent.id}-`)))
      return false;
    // A budget that is used up ends connections.
    if (agent.settings.config.uplink.maxBytesPerDay > 0) return false;
    const calmMs = CALM_MS + 2 * agent.settings.config.uplink.ackTimeoutMs;
    return timeline.now() - injector.calmSince(at) > calmMs;
  };
  const hasWrongClock = (agent: number) =>
    faults.some(({ kind, agents: whom }) => kind.startsWith('agent_clock') && whom.includes(agent));
  const mayLackSchemas = (name: string) =>
    faults.some(
      ({ kind, agents: whom }) =>
        (kind === 'agent_record_damaged' || kind === 'agent_torn_write') &&
        whom.some((one) => name.startsWith(agents[one]?.id ?? name)),
    );
  const links = createLinkWatch({ timeline, violations, isCalm, mayLackSchemas });

  const attempt = (work: () => void) => {
    try {
      work();
    } catch (error) {
      crashed(error);
    }
  };
  const ok = () => violations.list().length === 0;
  const runUntil = (at: number) => attempt(() => timeline.runUntil(at));

  attempt(() => {
    hq.start();
    for (const agent of agents) agent.start();
  });
  for (let check = 1; check <= CHECKS && ok(); check += 1) {
    runUntil((healAt * check) / CHECKS);
    checkAlways(checks);
    checkBudgets({ agents: agents.filter((_, index) => !hasWrongClock(index)), violations });
    backups.push(hqDisk.snapshot());
    agents.forEach((agent, index) => void images[index]?.push(agent.disk.snapshot()));
  }
  attempt(injector.heal);
  const lineOf = (name: string) => agents[place(name)]?.wire.faults;
  const live = createLiveWatch({ timeline, subjects, hq: hqTruth, violations, lineOf });
  const deadline = timeline.now() + drainBoundMs({ agents: [...agents, ...copies], hq });
  while (ok() && timeline.now() < end) {
    runUntil(Math.min(end, timeline.now() + LOOK_MS));
    live.look();
    links.look(subjects);
  }
  quiet = true;
  const late = Math.max(deadline, end + drainBoundMs({ agents: [...agents, ...copies], hq }));
  const left = () => [...agents, ...copies].flatMap((agent) => whatIsLeft(agent) ?? []);
  while (ok() && timeline.now() < late && left().length > 0) {
    runUntil(timeline.now() + LOOK_MS);
    links.look(subjects);
  }
  if (ok()) {
    for (const what of left()) violations.report('not_drained', what);
    checkAlways(checks);
  }
  if (ok()) checkDrained(checks);
  const shownWrong = () => {
    const known = new Map(
      hq
        .running()
        ?.fleet.summaries()
        .map((agent) => [agent.id, agent]),
    );
    return viewers.flatMap((viewer) => differences(viewer.shown() ?? NOTHING_SHOWN, known));
  };
  const seenBy = timeline.now() + SEEN_WITHIN_MS;
  while (ok() && timeline.now() < seenBy && shownWrong().length > 0) runUntil(timeline.now() + LOOK_MS);
  if (ok()) for (const what of shownWrong()) violations.report('dashboard', `a dashboard ${what}`);
  return {
    seed,
    violations: violations.list(),
    digest: trace.digest(),
    simulatedMs: timeline.now(),
    steps: timeline.steps(),
    samples: lastId,
    thinned: [...hqTruth.agents().values()]
      .flatMap((epochs) => [...epochs.values()])
      .reduce((sum, { thinned }) => sum + coveredCount(thinned), 0),
    faults,
    injected,
  };
}

function isSlow(agent: SimAgent | undefined): boolean {
  return agent !== undefined && Number.isFinite(agent.settings.line.upRate);
}

/** Why an agent has not drained yet, or still thinks ill of its disk; null when neither. */
function whatIsLeft(agent: SimAgent): string | null {
  const running = agent.running();
  if (running === null) return `${agent.id} does not run`;
  const { pending, pendingFrames, sampled, disk } = running.journal.stats();
  const { uncommitted, failure } = running.pipeline.status().commit;
  const { phase, reason, breaker, paused } = running.uplink.status();
  if (pendingFrames === 0 && uncommitted === 0 && disk === 'good') return null;
  const why = [phase, `breaker ${breaker}`, `disk ${disk}`, reason, paused, failure]
    .filter((one) => one !== null)
    .join(', ');
  return `${agent.id}: ${pending} of ${sampled} in ${pendingFrames} frames pending, ${uncommitted} uncommitted: ${why}`;
}
