/** The alarm of a full registry on the fleet page, and the agent that is retired to end it. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { browse, buildDashboard, canBrowse } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { built } from '../support/holdfast.ts';
import { getJson, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';

describe.skipIf(!canBrowse)(canBrowse ? 'an agent' : 'skipped: needs chromium', () => {
  test('is retired from its page once that is confirmed, and the alarm of HQ ends', async () => {
    const folder = temporaryFolder();
    await buildDashboard(join(folder, 'dashboard'));
    const hq = await startHqProcess(join(folder, 'hq'), {
      args: ['--dashboard-dir', join(folder, 'dashboard'), '--limits-max-agents', '2'],
      ...built,
    });
    for (const agent of ['old', 'new']) {
      const { status } = await fetch(`${hq.url}/telemetry`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ agent, timestamp: Date.now(), metrics: { x: 1 } }),
      });
      expect(status).toBe(202);
    }
    const { page, shoot } = await browse();
    await page.goto(hq.url);
    await page.getByRole('heading', { name: 'Alarms of HQ' }).waitFor();
    await page.getByText('No place for more agents').waitFor();

    await page.goto(`${hq.url}/#/agents/old`);
    await page.getByRole('button', { name: 'Retire this agent' }).click();
    await page.getByRole('button', { name: 'Keep it' }).click();
    await page.getByRole('button', { name: 'Retire this agent' }).click();
    await page.getByRole('button', { name: 'Retire old' }).click();
    await page.locator('tr[data-agent="new"]').waitFor();
    await page.locator('tr[data-agent="old"]').waitFor({ state: 'detached' });
    await page.getByRole('heading', { name: 'Alarms of HQ' }).waitFor({ state: 'detached' });
    expect(await getJson(`${hq.url}/api/v1/alarms`)).toMatchObject({ items: [] });

    await page.goto(`${hq.url}/#/agents/new`);
    await page.getByRole('button', { name: 'Remove everything' }).click();
    const remove = page.getByRole('button', { name: 'Remove new for good' });
    expect(await remove.isDisabled()).toBe(true);
    await page.getByLabel('Type new to go on').fill('old');
    expect(await remove.isDisabled()).toBe(true);
    await page.getByLabel('Type new to go on').fill('new');
    await shoot('purge', { fullPage: true });
    await remove.click();
    await page.locator('tr[data-agent="new"]').waitFor({ state: 'detached' });
    await eventually(async () =>
      expect(await (await fetch(`${hq.url}/api/v1/agents/new`)).json()).toMatchObject({
        detail: expect.stringContaining('removed for good'),
      }),
    );
  });
});
