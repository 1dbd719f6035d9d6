/** What one dashboard is sent while the fleet takes its time to say how it is. */
import { defer, Subject } from 'rxjs';
import { beforeEach, expect, it } from 'vitest';
import { createDashboardFeed, type DashboardPeer } from '../../src/hq/gateway/dashboard-feed.ts';
import type { FleetDelta, FleetSnapshot } from '../../src/protocol/api.ts';
import { StorageError } from '../../src/storage/storage.ts';
import { type VirtualClock, virtualClock } from './support/virtual-clock.ts';

const NO_TOTALS = {
  ...{ agents: 0, connected: 0, stored: 0, pending: 0, thinned: 0, dropped: 0 },
  ...{ samplesPerSecond: 0, bytesPerSecond: 0 },
};
const CHAOS = { mode: 'off', enabled: false, effect: 'none', since: 0 } as const;
const deltaOf = (ts: number): FleetDelta => ({
  ...{ ts, agents: [], totals: NO_TOTALS, chaos: CHAOS },
  ingest: [{ t: ts, samples: 1, bytes: 1 }],
});
const SNAPSHOT: FleetSnapshot = {
  ...{ ts: 0, hqVersion: '0', agents: [], totals: NO_TOTALS, chaos: CHAOS, chaosSpans: [], ingest: [] },
};

let clock: VirtualClock;
let asked: Subject<FleetSnapshot>[];
let sent: unknown[];
const delta$ = new Subject<FleetDelta>();

beforeEach(() => {
  clock = virtualClock();
  asked = [];
  sent = [];
});

function join() {
  const snapshot = () =>
    defer(() => {
      const question = new Subject<FleetSnapshot>();
      asked.push(question);
      return question;
    });
  const feed = createDashboardFeed({ fleet: { snapshot, delta$ }, clock, updateMs: 100, stallMs: 10_000 });
  const peer: DashboardPeer = {
    sendSnapshot: () => sent.push('snapshot'),
    sendDelta: ({ ingest }) => sent.push(ingest.map(({ t }) => t)),
    isFree: () => true,
    cut: () => sent.push('cut'),
  };
  feed.join(peer);
  return () => feed.leave(peer);
}

const answer = (index: number) => {
  asked[index]?.next(SNAPSHOT);
  asked[index]?.complete();
};

it('gets the snapshot first, and of the deltas those that come after it', () => {
  join();
  delta$.next(deltaOf(1));
  clock.pass(300);
  expect(sent).toEqual([]);
  answer(0);
  delta$.next(deltaOf(2));
  delta$.next(deltaOf(3));
  clock.pass(100);
  expect(sent).toEqual(['snapshot', [2, 3]]);
});

it('gets it at a later update when the store cannot say at first', () => {
  join();
  asked[0]?.error(new StorageError('io', 'not just now'));
  expect(asked).toHaveLength(1);
  clock.pass(100);
  answer(1);
  expect(sent).toEqual(['snapshot']);
});

it('gets nothing once it has left', () => {
  const leave = join();
  leave();
  answer(0);
  delta$.next(deltaOf(1));
  clock.pass(300);
  expect(sent).toEqual([]);
});
