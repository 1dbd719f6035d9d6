import { expect, it } from 'vitest';
import type { Heartbeat } from '../../protocol/events.ts';
import { applyLink, createAgentEntry, summaryOf } from './agent-entry.ts';

const EPOCH = '0123456789ab';
const NUMBERS = {
  counts: { sampled: 9, stored: 4, pending: 5, thinned: 0, dropped: 0 },
  anomalies: { open: 0, total: 0 },
  seriesCount: 1,
};

it('says since when its state holds, and when it was last heard of', () => {
  const entry = createAgentEntry('a1', EPOCH);
  let now = 1_000;
  const shown = () => {
    entry.summary = summaryOf(entry, NUMBERS, { mono: now, now, labels: {} });
    const { state, stateSince, heardTs } = entry.summary;
    return { state, stateSince, heardTs };
  };
  const says = (state: Heartbeat['state']) =>
    applyLink(
      entry,
      {
        kind: 'heartbeat',
        agent: 'a1',
        clockOffsetMs: 0,
        ts: now,
        heartbeat: {
          ...{ ts: now, state, breaker: 'closed', sampled: 9, released: 0, pending: 5, pendingBytes: 0 },
          ...{ dropped: {}, lagMs: 0, rttMs: 7 },
        },
      },
      now,
    );
  expect(shown(), 'HQ has found it so').toEqual({ state: 'unknown', stateSince: null, heardTs: null });
  now = 2_000;
  const hello = { agent: 'a1', epoch: EPOCH, version: '0', ts: now, sampled: 9, clockOffsetMs: 0 };
  applyLink(entry, { kind: 'connected', ...hello }, now);
  expect(shown()).toEqual({ state: 'starting', stateSince: 2_000, heardTs: 2_000 });
  now = 3_000;
  says('live');
  expect(shown()).toEqual({ state: 'live', stateSince: 3_000, heardTs: 3_000 });
  expect(entry.summary?.rttMs).toBe(7);
  now = 4_000;
  says('live');
  expect(shown()).toEqual({ state: 'live', stateSince: 3_000, heardTs: 4_000 });
  now = 9_000;
  applyLink(entry, { kind: 'disconnected', agent: 'a1', reason: 'gone', ts: now }, now);
  expect(shown()).toEqual({ state: 'offline', stateSince: 9_000, heardTs: 4_000 });
  expect(entry.summary?.rttMs, 'of a link that is gone').toBeNull();
});
