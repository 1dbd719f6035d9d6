import { describe, expect, it } from 'vitest';
import type { DiskState } from '../../protocol/events.ts';
import type { AgentStatus } from '../status.ts';
import { journalStats } from '../testing/journal-stats.ts';
import { escapeHtml, renderStatusPage } from './status-page.ts';

const status: AgentStatus = {
  agent: 'edge',
  version: '1',
  hq: 'http://hq/"><script>alert(1)</script>',
  dataDir: '/data',
  now: 100_000,
  startedTs: 0,
  state: 'offline',
  journal: null,
  uplink: null,
  budget: null,
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
