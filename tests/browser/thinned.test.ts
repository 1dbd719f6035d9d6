/**
 * What the dashboard shows of an agent whose journal was full: thinned ranges, apart from what is whole and from what
 * is lost.
 */
import type { Page } from 'playwright-core';
import { io } from 'socket.io-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  bucketsOf,
  coarsen,
  decodeData,
  encodeDownsampled,
  encodeSamples,
} from '../../src/protocol/frame-codec.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';
import { browse, buildDashboard, canBrowse, cutOff } from '../support/chromium.ts';
import { built } from '../support/holdfast.ts';
import { startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const EPOCH = 'ab12cd34ef56';
const schema = internSchema({
  source: 'winch',
  boot: 'boot-1',
  series: [
    { name: 'winch.load', attributes: {}, unit: 'kN' },
    { name: 'system.network.io', attributes: { device: 'eth0' }, unit: 'By' },
  ],
});

/** One sample a second, up to now. */
function samplesOf(first: number, last: number, start: number) {
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const seq = first + index;
    const noise = (((seq * 7919) % 101) - 50) / 100;
    const load = Math.round((40 + 22 * Math.sin(seq / 260) + 6 * noise) * 100) / 100;
    return {
      schema,
      ts: start + seq * 1000,
      mono: seq * 1000,
      values: [load, seq * 1500 + (seq % 60) * 200],
      anomalies: [],
      diagnostics: [],
    };
  });
}
function frameOf(first: number, last: number, { start, window }: { start: number; window: number }) {
  const whole = encodeSamples({ epoch: EPOCH, firstSeq: first, samples: samplesOf(first, last, start) });
  if (window === 1) return whole;
  const groups = coarsen(bucketsOf(decodeData(whole)), { window, apart: true });
  return encodeDownsampled({ epoch: EPOCH, firstSeq: first, count: last - first + 1, groups });
}

/** The colour that most of a chart's plot has between two shares of its width. */
const ground = (page: Page, from: number, to: number): Promise<string> =>
  page
    .locator('.series canvas')
    .first()
    .evaluate(
      (canvas, [left, right]) => {
        if (!(canvas instanceof HTMLCanvasElement)) return '';
        const context = canvas.getContext('2d');
        const x = Math.round(canvas.width * (left ?? 0));
        const width = Math.round(canvas.width * ((right ?? 1) - (left ?? 0)));
        const { data } = context?.getImageData(x, 20, width, canvas.height - 60) ?? { data: [] };
        const counts = new Map<string, number>();
        for (let at = 0; at < data.length; at += 4) {
          const colour = data.slice(at, at + 4).join(' ');
          counts.set(colour, (counts.get(colour) ?? 0) + 1);
        }
        return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? '';
      },
      [from, to],
    );

describe.skipIf(!canBrowse)(canBrowse ? 'dashboard' : 'skipped: needs chromium', () => {
  test('shows what came thinned as such', async () => {
    const folder = temporaryFolder();
    await buildDashboard(`${folder}/dashboard`);
    const args = ['--dashboard-dir', `${folder}/dashboard`];
    const hq = await startHqProcess(`${folder}/hq`, { ...built, args });
    const socket = io(`${hq.url}/agents`, { transports: ['websocket'], reconnection: false, forceNew: true });
    onTestFinished(() => void socket.disconnect());
    const ask = async (event: string, ...args: unknown[]) => {
      const reply: unknown = await socket.timeout(10_000).emitWithAck(event, ...args);
      expect(reply).toMatchObject({ ok: true });
    };
    const now = Date.now();
    const hello = { protocol: 1, schema: 1, agent: 'winch', epoch: EPOCH, instance: 'w1', version: '0.1.0' };
    await ask('hello', { ...hello, sampled: 3300, released: 0, ts: now });
    const { ref, ...content } = schema;
    await ask('schema', { ref, schema: content });
    const start = now - 3300 * 1000;
    const pieces = [
      [1, 1024, 128],
      [1025, 2048, 32],
      [2049, 2300, 1],
      [2301, 3300, 1],
    ] as const;
    for (const [first, last, window] of pieces) {
      await ask('frame', { lane: 'backlog' }, frameOf(first, last, { start, window }));
    }
    await ask('heartbeat', {
      ...{ ts: Date.now(), state: 'catching-up', breaker: 'closed', sampled: 3400, released: 0 },
      ...{ pending: 100, pendingBytes: 900, thinned: 64, dropped: {}, lagMs: 0, rttMs: 2 },
    });

    const { page, complaints, shoot } = await browse({ expected: /willReadFrequently/ });
    await page.goto(hq.url);
    const row = page.locator('tr[data-agent=winch]');
    await row.locator('.pending[title^="100 samples, 64 of them thinned"]').waitFor();
    // (1252 whole + 2048 thinned) of 3400.
    expect((await row.locator('.share').getAttribute('title')) ?? '').toMatch(/^60.*of it thinned$/);
    expect(await row.locator('.share').textContent()).toMatch(/^97\D/);
    expect(await row.locator('[data-label=Dropped]').textContent()).toBe('0');
    const figures = page.getByLabel('Fleet figures');
    await figures.getByText(/complete · 2,048 thinned/).waitFor();
    await figures.getByText('nothing is lost').waitFor();
    for (const width of [400, 340]) {
      await page.setViewportSize({ width, height: 844 });
      expect(await cutOff(figures), `figures at ${width} px`).toEqual([]);
    }
    await page.setViewportSize({ width: 400, height: 844 });
    await shoot('thinned-phone', { fullPage: true });
    await page.setViewportSize({ width: 1360, height: 860 });

    await page.goto(`${hq.url}/#/agents/winch?range=1h`);
    await page.locator('.series [role=img][aria-label*="gaps: 0, thinned: 1,"]').first().waitFor();
    await page.getByText('min, max, mean are left').first().waitFor();
    await page.getByText('rate of the means').waitFor();
    const fact = page.locator('.fact', { has: page.locator('dt', { hasText: /^Thinned$/ }) });
    expect(await fact.locator('dd').textContent()).toBe('2,048');
    await page.getByText('holds', { exact: true }).waitFor();
    expect(await page.locator('[data-label=Thinned]').textContent()).toBe('2,048 overflow');
    expect(await page.locator('[data-label=Dropped]').textContent()).toBe('0');
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await until(`a ${colorScheme} chart whose thinned part is shaded`, async () => {
        const [thinned, whole] = [await ground(page, 0.25, 0.5), await ground(page, 0.75, 0.95)];
        return thinned !== '' && thinned !== whole;
      });
      await shoot(`thinned-${colorScheme}`, { fullPage: true });
    }
    expect(complaints).toEqual([]);
  });
});
