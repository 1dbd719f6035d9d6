/** An agent on its machine: the real one, over a simulated disk, line and clock; it is killed and started again. */
import { EMPTY, ignoreElements, tap, timer } from 'rxjs';
import { type AssembledAgent, assembleAgent } from '../../src/agent/assemble-agent.ts';
import type { TrafficStore } from '../../src/agent/uplink/metering/agent-meter.ts';
import type { TrafficRecord } from '../../src/agent/uplink/metering/traffic-file.ts';
import { openJournal } from '../../src/journal/journal.ts';
import type { Journal } from '../../src/journal/port.ts';
import { endingText } from '../../src/platform/ending.ts';
import { seededIds } from '../../src/platform/ids.ts';
import { VERSION } from '../../src/platform/version.ts';
import type { Chance } from '../kernel/chance.ts';
import type { Disk } from '../kernel/disk.ts';
import type { Life, Machine } from '../kernel/machine.ts';
import type { Wire } from '../kernel/network-port.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { AgentSettings } from './settings.ts';
import { createCountingSource } from './source.ts';

export type SimAgentOptions = {
  readonly id: string;
  /** As the trace calls it; default its id. */
  readonly name?: string;
  readonly settings: AgentSettings;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly machine: Machine;
  readonly wire: Wire;
  readonly disk: Disk;
  readonly note: (line: string) => void;
  readonly nextId: () => number;
  /** Whether sampling has ended for good. */
  readonly isQuiet: () => boolean;
};

export type SimAgent = Pick<SimAgentOptions, 'id' | 'machine' | 'wire' | 'disk' | 'settings'> & {
  /** The running agent; null while there is none. */
  readonly running: () => (AssembledAgent & { readonly journal: Journal }) | null;
  readonly start: () => void;
  /** `power`: with its machine, which tells nobody. */
  readonly kill: (power: boolean) => void;
  /** The power goes while the disk writes, and what it was writing is torn. */
  readonly tear: () => void;
  /** An ordered stop. */
  readonly stop: () => void;
  /** Its next start gives it another id, and its journal its own life (`--new-epoch`). */
  readonly rename: (id: string) => void;
  /** Keeps its supervisor from starting it until `start`. */
  readonly hold: (held: boolean) => void;
  /** Starts it again without a data budget, if it has one. */
  readonly liftBudget: () => void;
};

/** What a supervisor waits before it starts an agent again, ms. */
const RESTART_MS = 2_000;
/** What a small file takes to be durable. */
const TRAFFIC_WRITE_MS = 5;

type Running = AssembledAgent & { readonly journal: Journal };

type State = Omit<SimAgentOptions, 'id' | 'name'> & {
  readonly name: string;
  id: string;
  newEpoch: boolean;
  life: Life | null;
  running: Running | null;
  held: boolean;
  lifted: boolean;
  lives: number;
  /** It was started while it still stopped. */
  startsAgain: boolean;
  /**
   * What the file of the count of bytes holds; a write takes a moment, and a process that dies amid one leaves the
   * last.
   */
  kept: TrafficRecord | null;
};

export function createSimAgent(options: SimAgentOptions): SimAgent {
  const { machine, wire, disk, settings } = options;
  const state: State = {
    ...options,
    name: options.name ?? options.id,
    newEpoch: false,
    life: null,
    running: null,
    held: false,
    lifted: false,
    lives: 0,
    startsAgain: false,
    kept: null,
  };
  return {
    get id() {
      return state.id;
    },
    machine,
    wire,
    disk,
    settings,
    running: () => state.running,
    start: () => start(state),
    rename: (other) => {
      state.id = other;
      state.newEpoch = true;
    },
    hold: (held) => {
      state.held = held;
    },
    liftBudget: () => {
      if (settings.config.uplink.maxBytesPerDay === 0) return;
      state.lifted = true;
      if (state.life === null) return;
      kill(state, false);
      start(state);
    },
    tear: () => tear(state),
    kill: (power) => kill(state, power),
    stop: () => stop(state),
  };
}

function start(state: State): void {
  if (state.held) return;
  state.startsAgain = state.life !== null;
  if (state.life !== null) return;
  const life = state.machine.begin();
  state.life = life;
  state.lives += 1;
  const stream = state.chance.stream(`life-${state.lives}`);
  const ids = seededIds(stream.stream('ids'));
  const settings = state.lifted ? withoutBudget(state.settings) : state.settings;
  const { overflow, maxBytes } = settings.config.journal;
  const instance = ids.hex(8);
  state.note(`${state.name} starts`);
  const storage = state.disk.open(life);
  storage.damage$.subscribe(({ what }) => state.note(`${state.name} journal_damaged: ${what}`));
  openJournal({
    storage,
    clock: life.clock,
    ids,
    policy: overflow,
    maxBytes,
    compactSamples: settings.compactSamples,
    newEpoch: state.newEpoch,
  }).subscribe({
    next: (journal) => {
      state.newEpoch = false;
      const agent = assemble(state, { life, stream, settings, instance, journal });
      state.running = { ...agent, journal };
      agent.ending$.subscribe((ending) => restart(state, life, endingText(ending)));
      agent.start();
    },
    error: (error) => restart(state, life, error),
  });
}

type Started = {
  readonly life: Life;
  readonly stream: Chance;
  readonly settings: AgentSettings;
  readonly instance: string;
  readonly journal: Journal;
};

function assemble(state: State, { life, stream, settings, instance, journal }: Started): AssembledAgent {
  const { name, note } = state;
  const { config, periodMs, noisySeries } = settings;
  const source = createCountingSource({
    name: 'sim',
    clock: life.clock,
    periodMs,
    noisySeries,
    chance: stream.stream('source'),
    nextId: state.nextId,
    isQuiet: state.isQuiet,
  });
  return assembleAgent({
    config,
    identity: { agent: state.id, instance, version: VERSION },
    journal,
    link: state.wire.link(life, instance),
    traffic: trafficStoreOf(state, life),
    sources: [source],
    clock: life.clock,
    random: stream.stream('random'),
    emit: ({ type }) => {
      if (type !== 'journal_stats') note(`${name} ${type}`);
    },
    pipelineEmit: ({ type }) => note(`${name} ${type}`),
  });
}

function trafficStoreOf(state: State, { clock, isAlive }: Life): TrafficStore {
  const { kept } = state;
  return {
    read: kept === null ? { kind: 'missing' } : { kind: 'read', record: kept },
    uptime: clock.mono,
    file: {
      write: (record) =>
        timer(TRAFFIC_WRITE_MS, clock.scheduler).pipe(
          tap(() => {
            if (isAlive()) state.kept = record;
          }),
          ignoreElements(),
        ),
    },
  };
}

function over(state: State, life: Life): void {
  life.end();
  if (state.life !== life) return;
  state.life = null;
  state.running = null;
}

function restart(state: State, life: Life, why: unknown): void {
  state.note(`${state.name} ended: ${String(why)}`);
  over(state, life);
  state.disk.interrupt();
  state.wire.drop(false);
  state.timeline.after(RESTART_MS, () => start(state));
}

function kill(state: State, power: boolean): void {
  if (state.life === null) return;
  state.note(`${state.name} killed${power ? ' with its machine' : ''}`);
  over(state, state.life);
  state.disk.interrupt();
  state.wire.drop(power);
  if (power) state.machine.reboot();
}

function tear(state: State): void {
  const { life, disk } = state;
  if (life === null) return;
  state.note(`${state.name} torn${disk.isWriting() ? ' while it wrote' : ''}`);
  over(state, life);
  disk.tear();
  state.wire.drop(true);
  state.machine.reboot();
}

function stop(state: State): void {
  const { life, running } = state;
  if (life === null || running === null) return;
  state.startsAgain = false;
  state.note(`${state.name} is stopped`);
  running.stop(EMPTY).subscribe({
    complete: () => {
      if (!life.isAlive()) return;
      state.note(`${state.name} has stopped`);
      over(state, life);
      state.wire.drop(false);
      if (state.startsAgain) start(state);
    },
  });
}

export function withoutBudget(settings: AgentSettings): AgentSettings {
  const { config } = settings;
  return { ...settings, config: { ...config, uplink: { ...config.uplink, maxBytesPerDay: 0 } } };
}
