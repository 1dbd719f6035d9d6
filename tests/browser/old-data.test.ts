/** Samples of long ago cannot be taken for those of today, and can be looked at. */
import { describe, expect, test } from 'vitest';
import { violations } from '../support/axe.ts';
import { browse, buildDashboard, canBrowse } from '../support/chromium.ts';
import { built } from '../support/holdfast.ts';
import { startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';

async function post(url: string, agent: string, timestamp: string) {
  const answer = await fetch(`${url}/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ agent, timestamp, metrics: { level: 42.5 } }),
  });
  expect(answer.status).toBe(202);
}

describe.skipIf(!canBrowse)(canBrowse ? 'data of long ago' : 'skipped: needs chromium', () => {
  test('has its year, and each chart leads to it', async () => {
    const folder = temporaryFolder();
    await buildDashboard(`${folder}/dashboard`);
    const args = ['--dashboard-dir', `${folder}/dashboard`];
    const hq = await startHqProcess(`${folder}/hq`, { ...built, args });
    await post(hq.url, 'of-2019', '2019-03-05T12:00:00Z');
    await post(hq.url, 'of-1970', '1970-01-01T00:00:05Z');
    const { page, complaints } = await browse();
    for (const [agent, year] of [
      ['of-2019', '2019'],
      ['of-1970', '1970'],
    ] as const) {
      await page.goto(`${hq.url}/#/agents/${agent}`);
      await page.getByLabel('Facts').getByText(year).waitFor();
      const newest = page.getByRole('button', { name: /^newest: / });
      await newest.waitFor();
      expect(await newest.textContent()).toContain(year);
      expect(await violations(page)).toEqual([]);
      await newest.click();
      await page.getByText('42.5').first().waitFor();
      expect(await page.locator('.zoomed').textContent()).toContain(year);
      await page.getByRole('button', { name: 'Back to now' }).click();
      await newest.waitFor();
    }
    expect(complaints).toEqual([]);
  });
});
