import { describe, expect, test } from 'vitest';
import type { Chaos, FleetDelta, FleetSnapshot } from '../../protocol/api.ts';
import {
  type FleetState,
  freshnessOf,
  MAX_INGEST,
  MAX_TRAIL,
  NO_FLEET,
  reduceFleet,
  SILENT_MS,
} from './fleet-state.ts';
import type { ConnectionEvent } from './read-news.ts';
import { agent } from './testing/agent.ts';

const calm: Chaos = { mode: 'off', enabled: true, effect: 'none', since: 0 };
const totals = {
  agents: 0,
  connected: 0,
  stored: 0,
  pending: 0,
  thinned: 0,
  dropped: 0,
  samplesPerSecond: 0,
  bytesPerSecond: 0,
};
const point = (t: number) => ({ t, samples: 1, bytes: 1 });

const delta = (ts: number, changes: Partial<FleetDelta> = {}, at = ts): ConnectionEvent => ({
  kind: 'delta',
  delta: { ts, agents: [], totals, chaos: calm, ingest: [], ...changes },
  at,
});
const snapshot = (ts: number, changes: Partial<FleetSnapshot> = {}, at = ts): ConnectionEvent => ({
  kind: 'snapshot',
  snapshot: {
    ts,
    hqVersion: '0.1.0',
    agents: [],
    totals,
    chaos: calm,
    chaosSpans: [],
    ingest: [],
    ...changes,
  },
  at,
});
const reduced = (...events: readonly ConnectionEvent[]): FleetState => events.reduce(reduceFleet, NO_FLEET);

describe('agents', () => {
  test('stand in natural order, and the list stays the same object while nobody comes or goes', () => {
    const first = reduced(snapshot(0, { agents: [agent('edge-10'), agent('edge-9')] }));
    expect(first.ids).toEqual(['edge-9', 'edge-10']);
    const second = reduceFleet(first, delta(250, { agents: [agent('edge-9', { pending: 3 })] }));
    expect(second.ids).toBe(first.ids);
    expect(second.agents.get('edge-9')?.summary.pending).toBe(3);
    const third = reduceFleet(second, delta(500, { agents: [agent('edge-1')] }));
    expect(third.ids).toEqual(['edge-1', 'edge-9', 'edge-10']);
  });

  test('an agent that a delta does not name stays the same object', () => {
    const first = reduced(snapshot(0, { agents: [agent('a'), agent('b')] }));
    const second = reduceFleet(first, delta(250, { agents: [agent('a', { pending: 1 })] }));
    expect(second.agents.get('b')).toBe(first.agents.get('b'));
    expect(second.agents.get('a')).not.toBe(first.agents.get('a'));
  });

  test('a new snapshot forgets who is gone and keeps the trail of who is not', () => {
    const before = reduced(
      snapshot(0, { agents: [agent('a', { pending: 5 }), agent('b')] }),
      snapshot(2000, { agents: [agent('a', { pending: 7 })] }),
    );
    expect(before.ids).toEqual(['a']);
    expect(before.agents.get('a')?.trail.map(({ pending }) => pending)).toEqual([5, 7]);
  });

  test('the same number of other agents is another list', () => {
    const state = reduced(snapshot(0, { agents: [agent('a')] }), snapshot(1, { agents: [agent('b')] }));
    expect(state.ids).toEqual(['b']);
  });

  test('the trail takes one point a second and is bounded', () => {
    const deltas = Array.from({ length: 800 }, (_, index) =>
      delta(index * 250, { agents: [agent('a', { pending: index })] }),
    );
    const trail = reduced(snapshot(0), ...deltas).agents.get('a')?.trail ?? [];
    expect(trail).toHaveLength(MAX_TRAIL);
    expect(trail.at(-1)).toEqual({ t: 199_000, pending: 796 });
  });

  test('a delta before the first snapshot says nothing', () => {
    expect(reduced(delta(0, { agents: [agent('a')] }))).toEqual(NO_FLEET);
  });
});

describe('ingest', () => {
  test('points are appended once and bounded', () => {
    const state = reduced(
      snapshot(0, { ingest: [point(1000), point(2000)] }),
      delta(3000, { ingest: [point(2000), point(3000)] }),
    );
    expect(state.ingest.map(({ t }) => t)).toEqual([1000, 2000, 3000]);
    const many = Array.from({ length: 900 }, (_, index) => point(4000 + index));
    expect(reduceFleet(state, delta(9000, { ingest: many })).ingest).toHaveLength(MAX_INGEST);
  });
});

describe('chaos', () => {
  test('each effect is a span that ends when the next begins', () => {
    const down: Chaos = { mode: 'down', enabled: true, effect: 'down', since: 1000 };
    const state = reduced(
      snapshot(0),
      delta(1100, { chaos: down }),
      delta(1350, { chaos: down }),
      delta(5000, { chaos: { ...calm, since: 4900 } }),
    );
    expect(state.chaosSpans).toEqual([{ effect: 'down', from: 1000, to: 4900 }]);
    const spans = [{ effect: 'slow' as const, from: 9000, to: null }];
    const slow = { ...calm, effect: 'slow' as const, since: 9000 };
    const told = [snapshot(9500, { chaos: slow, chaosSpans: spans }), delta(9750, { chaos: slow })];
    expect(told.reduce(reduceFleet, state).chaosSpans, 'HQ knows better').toEqual(spans);
  });
});

describe("HQ's clock", () => {
  test('is taken from the least delayed message, and a jump is followed', () => {
    expect(reduced(snapshot(10_000, {}, 50), delta(10_250, {}, 290)).hqOffset).toBe(9960);
    expect(reduced(snapshot(10_000, {}, 50), delta(10_250, {}, 400)).hqOffset).toBe(9950);
    expect(reduced(snapshot(10_000, {}, 50), delta(5000, {}, 300)).hqOffset).toBe(4700);
  });
});

describe('freshness', () => {
  const up: ConnectionEvent = { kind: 'link', link: 'up' };
  const down: ConnectionEvent = { kind: 'link', link: 'down' };
  const live = reduced(up, snapshot(0, {}, 100));

  test('live while HQ speaks, stale when it is silent', () => {
    expect(freshnessOf(live, 100 + SILENT_MS)).toEqual({ kind: 'live' });
    expect(freshnessOf(live, 101 + SILENT_MS)).toEqual({
      kind: 'stale',
      ageMs: SILENT_MS + 1,
      because: 'silent',
    });
  });

  test('stale from the moment that the connection is gone until HQ speaks again', () => {
    const gone = reduceFleet(live, down);
    expect(freshnessOf(gone, 2100)).toEqual({ kind: 'stale', ageMs: 2000, because: 'disconnected' });
    const again = [up, snapshot(3000, {}, 3000)].reduce(reduceFleet, gone);
    expect(freshnessOf(again, 3000)).toEqual({ kind: 'live' });
  });

  test('connecting before the first message, unauthorized when refused', () => {
    expect(freshnessOf(NO_FLEET, 0)).toEqual({ kind: 'connecting' });
    expect(freshnessOf(reduced({ kind: 'unauthorized', message: 'no' }), 0)).toEqual({
      kind: 'unauthorized',
    });
  });

  test('a message that is not understood is said, and forgotten with the next good one', () => {
    const odd = reduceFleet(live, { kind: 'damaged', detail: 'agents: wrong' });
    expect(odd.damaged).toBe('agents: wrong');
    expect(reduceFleet(odd, delta(500)).damaged).toBeNull();
  });
});
