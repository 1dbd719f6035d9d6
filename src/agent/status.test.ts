import { describe, expect, it } from 'vitest';
import type { DiskState } from '../protocol/events.ts';
import type { SourceStatus } from './pipeline/pipeline-types.ts';
import { type AgentStatus, unreadiness } from './status.ts';
import { journalStats } from './testing/journal-stats.ts';

function statusOf(change: {
  readonly state?: AgentStatus['state'];
  readonly disk?: DiskState;
  readonly failure?: string;
  readonly source?: SourceStatus['state'];
}): AgentStatus {
  const { state = 'live', disk = 'good', failure = null, source = { kind: 'running' } } = change;
  return {
    agent: 'edge',
    version: '1',
    hq: 'http://hq',
    way: null,
    dataDir: '/data',
    now: 100_000,
    startedTs: 0,
    state,
    journal: journalStats({ disk }),
    uplink: null,
    budget: null,
    forecast: { kind: 'unknown' },
    pipeline: {
      sources: [{ name: 'sim', samples: 1, lastTs: 1, state: source }],
      commit: { uncommitted: 0, committed: 1, discarded: 0, failure },
      degraded: false,
    },
    lagMs: 0,
    troubles: [],
  };
}

describe('an agent', () => {
  it.each<[string, Parameters<typeof statusOf>[0]]>([
    ['that samples', {}],
    ['without HQ', { state: 'offline' }],
    ['whose sources have ended', { source: { kind: 'ended' } }],
    ['on a full disk, as it still takes samples', { state: 'degraded', disk: 'full' }],
    ['without a disk, as it still takes samples', { state: 'degraded', disk: 'absent' }],
  ])('%s is ready', (_what, change) => {
    expect(unreadiness(statusOf(change))).toBeNull();
  });

  it.each<[string, Parameters<typeof statusOf>[0], string]>([
    ['whose sources have not begun', { state: 'starting', source: { kind: 'starting' } }, 'starting'],
    ['that stops', { state: 'stopping' }, 'stopping'],
    ['whose disk fails', { disk: 'failing' }, 'the last commit of the journal failed'],
    [
      'whose samples are not committed',
      { disk: 'failing', failure: 'read-only' },
      'the journal takes no samples: read-only',
    ],
    ['whose full disk takes none', { disk: 'full', failure: 'full' }, 'the journal takes no samples: full'],
  ])('%s is not, and says why', (_what, change, reason) => {
    expect(unreadiness(statusOf(change))).toBe(reason);
  });

  it('is not before its journal is open', () => {
    expect(unreadiness({ ...statusOf({ state: 'starting' }), journal: null })).toBe('starting');
  });
});
