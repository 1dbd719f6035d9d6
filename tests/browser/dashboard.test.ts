/** The dashboard in a real browser, against a real HQ and real agents. */
import type { Locator, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { type Browsing, browse, buildDashboard, canBrowse } from '../support/chromium.ts';
import { built } from '../support/holdfast.ts';
import { getJson, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const AGENTS = ['crane', 'mast', 'pump'] as const;
const SOURCES = ['sim:hz=10,sensors=2,seed=7'];

type Row = {
  readonly id: string;
  readonly state: string;
  readonly pending: number;
  readonly complete: string;
};

/** The fleet table as a person reads it. */
const rows = (page: Page): Promise<readonly Row[]> =>
  page.locator('tr[data-agent]').evaluateAll((elements) =>
    elements.map((row) => ({
      id: row.getAttribute('data-agent') ?? '',
      state: row.querySelector('.cell-state')?.textContent ?? '',
      pending: Number((row.querySelector('.pending-text > span')?.textContent ?? '').replaceAll(',', '')),
      complete: (row.querySelector('.share')?.textContent ?? '').replaceAll('\u00a0', ' '),
    })),
  );

async function untilRows(page: Page, what: string, holds: (row: Row) => boolean): Promise<readonly Row[]> {
  let seen: readonly Row[] = [];
  try {
    return await until(what, async () => {
      seen = await rows(page);
      return seen.length === AGENTS.length && seen.every(holds) ? seen : null;
    });
  } catch (error) {
    throw new Error(`${what}: seen was ${JSON.stringify(seen)}`, { cause: error });
  }
}

/** Whether a chart's canvas has something on it. */
const isDrawn = (page: Page): Promise<boolean> =>
  page
    .locator('.series canvas')
    .first()
    .evaluate((canvas) => {
      if (!(canvas instanceof HTMLCanvasElement)) return false;
      const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? {
        data: [],
      };
      return data.some((value) => value !== 0);
    });

/** Over the last third of a chart. */
async function drag(page: Page, chart: Locator): Promise<void> {
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.boundingBox();
  if (box === null) throw new Error('the chart is not shown');
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.65, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, y, { steps: 4 });
  await page.mouse.move(box.x + box.width * 0.98, y, { steps: 4 });
  await page.mouse.up();
}

/** Chooses a stretch of time in a chart of the agent page, and goes back: by the browser, and by the button. */
async function zoomAndBack(page: Page, shoot: Browsing['shoot']): Promise<void> {
  await drag(page, page.locator('.series .u-over').first());
  await page.getByRole('button', { name: 'Back to now' }).waitFor();
  expect(page.url()).toMatch(/from=\d+&to=\d+/);
  await page.locator('.series [role=img][aria-label*=" from "]').nth(1).waitFor();
  await shoot('zoom', { fullPage: true });
  await page.goBack();
  await page.getByRole('button', { name: 'Back to now' }).waitFor({ state: 'detached' });
  await drag(page, page.locator('.series .u-over').first());
  await page.getByRole('button', { name: 'Back to now' }).click();
  await page.locator('.series [role=img][aria-label*="last 5m"]').first().waitFor();
  expect(page.url()).not.toContain('from=');
}

const overflowOf = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

describe.skipIf(!canBrowse)(canBrowse ? 'dashboard' : 'skipped: needs chromium', () => {
  test('shows the link cut, the journals grow and the gaps fill', async () => {
    const folder = temporaryFolder();
    await buildDashboard(`${folder}/dashboard`);
    const hq = await startHqProcess(`${folder}/hq`, {
      ...built,
      args: ['--chaos-enabled', '--dashboard-dir', `${folder}/dashboard`],
    });
    const { page, complaints, hosts, shoot } = await browse();
    const paths = new Set<string>();
    page.on('request', (request) => paths.add(new URL(request.url()).pathname));

    await page.goto(hq.url);
    await page.getByText('No agent yet').waitFor();
    await shoot('empty');
    for (const id of AGENTS)
      startAgentProcess({ id, hq: hq.url, dataDir: `${folder}/${id}`, sources: SOURCES, ...built });

    const live = await untilRows(page, 'three live agents', ({ state }) => state === 'live');
    expect(live.map(({ id }) => id)).toEqual(AGENTS);
    await shoot('live');

    await page.getByRole('radio', { name: 'down' }).check();
    await page.getByText('Link cut').waitFor();
    const cut = await untilRows(page, 'pending to grow', ({ pending }) => pending >= 20);
    const before = new Map(cut.map(({ id, pending }) => [id, pending]));
    await untilRows(
      page,
      'pending to grow on, and the agents to say that they lag',
      ({ id, state, pending }) => state === 'offline' && pending >= (before.get(id) ?? 0) + 20,
    );
    await page.getByLabel('Fleet figures').getByText('0 / 3').waitFor();
    await shoot('down');

    await page.getByRole('link', { name: 'crane' }).click();
    await page.getByLabel('Facts').getByText('down for').waitFor();
    await page.locator('.series-value', { hasText: /s ago/ }).first().waitFor();
    await page.getByRole('heading', { name: 'crane' }).waitFor();
    await page.locator('.series [role=img][aria-label*="gaps: 1,"]').first().waitFor();
    await shoot('agent-gap', { fullPage: true });
    await page.getByRole('link', { name: 'Fleet' }).click();

    await page.getByRole('radio', { name: 'off' }).check();
    await page.getByText('Link undisturbed').waitFor();
    await untilRows(
      page,
      'the gaps to fill',
      ({ state, pending, complete }) => state === 'live' && pending === 0 && complete === '100 %',
    );
    await page.getByLabel('Fleet figures').getByText('3 / 3').waitFor();
    await shoot('filled');
    await drag(page, page.locator('.u-over').first());
    await page.getByRole('button', { name: 'Back to now' }).click();
    await page.getByRole('button', { name: 'Back to now' }).waitFor({ state: 'detached' });

    await page.getByRole('link', { name: 'crane' }).click();
    await page.locator('.series [role=img][aria-label*="gaps: 0,"]').first().waitFor();
    await until('a chart that is drawn', () => isDrawn(page));
    await page.getByText('holds', { exact: true }).waitFor();
    expect(await page.locator('.series').count()).toBeGreaterThanOrEqual(2);
    await shoot('agent', { fullPage: true });
    await zoomAndBack(page, shoot);
    await page.getByRole('radio', { name: '1 h' }).click();
    await page.locator('.series [role=img][aria-label*="last 1h"]').first().waitFor();
    expect(page.url()).toContain('range=1h');

    await page.emulateMedia({ colorScheme: 'dark' });
    await shoot('agent-dark', { fullPage: true });
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await overflowOf(page)).toBe(0);
    await shoot('agent-phone', { fullPage: true });
    await page.getByRole('link', { name: 'Fleet' }).click();
    await untilRows(page, 'the fleet on a phone', ({ state }) => state === 'live');
    expect(await overflowOf(page)).toBe(0);
    await shoot('phone', { fullPage: true });

    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(hq.url).host]);
    // Proxies refuse or decode it.
    expect([...paths].filter((path) => /%2f/i.test(path))).toEqual([]);
    expect([...paths]).toContain('/api/v1/agents/crane/query');
  });

  test('asks for the token, says when it is stale and comes back by itself', async () => {
    const folder = temporaryFolder();
    await buildDashboard(`${folder}/dashboard`);
    const tokens = ['--operator-token', 'open-sesame', '--agent-token', 'of-agents'];
    const args = [...tokens, '--dashboard-dir', `${folder}/dashboard`];
    const hq = await startHqProcess(`${folder}/hq`, { ...built, args });
    const { page, complaints, shoot } = await browse({ expected: /ERR_|WebSocket|401|403|502|503/ });

    await page.goto(hq.url);
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await shoot('token');
    await page.getByLabel('Operator token').fill('wrong');
    await page.keyboard.press('Enter');
    await dialog.getByText('wrong').waitFor();
    await page.getByLabel('Operator token').fill('open-sesame');
    await page.keyboard.press('Enter');
    await page.getByText('No agent yet').waitFor();
    // The package of that name would be somebody else's.
    expect(await page.content()).not.toContain('npx');
    expect(await page.getByRole('radio', { name: 'down' }).isDisabled()).toBe(true);
    const refused = page.getByRole('region', { name: 'Refused' }).getByRole('row');
    const delivery = { method: 'POST', headers: { authorization: 'Bearer wrong' } };
    expect((await fetch(`${hq.url}/telemetry`, delivery)).status).toBe(401);
    await refused.filter({ hasText: '127.0.0.1' }).filter({ hasText: 'no token, or a wrong one' }).waitFor();

    await hq.end('SIGKILL');
    await page.getByText('No connection to HQ').waitFor();
    await shoot('stale');
    const port = Number(new URL(hq.url).port);
    const again = await startHqProcess(`${folder}/hq`, { ...built, args, port });
    await page.getByText('No connection to HQ').waitFor({ state: 'detached' });
    expect(await getJson(`${again.url}/healthz`)).toBeDefined();
    expect(complaints).toEqual([]);
  });
});
