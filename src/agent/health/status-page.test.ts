import { describe, expect, it } from 'vitest';
import type { DiskState } from '../../protocol/events.ts';
import type { AgentStatus } from '../status.ts';
import { journalStats } from '../testing/journal-stats.ts';
import { escapeHtml, renderStatusPage } from './status-page.ts';

const status: AgentStatus = {
  agent: 'edge',
  version: '1',
  hq: 'http://hq/"><script>alert(1)</script>',
  way: {
    of: 2,
    taken: { index: 1, url: 'http://sat', maxLane: 'live' },
    failing: [
      { way: { index: 0, url: 'http://cheap', maxLane: 'backlog' }, reason: 'no <b>', since: 40_000 },
    ],
  },
  dataDir: '/data',
  now: 100_000,
  startedTs: 0,
  state: 'offline',
  journal: null,
  uplink: null,
  budget: null,
  forecast: { kind: 'unknown' },
  pipeline: null,
  lagMs: 0,
  troubles: [{ ts: 40_000, what: 'No link to HQ', detail: '<img src=x onerror=alert(1)>' }],
};

describe('renderStatusPage', () => {
  it('shows nothing as HTML that came from outside', () => {
    const page = renderStatusPage(status);
    expect(page).not.toMatch(/<script|<img/);
    expect(page).toContain('60 s ago');
    expect(page).toContain('offline');
  });
});

describe('the ways to HQ', () => {
  it('are shown with the better ones that do not work, since when, and why', () => {
    const uplink = {
      phase: 'online',
      reason: null,
      retryAt: null,
      attempt: 0,
      connection: 1,
      breaker: 'closed',
      paused: null,
      rttMs: null,
      clockOffsetMs: null,
      live: 0,
      backlog: 0,
      behind: false,
      link: null,
    } as const;
    const page = renderStatusPage({ ...status, uplink });
    expect(page).toContain('2 of 2, for live samples only');
    expect(page).toContain('<th>Way 1</th><td>http://cheap does not work, for 60 s: no &#60;b&#62;</td>');
  });
});

describe('the state of the disk', () => {
  it.each<[DiskState, string]>([
    ['good', 'good'],
    ['full', 'full: the journal keeps within the room that there is'],
    ['failing', 'failing: read-only; 40 samples wait in memory'],
    ['absent', 'cannot be written: samples are kept in memory only'],
  ])('is shown: %s', (disk, text) => {
    const commit = { uncommitted: 40, committed: 0, discarded: 0, failure: 'read-only' };
    const pipeline = { sources: [], commit, degraded: true };
    const page = renderStatusPage({ ...status, journal: journalStats({ disk }), pipeline });
    expect(page).toContain(`<tr><th>Disk</th><td>${text}</td></tr>`);
  });
});

describe('escapeHtml', () => {
  it('escapes what means something in HTML', () => {
    expect(escapeHtml(`<a b="c" d='e'>&`)).toBe('&#60;a b=&#34;c&#34; d=&#39;e&#39;&#62;&#38;');
  });
});

describe('the link', () => {
  const span = (used: number, limit: number | null) => ({
    used,
    limit,
    left: limit === null ? null : limit - used,
  });
  const uplink: AgentStatus['uplink'] = {
    phase: 'online',
    reason: null,
    retryAt: null,
    attempt: 0,
    connection: 1,
    breaker: 'closed',
    paused: null,
    rttMs: 650,
    clockOffsetMs: null,
    live: 1,
    backlog: 2,
    behind: true,
    link: { rateBytesPerSecond: 8_000, minRttMs: 602, queueMs: 31.4, inFlightBytes: 7_400 },
  };
  const rowsOf = (change: Partial<AgentStatus>) => {
    const page = renderStatusPage({ ...status, uplink, ...change });
    return new Map(
      [...page.matchAll(/<tr><th>([^<]*)<\/th><td>([^<]*)<\/td><\/tr>/g)].map(([, name = '', text = '']) => [
        name,
        text,
      ]),
    );
  };

  it('is shown as it is estimated', () => {
    const rows = rowsOf({ forecast: { kind: 'in', ms: 600_000, lowMs: 480_000, highMs: 900_000 } });
    expect(rows.get('Estimated rate')).toBe('7.8 KiB/s (64 kbit/s)');
    expect(rows.get('Least round trip')).toBe('602.0 ms');
    expect(rows.get('Queueing delay')).toBe('31.4 ms');
    expect(rows.get('Bytes in flight')).toBe('7.2 KiB');
    expect(rows.get('Caught up')).toBe('in 10 min (8 min to 15 min)');
  });

  it.each<[AgentStatus['forecast'], string]>([
    [{ kind: 'caught_up' }, 'yes'],
    [{ kind: 'unknown' }, 'not known yet'],
    [{ kind: 'never' }, 'never at this rate: as much is sampled as is delivered'],
    [{ kind: 'in', ms: 45_000, lowMs: null, highMs: null }, 'in 45 s'],
    [{ kind: 'in', ms: 45_000, lowMs: 40_000, highMs: null }, 'in 45 s (40 s or more)'],
  ])('has the forecast %o', (forecast, text) => {
    expect(rowsOf({ forecast }).get('Caught up')).toBe(text);
  });

  it('shows what it carried, what the budget has left, and why something waits', () => {
    const rows = rowsOf({
      budget: {
        phase: 'live_only',
        why: 'live_first',
        until: Date.UTC(2026, 10, 29),
        day: span(512 * 1024, 1024 ** 2),
        month: span(3 * 1024 ** 2, null),
        liveRate: 100,
      },
    });
    expect(rows.get('Waits')).toBe(
      'backlog waits, for the rest of the data budget is for live samples, until 2026-11-29T00:00:00Z',
    );
    expect(rows.get('Carried today')).toBe('512.0 KiB of 1.0 MiB, 512.0 KiB left');
    expect(rows.get('Carried this month')).toBe('3.0 MiB');
  });
});
