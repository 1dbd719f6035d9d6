/** HQ's fleet over a store in memory, told by the test what its agents do. */
import { state } from '@rx-state/core';
import { BehaviorSubject, Subject } from 'rxjs';
import { createFleet } from '../../../src/hq/aggregate/create-fleet.ts';
import type { Fleet } from '../../../src/hq/aggregate/fleet.ts';
import type { LinkEvent } from '../../../src/hq/ingest/core/link-event.ts';
import { openHqStore } from '../../../src/hq/store/open-hq-store.ts';
import type { HqStore } from '../../../src/hq/store/store.ts';
import { type dataFrame, EPOCH, schema } from '../../../src/hq/store/testing/frames.ts';
import { seededIds } from '../../../src/platform/ids.ts';
import { seededRandom } from '../../../src/platform/random.ts';
import type { Chaos, FleetDelta } from '../../../src/protocol/api.ts';
import type { Heartbeat } from '../../../src/protocol/events.ts';
import { createMemoryDisk, createMemoryStorage } from '../../../src/storage/memory/memory-storage.ts';
import { now } from './now.ts';
import { START, type VirtualClock, virtualClock } from './virtual-clock.ts';

export const HEARTBEAT: Heartbeat = {
  ts: START,
  state: 'catching-up',
  breaker: 'half-open',
  sampled: 100,
  released: 0,
  pending: 90,
  pendingBytes: 1234,
  thinned: 0,
  dropped: {},
  lagMs: 60_000,
  rttMs: 20,
};

export type FleetRig = ReturnType<typeof createFleetRig>;

/** `engine`: what stands between the fleet and the store. */
export function createFleetRig(engine: (store: HqStore, clock: VirtualClock) => HqStore = (store) => store) {
  const disk = createMemoryDisk();
  const clock = virtualClock();
  const open = () => {
    const store = openNow(disk, clock);
    return Object.assign(startFleet(engine(store, clock), clock), { store });
  };
  let hq = open();
  hq.store.putSchema('a1', schema).subscribe();
  // The first delta tells of the chaos that was found.
  clock.pass(250);
  hq.deltas.length = 0;
  return {
    clock,
    get store() {
      return hq.store;
    },
    get fleet() {
      const { fleet } = hq;
      if (fleet === null) throw new Error('the store has not said yet what it knows');
      return fleet;
    },
    get links() {
      return hq.links;
    },
    get chaos() {
      return hq.chaos;
    },
    get deltas() {
      return hq.deltas;
    },
    restart: () => {
      hq.fleet?.close();
      hq.store.close().subscribe();
      hq = open();
    },
    /** Without an orderly end: the fleet goes on to nobody. */
    kill: () => {
      const { store } = hq;
      hq = open();
      store.close().subscribe();
    },
    connect: (agent = 'a1', clockOffsetMs = 0) => {
      const ts = clock.now();
      hq.store.noteEpoch({ agent, epoch: EPOCH, sampled: 0, released: 0, ts }).subscribe();
      hq.links.next({ kind: 'connected', agent, epoch: EPOCH, version: '9', ts, sampled: 0, clockOffsetMs });
    },
    append: (...frames: ReturnType<typeof dataFrame>[]) => hq.store.append(frames).subscribe(),
  };
}

function openNow(disk: ReturnType<typeof createMemoryDisk>, clock: VirtualClock): HqStore {
  const storage = createMemoryStorage({ disk });
  return now(openHqStore({ storage, clock, ids: seededIds(seededRandom(1)) }));
}

function startFleet(store: HqStore, clock: VirtualClock) {
  const links = new Subject<LinkEvent>();
  const chaos = new BehaviorSubject<Chaos>({ mode: 'off', enabled: true, effect: 'none', since: 0 });
  const deltas: FleetDelta[] = [];
  const started = { links, chaos, deltas, fleet: null as Fleet | null };
  createFleet({
    store,
    links$: links,
    chaos: { current: () => chaos.value, state$: state(chaos, chaos.value) },
    clock,
    hqVersion: '0.1.0',
  }).subscribe((fleet) => {
    started.fleet = fleet;
    fleet.delta$.subscribe((delta) => deltas.push(delta));
  });
  return started;
}
