/** An agent on its machine: the real one, over a simulated disk, line and clock; it is killed and started again. */
import { EMPTY, ignoreElements, tap, timer } from 'rxjs';
import { type AssembledAgent, assembleAgent } from '../../src/agent/assemble-agent.ts';
import type { TrafficStore } from '../../src/agent/uplink/metering/agent-meter.ts';
import type { TrafficRecord } from '../../src/agent/uplink/metering/traffic-file.ts';
import { openJournal } from '../../src/journal/journal.ts';
import type { Journal } from '../../src/journal/port.ts';
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

export function createSimAgent(options: SimAgentOptions): SimAgent {
  const { settings, timeline, chance, machine, wire, disk, note } = options;
  const name = options.name ?? options.id;
  let { id } = options;
  let newEpoch = false;
  let life: Life | null = null;
  let running: (AssembledAgent & { readonly journal: Journal }) | null = null;
  let held = false;
  let lifted = false;
  let lives = 0;
  /** It was started while it still stopped. */
  let startsAgain = false;

  /** What the file of the count of bytes holds; a write takes a moment, and a process that dies amid one leaves the last. */
  let kept: TrafficRecord | null = null;
  const trafficStoreOf = ({ clock, isAlive }: Life): TrafficStore => ({
    read: kept === null ? { kind: 'missing' } : { kind: 'read', record: kept },
    uptime: clock.mono,
    file: {
      write: (record) =>
        timer(TRAFFIC_WRITE_MS, clock.scheduler).pipe(
          tap(() => {
            if (isAlive()) kept = record;
          }),
          ignoreElements(),
        ),
    },
  });
  const over = (mine: Life) => {
    mine.end();
    if (life !== mine) return;
    life = null;
    running = null;
  };
  const restart = (mine: Life, why: unknown) => {
    note(`${name} ended: ${String(why)}`);
    over(mine);
    disk.interrupt();
    wire.drop(false);
    timeline.after(RESTART_MS, start);
  };

  function start(): void {
    if (held) return;
    startsAgain = life !== null;
    if (life !== null) return;
    const mine = machine.begin();
    life = mine;
    lives += 1;
    const stream = chance.stream(`life-${lives}`);
    const { clock } = mine;
    const ids = seededIds(stream.stream('ids'));
    const random = stream.stream('random');
    const { config, periodMs, noisySeries } = lifted ? withoutBudget(settings) : settings;
    const instance = ids.hex(8);
    note(`${name} starts`);
    const storage = disk.open(mine);
    storage.damage$.subscribe(({ what }) => note(`${name} journal_damaged: ${what}`));
    openJournal({
      storage,
      clock,
      ids,
      policy: config.journal.overflow,
      maxBytes: config.journal.maxBytes,
      sealSamples: settings.sealSamples,
      newEpoch,
    }).subscribe({
      next: (journal) => {
        newEpoch = false;
        const agent = assembleAgent({
          config,
          identity: { agent: id, instance, version: VERSION },
          journal,
          link: wire.link(mine, instance),
          traffic: trafficStoreOf(mine),
          sources: [
            createCountingSource({
              name: 'sim',
              clock,
              periodMs,
              noisySeries,
              chance: stream.stream('source'),
              nextId: options.nextId,
              isQuiet: options.isQuiet,
            }),
          ],
          clock,
          random,
          emit: ({ type }) => {
            if (type !== 'journal_stats') note(`${name} ${type}`);
          },
          pipelineEmit: ({ type }) => note(`${name} ${type}`),
        });
        running = { ...agent, journal };
        agent.failed$.subscribe({ error: (error) => restart(mine, error) });
        agent.start();
      },
      error: (error) => restart(mine, error),
    });
  }

  function kill(power: boolean): void {
    if (life === null) return;
    note(`${name} killed${power ? ' with its machine' : ''}`);
    over(life);
    disk.interrupt();
    wire.drop(power);
    if (power) machine.reboot();
  }

  return {
    get id() {
      return id;
    },
    machine,
    wire,
    disk,
    settings,
    running: () => running,
    start,
    rename: (other) => {
      id = other;
      newEpoch = true;
    },
    hold: (value) => {
      held = value;
    },
    liftBudget: () => {
      if (settings.config.uplink.maxBytesPerDay === 0) return;
      lifted = true;
      if (life === null) return;
      kill(false);
      start();
    },
    tear: () => {
      if (life === null) return;
      note(`${name} torn${disk.isWriting() ? ' while it wrote' : ''}`);
      over(life);
      disk.tear();
      wire.drop(true);
      machine.reboot();
    },
    kill,
    stop: () => {
      const mine = life;
      if (mine === null || running === null) return;
      startsAgain = false;
      note(`${name} is stopped`);
      running.stop(EMPTY).subscribe({
        complete: () => {
          if (!mine.isAlive()) return;
          note(`${name} has stopped`);
          over(mine);
          wire.drop(false);
          if (startsAgain) start();
        },
      });
    },
  };
}

export function withoutBudget(settings: AgentSettings): AgentSettings {
  const { config } = settings;
  return { ...settings, config: { ...config, uplink: { ...config.uplink, maxBytesPerDay: 0 } } };
}
