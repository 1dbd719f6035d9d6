/**
 * What people with a keyboard, a screen reader or weak eyes need of every view: axe-core finds nothing in either theme,
 * each view has one h1, and the focus goes to it when the view changes.
 */
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { violations } from '../support/axe.ts';
import { type Browsing, browse, buildDashboard, canBrowse } from '../support/chromium.ts';
import { built } from '../support/holdfast.ts';
import { startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

/** In both themes. */
async function expectAccessible({ page, shoot }: Browsing, view: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page), `${view}, ${colorScheme}`).toEqual([]);
    await shoot(`${view}-${colorScheme}`, { fullPage: true });
  }
  expect(await page.locator('h1').count(), `h1 of ${view}`).toBe(1);
}

const focused = (page: Page) => page.evaluate(() => document.activeElement?.tagName ?? '');

async function post(url: string, agent: string, token: string): Promise<void> {
  const answer = await fetch(`${url}/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ agent, timestamp: Date.now(), metrics: { level: 4 } }),
  });
  expect(answer.status).toBe(202);
}

describe.skipIf(!canBrowse)(canBrowse ? 'every view' : 'skipped: needs chromium', () => {
  test('is accessible in both themes, and takes the focus', async () => {
    const folder = temporaryFolder();
    await buildDashboard(`${folder}/dashboard`);
    const tokens = ['--operator-token', 'open-sesame', '--agent-token', 'of-agents'];
    const args = [...tokens, '--chaos-enabled', '--dashboard-dir', `${folder}/dashboard`];
    const hq = await startHqProcess(`${folder}/hq`, { ...built, args });
    const browsing = await browse({ expected: /ERR_|WebSocket|401|403|404|502|503/ });
    const { page } = browsing;

    await page.goto(hq.url);
    await page.getByRole('dialog').waitFor();
    await expectAccessible(browsing, 'a11y-token');
    await page.getByRole('button', { name: 'Not now' }).click();
    await page.getByText('shows its fleet to those').waitFor();
    await expectAccessible(browsing, 'a11y-waiting');
    await page.reload();
    await page.getByLabel('Operator token').fill('open-sesame');
    await page.keyboard.press('Enter');
    await page.getByText('No agent yet').waitFor();
    await expectAccessible(browsing, 'a11y-empty');

    for (const id of ['crane', 'mast'])
      startAgentProcess({
        ...{ id, hq: hq.url, dataDir: `${folder}/${id}`, sources: ['sim:hz=10,sensors=3,seed=7'], ...built },
        env: { HOLDFAST_AGENT_TOKEN: 'of-agents' },
      });
    await post(hq.url, 'web', 'of-agents');
    await fetch(`${hq.url}/telemetry`, { method: 'POST', headers: { authorization: 'Bearer wrong' } });
    await page.reload();
    await page.getByRole('region', { name: 'Refused' }).waitFor();
    await until('two live agents', async () => (await page.locator('.cell-state .state-live').count()) === 2);
    await expectAccessible(browsing, 'a11y-fleet');

    await page.getByRole('radio', { name: 'down' }).check();
    await until('them offline', async () => (await page.locator('.cell-state .state-offline').count()) === 2);
    await expectAccessible(browsing, 'a11y-down');

    await page.getByRole('link', { name: 'crane' }).click();
    await page.getByRole('heading', { name: 'crane' }).waitFor();
    expect(await focused(page)).toBe('H1');
    await page.locator('.series canvas').first().waitFor();
    await page.locator('.picker summary').click();
    await expectAccessible(browsing, 'a11y-agent');
    await page.getByRole('link', { name: 'Fleet' }).click();
    await page.locator('tr[data-agent]').first().waitFor();
    expect(await focused(page)).toBe('H1');
    await page.getByRole('radio', { name: 'off' }).check();

    for (const [view, hash] of [
      ['a11y-web', '#/agents/web'],
      ['a11y-stranger', '#/agents/nobody'],
      ['a11y-unknown', '#/nowhere'],
      ['a11y-zoom', '#/agents/crane?from=1700000000000&to=1700000060000'],
    ] as const) {
      await page.goto(`${hq.url}/${hash}`);
      await page.locator('h1').waitFor();
      expect(await focused(page), view).toBe('H1');
      await expectAccessible(browsing, view);
    }

    await page.goto(`${hq.url}/#/`);
    await hq.end('SIGKILL');
    await page.getByText('No connection to HQ').waitFor();
    await expectAccessible(browsing, 'a11y-stale');
  });
});
