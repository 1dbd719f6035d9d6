import { describe, it } from 'vitest';
import { type PauseChange, pauseChanges } from '../../src/hq/aggregate/pauses.ts';
import type { LinkEvent } from '../../src/hq/ingest/core/link-event.ts';
import type { LinkReport } from '../../src/protocol/events.ts';
import { marbles } from '../marbles.ts';

const HEARTBEAT = {
  ts: 0,
  state: 'live',
  breaker: 'closed',
  sampled: 0,
  released: 0,
  pending: 0,
  pendingBytes: 0,
  dropped: {},
  lagMs: 0,
  rttMs: null,
} as const;
const IDLE: LinkReport = { rate: null, minRttMs: null, queueMs: null, live: 0, backlog: 0 };

function heard(agent: string, link?: LinkReport): LinkEvent {
  const heartbeat = link === undefined ? HEARTBEAT : { ...HEARTBEAT, link };
  return { kind: 'heartbeat', agent, heartbeat, clockOffsetMs: 0, ts: 0 };
}

describe('pauseChanges', () => {
  it('tells of each agent when it begins to wait, why, and when it goes on', () => {
    const events: Record<string, LinkEvent> = {
      a: heard('a', IDLE),
      b: heard('a', { ...IDLE, paused: 'window', pausedUntil: 7 }),
      c: heard('a'),
      d: heard('b', { ...IDLE, paused: 'window' }),
      e: heard('a', { ...IDLE, paused: 'budget_day', pausedUntil: 9 }),
      f: heard('a', IDLE),
      g: { kind: 'disconnected', agent: 'b', reason: 'gone', ts: 1 },
    };
    const changes: Record<string, PauseChange> = {
      b: { agent: 'a', reason: 'window', until: 7 },
      d: { agent: 'b', reason: 'window', until: null },
      e: { agent: 'a', reason: 'budget_day', until: 9 },
      f: { agent: 'a', reason: null, until: null },
    };
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold('a-b-c-b-d-e-g-f-f|', events).pipe(pauseChanges)).toBe(
        '--b-----d-e---f--|',
        changes,
      );
    });
  });

  it('ends and fails with its source', () => {
    marbles(({ cold, expectObservable }) => {
      expectObservable(pauseChanges(cold<LinkEvent>('--#'))).toBe('--#');
      expectObservable(pauseChanges(cold<LinkEvent>('--|'))).toBe('--|');
      expectObservable(pauseChanges(cold<LinkEvent>('-'))).toBe('-');
    });
  });

  it('lets go of its source', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('a--', { a: heard('a', IDLE) });
      expectObservable(pauseChanges(source), '^-!');
      expectSubscriptions(source.subscriptions).toBe('^-!');
    });
  });
});
