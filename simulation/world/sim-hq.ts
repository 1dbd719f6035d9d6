/** HQ on its machine: the real one without HTTP, over a simulated disk, network and clock. */
import { map } from 'rxjs';
import { createAccess } from '../../src/hq/access.ts';
import { type AssembledHq, assembleHq } from '../../src/hq/assemble-hq.ts';
import type { HqConfig } from '../../src/hq/config.ts';
import { createDashboardFeed } from '../../src/hq/gateway/dashboard-feed.ts';
import type { IdentityCopy } from '../../src/hq/identity.ts';
import { openHqStore } from '../../src/hq/store/open-hq-store.ts';
import { lateStore } from '../../src/hq/store/testing/late-store.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { seededIds } from '../../src/platform/ids.ts';
import { silentLogger } from '../../src/platform/logger.ts';
import { createRegistry } from '../../src/platform/telemetry.ts';
import { VERSION } from '../../src/platform/version.ts';
import type { Chance } from '../kernel/chance.ts';
import type { Disk } from '../kernel/disk.ts';
import type { Life, Machine } from '../kernel/machine.ts';
import type { Server } from '../kernel/network-port.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { Viewer } from './viewer.ts';

export type SimHqOptions = {
  readonly config: HqConfig;
  readonly chance: Chance;
  readonly machine: Machine;
  readonly server: Server;
  readonly disk: Disk;
  /** Its store answers late, as one on another machine would. */
  readonly lateStore: boolean;
  /** Who look at its dashboard. */
  readonly viewers: readonly Viewer[];
  readonly timeline: Pick<Timeline, 'after'>;
  readonly note: (line: string) => void;
};

export type SimHq = Pick<SimHqOptions, 'machine' | 'disk' | 'config'> & {
  readonly running: () => AssembledHq | null;
  readonly start: () => void;
  readonly kill: (power: boolean) => void;
};

/** Slower than anybody would choose: a look at the dashboards is an event of its own. */
const UPDATE_MS = 1_000;

/** Until its supervisor starts one again that could not start, ms. */
const RESTART_MS = 1_000;

/** Of a question, and again of its answer, ms. */
const MAX_LATE_MS = 40;

const OPEN_ACCESS = { agentToken: '', operatorToken: '', allowedHosts: [] };

export function createSimHq(options: SimHqOptions): SimHq {
  const { config, chance, machine, server, disk, viewers, timeline, note } = options;
  let life: Life | null = null;
  let running: AssembledHq | null = null;
  let lives = 0;
  let kills = 0;
  /** A file alongside the store: a backup that is restored leaves it as it is. */
  let copied: string | null = null;
  const identityCopy: IdentityCopy = {
    read: () => copied,
    write: (identity) => {
      copied = identity;
    },
  };
  const start = () => {
    if (life !== null) return;
    const mine = machine.begin();
    life = mine;
    lives += 1;
    const stream = chance.stream(`life-${lives}`);
    note('hq starts');
    assembleHq({
      config,
      storage: disk.open(mine),
      access: createAccess(OPEN_ACCESS),
      clock: mine.clock,
      random: stream.stream('random'),
      ids: seededIds(stream.stream('ids')),
      telemetry: { logger: silentLogger, registry: createRegistry() },
      version: VERSION,
      ...(options.lateStore && { openStore: lateStores(mine.clock, stream.stream('store')) }),
      undo: { push: () => {} },
      identityCopy,
    }).subscribe({ next: (hq) => served(hq, mine), error: () => failed(mine) });
  };
  /** Its supervisor starts it again, unless something else has happened to it by then. */
  const failed = (mine: Life) => {
    if (life !== mine) return;
    note('hq could not start');
    mine.end();
    life = null;
    const before = kills;
    timeline.after(RESTART_MS, () => {
      if (kills === before) start();
    });
  };
  const served = (hq: AssembledHq, mine: Life) => {
    running = hq;
    // A dashboard that looks on.
    const alarms = new Map<string, string>();
    hq.fleet.delta$.subscribe(({ agents }) => {
      for (const { id, alarm } of agents) {
        const kind = alarm?.kind ?? 'none';
        if (kind !== (alarms.get(id) ?? 'none')) note(`hq alarm of ${id}: ${kind}`);
        alarms.set(id, kind);
      }
    });
    hq.serveAgents(server.listen(mine));
    const { stallMs } = config.dashboard;
    const feed = createDashboardFeed({ fleet: hq.fleet, clock: mine.clock, updateMs: UPDATE_MS, stallMs });
    for (const viewer of viewers) viewer.connect(feed, hq.fleet);
  };
  return {
    machine,
    disk,
    config,
    running: () => running,
    start,
    kill: (power) => {
      kills += 1;
      if (life === null) return;
      note(`hq killed${power ? ' with its machine' : ''}`);
      life.end();
      life = null;
      running = null;
      disk.interrupt();
      server.drop(power);
      for (const viewer of viewers) viewer.drop();
      if (power) machine.reboot();
    },
  };
}

function lateStores({ scheduler }: Pick<Clock, 'scheduler'>, chance: Chance): typeof openHqStore {
  const lateness = { scheduler, delayMs: () => chance.next() * MAX_LATE_MS };
  return (options) => openHqStore(options).pipe(map((store) => lateStore(store, lateness)));
}
