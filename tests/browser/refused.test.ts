/** An agent that HQ does not let in is shown as such: not as a sender by HTTP, and with what to do. */
import { io } from 'socket.io-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ask, helloOf } from '../../src/hq/ingest/testing/test-hq.ts';
import { violations } from '../support/axe.ts';
import { browse, buildDashboard, canBrowse } from '../support/chromium.ts';
import { built } from '../support/holdfast.ts';
import { startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';

async function hello(url: string, agent: string, epoch: string) {
  const socket = io(`${url}/agents`, { forceNew: true, reconnection: false });
  onTestFinished(() => void socket.disconnect());
  await new Promise<void>((resolve) => void socket.once('connect', resolve));
  return ask(socket, 'hello', helloOf(agent, { epoch }));
}

describe.skipIf(!canBrowse)(canBrowse ? 'a refused agent' : 'skipped: needs chromium', () => {
  test('has its reason and what to do, on the fleet page and on its own', async () => {
    const folder = temporaryFolder();
    await buildDashboard(`${folder}/dashboard`);
    const args = ['--dashboard-dir', `${folder}/dashboard`];
    const hq = await startHqProcess(`${folder}/hq`, { ...built, args });
    const { epoch } = helloOf('original');
    expect(await hello(hq.url, 'original', epoch)).toMatchObject({ ok: true });
    expect(await hello(hq.url, 'copy', epoch)).toMatchObject({ error: { code: 'forked_epoch' } });
    const { page, complaints } = await browse();

    await page.goto(hq.url);
    const card = page.getByRole('region', { name: 'Refused' });
    await card.getByText('copy at 127.0.0.1').waitFor();
    await card.getByText('--new-epoch').waitFor();
    await page.locator('tr[data-agent=copy] .state-refused').waitFor();

    await page.goto(`${hq.url}/#/agents/copy`);
    await page.locator('.agent-head .state-refused').waitFor();
    const facts = page.getByLabel('Facts');
    await facts.getByText('its journal is a copy').waitFor();
    await facts.getByText('--new-epoch').waitFor();
    expect(await facts.getByText('Delivers').count()).toBe(0);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violations(page), colorScheme).toEqual([]);
    }
    expect(complaints).toEqual([]);
  });
});
