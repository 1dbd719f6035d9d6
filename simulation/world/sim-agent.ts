/** An agent on its machine: the real one, over a simulated disk, line and clock; it is killed and started again. */
import { EMPTY } from 'rxjs';
import { type AssembledAgent, assembleAgent } from '../../src/agent/assemble-agent.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { openJournal } from '../../src/journal/open-journal.ts';
import { seededIds } from '../../src/platform/ids.ts';
import { VERSION } from '../../src/platform/version.ts';
import type { Chance } from '../kernel/chance.ts';
import type { Disk } from '../kernel/disk.ts';
import type { Life, Machine } from '../kernel/machine.ts';
import type { Wire } from '../kernel/network.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { AgentSettings } from './settings.ts';
import { createCountingSource } from './source.ts';

export type SimAgentOptions = {
  readonly id: string;
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
  /** An ordered stop. */
  readonly stop: () => void;
  /** Keeps its supervisor from starting it until `start`. */
  readonly hold: (held: boolean) => void;
};

/** What a supervisor waits before it starts an agent again, ms. */
const RESTART_MS = 2_000;

export function createSimAgent(options: SimAgentOptions): SimAgent {
  const { id, settings, timeline, chance, machine, wire, disk, note } = options;
  let life: Life | null = null;
  let running: (AssembledAgent & { readonly journal: Journal }) | null = null;
  let held = false;
  let lives = 0;

  const over = (mine: Life) => {
    mine.end();
    if (life !== mine) return;
    life = null;
    running = null;
  };
  const restart = (mine: Life, why: unknown) => {
    note(`${id} ended: ${String(why)}`);
    over(mine);
    disk.interrupt();
    wire.drop(false);
    timeline.after(RESTART_MS, start);
  };

  function start(): void {
    if (life !== null || held) return;
    const mine = machine.begin();
    life = mine;
    lives += 1;
    const stream = chance.stream(`life-${lives}`);
    const { clock } = mine;
    const ids = seededIds(stream.stream('ids'));
    const random = stream.stream('random');
    const { config, periodMs, noisySeries } = settings;
    const instance = ids.hex(8);
    note(`${id} starts`);
    openJournal({
      storage: disk.open(mine),
      clock,
      ids,
      policy: config.journal.overflow,
      maxBytes: config.journal.maxBytes,
      sealSamples: settings.sealSamples,
    }).subscribe({
      next: (journal) => {
        const agent = assembleAgent({
          config,
          identity: { agent: id, instance, version: VERSION },
          journal,
          link: wire.link(mine, instance),
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
            if (type !== 'journal_stats') note(`${id} ${type}`);
          },
          pipelineEmit: ({ type }) => note(`${id} ${type}`),
        });
        running = { ...agent, journal };
        agent.failed$.subscribe({ error: (error) => restart(mine, error) });
        agent.start();
      },
      error: (error) => restart(mine, error),
    });
  }

  return {
    id,
    machine,
    wire,
    disk,
    settings,
    running: () => running,
    start,
    hold: (value) => {
      held = value;
    },
    kill: (power) => {
      if (life === null) return;
      note(`${id} killed${power ? ' with its machine' : ''}`);
      over(life);
      disk.interrupt();
      wire.drop(power);
      if (power) machine.reboot();
    },
    stop: () => {
      const mine = life;
      if (mine === null || running === null) return;
      note(`${id} is stopped`);
      running.stop(EMPTY).subscribe({
        complete: () => {
          if (!mine.isAlive()) return;
          note(`${id} has stopped`);
          over(mine);
          wire.drop(false);
        },
      });
    },
  };
}
