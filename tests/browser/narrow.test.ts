/**
 * What is easily cut or mixed up: figures and alarms on a phone, and two sources that measure series of one name; and
 * what is left of a page when one of its cards fails.
 */
import { io, type Socket } from 'socket.io-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { encodeSamples } from '../../src/protocol/frame-codec.ts';
import type { InternedSchema, Sample } from '../../src/protocol/sample.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';
import { violations } from '../support/axe.ts';
import { browse, buildDashboard, canBrowse, cutOff } from '../support/chromium.ts';
import { built } from '../support/holdfast.ts';
import { startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';

const EPOCH = 'ab12cd34ef56';

/** Every value of an agent's facts as long as it may well become. */
const LONGEST = {
  ts: Date.now(),
  state: 'catching-up',
  breaker: 'half-open',
  sampled: 123_456_789,
  released: 2,
  pending: 123_456_787,
  pendingBytes: 4_508_876_543,
  thinned: 45_678_901,
  dropped: { damaged: 65_536 },
  lagMs: 1_234_567_890,
  rttMs: 12_345,
  link: {
    rate: 320,
    minRttMs: 1_512,
    queueMs: 12_345,
    bytesToday: 1_234_567_890,
    bytesMonth: 123_456_789_012,
    budgetLeft: 123_456_789,
    caughtUpMs: 169_000_000,
    caughtUpLowMs: 104_400_000,
    caughtUpHighMs: 987_654_321,
    live: 12,
    backlog: 128,
  },
};

function anomalousSample(schema: InternedSchema, ts: number): Sample {
  const open = { series: 0, state: 'open', startTs: ts, peakTs: ts, peakValue: 9, peakZ: 9 } as const;
  const anomalies = [{ ...open, mean: 1, stddev: 1, endTs: null }];
  return { schema, ts, mono: 0, values: [9], anomalies, diagnostics: [] };
}

/** Twenty samples of each of two sources. */
async function postTwins(url: string, now: number): Promise<void> {
  const records = ['left', 'right'].flatMap((source, at) =>
    Array.from({ length: 20 }, (_, index) => ({
      agent: 'twins',
      source,
      timestamp: now - index * 1000,
      metrics: [{ name: 'level', value: at === 0 ? 10 : 70, unit: 'm' }],
    })),
  );
  const posted = await fetch(`${url}/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(records),
  });
  expect(posted.status).toBe(202);
}

/** An agent with an anomaly in each of two sources, and another that HQ refuses as a second one of its id. */
async function claimTwice(url: string, now: number): Promise<Socket> {
  const join = () => {
    const socket = io(`${url}/agents`, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
    });
    onTestFinished(() => void socket.disconnect());
    return socket;
  };
  const hello = { protocol: 1, schema: 1, agent: 'winch', epoch: EPOCH, version: '0.1.0' };
  const counts = { sampled: 0, released: 0, ts: now };
  const first = join();
  first.on('probe', (reply: (answer: unknown) => void) => reply({ instance: 'w1' }));
  await first.timeout(10_000).emitWithAck('hello', { ...hello, ...counts, instance: 'w1' });
  for (const [at, source] of ['left', 'right'].entries()) {
    const { ref, ...schema } = internSchema({
      source,
      boot: 'boot-1',
      series: [{ name: 'level', attributes: {}, unit: 'm' }],
    });
    await first.timeout(10_000).emitWithAck('schema', { ref, schema });
    const frame = encodeSamples({
      epoch: hello.epoch,
      firstSeq: at + 1,
      samples: [anomalousSample({ ...schema, ref }, now)],
    });
    await first.timeout(10_000).emitWithAck('frame', { lane: 'live' }, frame);
  }
  const refused: unknown = await join()
    .timeout(10_000)
    .emitWithAck('hello', { ...hello, ...counts, instance: 'w2' });
  expect(refused).toMatchObject({ error: { code: 'duplicate_agent' } });
  return first;
}

describe.skipIf(!canBrowse)(canBrowse ? 'dashboard' : 'skipped: needs chromium', () => {
  test('shows figures and alarms whole on a phone, and charts and anomalies of each source', async () => {
    const folder = temporaryFolder();
    await buildDashboard(`${folder}/dashboard`);
    const args = ['--dashboard-dir', `${folder}/dashboard`];
    const hq = await startHqProcess(`${folder}/hq`, { ...built, args });
    const now = Date.now();
    await postTwins(hq.url, now);
    const first = await claimTwice(hq.url, now);

    const { page, complaints, shoot } = await browse();
    await page.goto(hq.url);
    const figures = page.getByLabel('Fleet figures');
    await figures.getByText('agents · 1 by HTTP').waitFor();
    const option = page.locator('.banner code').getByText('--new-epoch', { exact: true });
    await option.waitFor();
    for (let width = 320; width <= 480; width += 8) {
      await page.setViewportSize({ width, height: 844 });
      expect(await cutOff(figures), `figures at ${width} px`).toEqual([]);
      const lines = await option.evaluate((one) => one.getClientRects().length);
      expect(lines, `lines of the option at ${width} px`).toBe(1);
    }
    await page.setViewportSize({ width: 400, height: 844 });
    await shoot('narrow', { fullPage: true });
    expect(await violations(page), 'with an alarm').toEqual([]);

    await page.setViewportSize({ width: 1360, height: 860 });
    await page.goto(`${hq.url}/#/agents/twins`);
    const values = page.locator('.series .series-value');
    for (const [source, value] of [
      ['left', '10'],
      ['right', '70'],
    ] as const) {
      const card = page.locator('.series', { has: page.getByTitle(`source ${source}`) });
      await card.locator('.series-value', { hasText: value }).waitFor();
    }
    expect(await values.count()).toBe(2);
    await page.locator('.agent-head').getByText('reporting').waitFor();
    expect(await page.getByLabel('Facts').textContent()).not.toContain('down');
    await page.getByLabel('Facts').locator('.fact', { hasText: 'Series2' }).waitFor();
    await shoot('sources', { fullPage: true });

    await first.timeout(10_000).emitWithAck('heartbeat', LONGEST);
    await page.goto(`${hq.url}/#/agents/winch`);
    await page
      .getByLabel('Facts')
      .getByText(/^1.d 22.h$/)
      .waitFor();
    for (const width of [320, 390, 480, 768, 1024, 1280, 1360, 1440, 1920]) {
      await page.setViewportSize({ width, height: 860 });
      for (const fact of await page.getByLabel('Facts').locator('.fact').all())
        expect(await cutOff(fact), `${await fact.textContent()} at ${width} px`).toEqual([]);
    }
    await page.setViewportSize({ width: 1280, height: 860 });
    await shoot('longest-facts', { fullPage: true });
    const names = page.locator('.records tbody .text-button');
    await names.getByText('level@right', { exact: true }).waitFor();
    expect((await names.allTextContents()).sort()).toEqual(['level@left', 'level@right']);
    expect(complaints).toEqual([]);

    const broken = await browse();
    await broken.page.addInitScript(breakAnomalies);
    await broken.page.goto(`${hq.url}/#/agents/winch`);
    const failure = 'Anomalies cannot be shown just now: broken by the test';
    await broken.page.getByRole('alert').getByText(failure).waitFor();
    await broken.page.getByLabel('Facts').getByText(EPOCH).waitFor();
    await broken.page.locator('.series .series-value').first().waitFor();
    await broken.shoot('broken-card', { fullPage: true });
    expect(await violations(broken.page), 'with a broken card').toEqual([]);
  });
});

/** Makes the card that sorts anomalies throw, in the page. */
function breakAnomalies(): void {
  const { toSorted } = Array.prototype;
  Array.prototype.toSorted = function (...given) {
    if (this[0]?.peakZ !== undefined) throw new Error('broken by the test');
    return toSorted.apply(this, given);
  };
}
