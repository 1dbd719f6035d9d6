import { expect, it } from 'vitest';
import { EMPTY_COVERAGE } from '../../protocol/coverage.ts';
import type { AgentState } from '../../protocol/events.ts';
import { encodeGap, readHeader } from '../../protocol/frame-codec.ts';
import { applyAppended, applyLink, createAgentEntry, summaryOf } from './agent-entry.ts';

const EPOCH = '0123456789ab';

function agent() {
  const entry = createAgentEntry('a1', EPOCH);
  let pending = 5;
  const connect = () =>
    applyLink(
      entry,
      { kind: 'connected', agent: 'a1', epoch: EPOCH, version: '0', ts: 1, sampled: 5, clockOffsetMs: 0 },
      0,
    );
  const says = (state: AgentState) =>
    applyLink(
      entry,
      {
        kind: 'heartbeat',
        agent: 'a1',
        clockOffsetMs: 0,
        ts: 2,
        heartbeat: {
          ...{ ts: 2, state, breaker: 'closed', sampled: 5, released: 0, pending, pendingBytes: 0 },
          ...{ dropped: {}, lagMs: 0, rttMs: null },
        },
      },
      0,
    );
  const bytes = encodeGap({ epoch: EPOCH, firstSeq: 1, count: 1, reason: 'rejected', tsMin: 1, tsMax: 1 });
  const delivers = (lane: 'live' | 'backlog', left: number) => {
    pending = left;
    applyAppended(
      entry,
      {
        frame: { agent: 'a1', lane, bytes, header: readHeader(bytes), arrivalTs: 3 },
        outcome: { stored: 1, duplicates: 0, thinned: 0, dropped: 0, coverage: EMPTY_COVERAGE },
      },
      { now: 3, mono: 0, maxAheadMs: 1000 },
    );
  };
  const counts = () => ({ sampled: 5, stored: 5 - pending, pending, thinned: 0, dropped: 0 });
  const state = () =>
    summaryOf(entry, { counts: counts(), anomalies: { open: 0, total: 0 }, seriesCount: 1 }, 0).state;
  return { entry, connect, says, delivers, state };
}

it('is starting until it delivers or says otherwise', () => {
  const { connect, says, delivers, state } = agent();
  connect();
  expect(state()).toBe('starting');
  says('starting');
  expect(state()).toBe('starting');
  delivers('live', 0);
  expect(state()).toBe('live');
  says('degraded');
  expect(state()).toBe('degraded');
});

it('that has not said yet how it is after HQ came back delivers, or catches up', () => {
  const { connect, says, delivers, state } = agent();
  connect();
  delivers('live', 4);
  expect(state()).toBe('live');
  delivers('backlog', 3);
  expect(state()).toBe('catching-up');
  delivers('backlog', 0);
  expect(state()).toBe('live');
  says('live');
  connect();
  // What came over the connection before tells nothing of this one.
  expect(state()).toBe('starting');
});
