/**
 * Figures that no clock and no sensor gives, as a store of an earlier version may hold them: every card is drawn all
 * the same. HQ is a real one; what it says is bent on its way to the browser.
 */
import type { Page, WebSocketRoute } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { AgentSummary, AnomalyDocument, LedgerEntry, SeriesDocument } from '../../src/protocol/api.ts';
import type { Bucket } from '../../src/protocol/bucket.ts';
import { browse, buildDashboard, canBrowse } from '../support/chromium.ts';
import { built } from '../support/holdfast.ts';
import { startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';

const LATE = 2 ** 53 - 1;
const EARLY = -8.7e15;
/** The largest count that a message may have. */
const MOST = 2 ** 48 - 1;
/** Half of a surrogate pair: no address can hold it. */
const HALF = 'half\ud800';

const ANOMALIES: readonly AnomalyDocument[] = [LATE, EARLY, 0].map((ts) => ({
  ...{ series: `${HALF}{mountpoint=/}`, source: HALF, unit: HALF, state: 'open', startTs: ts, endTs: null },
  ...{ peakTs: ts, peakValue: 'NaN', peakZ: 'Infinity', mean: 1e308, stddev: -1, threshold: 1e-320 },
}));
const SERIES: readonly SeriesDocument[] = [LATE, EARLY].map((ts, index) => ({
  ...{
    series: `${HALF}{mountpoint=/}`,
    name: HALF,
    attributes: { mountpoint: '/' },
    unit: ['', 's'][index] ?? '',
  },
  ...{ source: `${HALF}${index}`, firstTs: ts, lastTs: ts },
}));
const GAPS: readonly LedgerEntry[] = [
  {
    ...{ epoch: HALF, sampled: LATE, stored: 0, pending: 0, thinned: {}, dropped: { [HALF]: LATE } },
    ...{ contiguous: MOST, ranges: [[1, MOST]] },
    gaps: [{ firstSeq: 1, lastSeq: LATE, reason: HALF, fromTs: EARLY, toTs: LATE }],
  },
];

/** Buckets of the span that is asked for, some of them beyond it or of no time at all. */
function bucketsOf(url: string): readonly Bucket[] {
  const from = Number(new URL(url).searchParams.get('from'));
  const values = [5e-324, 1e308, 'NaN', -1e308, '-Infinity', 0] as const;
  const within = values.map((mean, index) => ({
    t: from + index * 1000,
    count: 1,
    min: mean,
    max: mean,
    mean,
  }));
  return [
    { t: EARLY, count: 1, min: 0, max: 0, mean: 0 },
    ...within,
    { ...within[0], t: LATE, until: LATE } as Bucket,
  ];
}

const SUMMARY: Partial<AgentSummary> = {
  ...{ epoch: 'ab12cd34ef56', connected: true, state: 'live', connectedSince: EARLY, stateSince: LATE },
  ...{ heardTs: LATE, deliversEveryMs: 1e300, lastSampleTs: LATE, lastArrivalTs: EARLY, lagMs: 1e300 },
  ...{
    clockOffsetMs: -1e308,
    rttMs: 5e-324,
    samplesPerSecond: 1e308,
    sampled: LATE,
    stored: -1,
    pending: LATE,
  },
  ...{ pendingBytes: 1e308, completeness: -1, version: HALF },
  alarm: { kind: 'clock_ahead', since: LATE, detail: HALF },
  link: {
    ...{
      rate: 1e308,
      minRttMs: 5e-324,
      queueMs: 1e308,
      bytesToday: MOST,
      budgetLeft: MOST,
      caughtUpMs: 1e308,
    },
    ...{
      caughtUpLowMs: 0,
      caughtUpHighMs: 1e308,
      live: MOST,
      backlog: 0,
      paused: HALF,
      pausedUntil: 8.64e15,
    },
  },
};

async function bendAnswers(page: Page): Promise<void> {
  const answer = (path: RegExp, items: (url: string) => unknown) =>
    page.route(path, (route) =>
      route.fulfill({ json: { items: items(route.request().url()), cursor: null } }),
    );
  await answer(/\/anomalies\?/, () => ANOMALIES);
  await answer(/\/odd\/series\?/, () => SERIES);
  await answer(/\/odd\/ledger\?/, () => GAPS);
  await answer(/\/odd\/query\?/, bucketsOf);
}

/** Every agent in what HQ tells its dashboards. */
function bendNews(socket: WebSocketRoute): void {
  const server = socket.connectToServer();
  server.onMessage((message) => {
    const text = String(message);
    const start = text.indexOf('[');
    if (!text.startsWith('42') || start < 0) return socket.send(message);
    const [event, news] = JSON.parse(text.slice(start)) as [string, { agents: AgentSummary[] }];
    const agents = news.agents.map((summary) => ({ ...summary, ...SUMMARY }));
    socket.send(`${text.slice(0, start)}${JSON.stringify([event, { ...news, agents }])}`);
  });
}

describe.skipIf(!canBrowse)(canBrowse ? 'dashboard' : 'skipped: needs chromium', () => {
  test('draws every card whatever HQ says', async () => {
    const folder = temporaryFolder();
    await buildDashboard(`${folder}/dashboard`);
    const hq = await startHqProcess(`${folder}/hq`, {
      ...built,
      args: ['--dashboard-dir', `${folder}/dashboard`],
    });
    const posted = await fetch(`${hq.url}/telemetry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agent: 'odd', timestamp: Date.now(), metrics: { level: 4 } }),
    });
    expect(posted.status).toBe(202);
    const { page, complaints, shoot } = await browse();
    await bendAnswers(page);
    await page.routeWebSocket(/socket\.io/, bendNews);
    const failed = () =>
      page.getByText(/cannot be shown|The dashboard failed|not understood/).allTextContents();

    await page.goto(hq.url);
    await page.locator('tr[data-agent]').first().waitFor();
    await page.locator('.banner').getByText('dated in the future').waitFor();
    expect(await failed()).toEqual([]);
    await shoot('odd-fleet', { fullPage: true });

    await page.goto(`${hq.url}/#/agents/odd`);
    await page.locator('.series canvas').nth(1).waitFor();
    await page.locator('.records tbody tr').nth(3).waitFor();
    for (const range of ['1 h', '6 h', '24 h', '5 min']) {
      await page.getByRole('radio', { name: range }).click();
      await page.locator('.series canvas').nth(1).waitFor();
      expect(await failed(), range).toEqual([]);
    }
    await shoot('odd-agent', { fullPage: true });
    await page.goto(`${hq.url}/#/agents/odd?from=253402300790000&to=253402300799999`);
    await page.getByRole('button', { name: 'Back to now' }).waitFor();
    await page.locator('.series canvas').nth(1).waitFor();
    expect(await failed()).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
