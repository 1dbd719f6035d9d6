/**
 * What people see of a link: on the agent's page at HQ and on its own health page, while its data budget lasts and
 * after.
 */
import { describe, expect, test } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { browse, buildDashboard, canBrowse, cutOff } from '../support/chromium.ts';
import { built } from '../support/holdfast.ts';
import { getJson, startHqProcess, summaryOf } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

/** The least that an agent takes. */
const BUDGET = 100_000;

describe.skipIf(!canBrowse)(canBrowse ? 'a metered link' : 'skipped: needs chromium', () => {
  test('is shown with its estimate, what it carried, and why it stands still', async () => {
    const folder = temporaryFolder();
    await buildDashboard(`${folder}/dashboard`);
    const hq = await startHqProcess(`${folder}/hq`, {
      ...built,
      args: ['--dashboard-dir', `${folder}/dashboard`],
    });
    const start = (source: string) =>
      startAgentProcess({
        ...built,
        id: 'buoy',
        hq: hq.url,
        dataDir: `${folder}/agent`,
        sources: [source],
        args: [
          ...['--uplink-heartbeat-ms', '500', '--uplink-max-bytes-per-day', String(BUDGET)],
          ...['--journal-commit-ms', '100'],
        ],
      });
    const { page, complaints, shoot } = await browse();
    await page.goto(`${hq.url}/#/agents/buoy`);
    await page.getByText('HQ knows no agent named buoy').waitFor();
    const slow = start('sim:hz=2,sensors=2,seed=3');
    const facts = page.getByLabel('Facts');
    const fact = (name: string) =>
      facts.locator('.fact', { has: page.locator('dt', { hasText: new RegExp(`^${name}$`) }) });
    await fact('Link rate')
      .getByText(/bit\/s/)
      .waitFor();
    expect(await fact('Carried today').textContent()).toMatch(/B$/);
    expect(await fact('Data budget').textContent()).toMatch(/left/);
    expect(await fact('In flight').textContent()).toMatch(/live .*backlog/);
    expect(await fact('Caught up in').textContent()).toMatch(/caught up|–/);
    for (const name of ['Caught up in', 'Link rate', 'Queueing delay', 'In flight', 'Data budget'])
      expect(await cutOff(fact(name)), name).toEqual([]);
    await shoot('link', { fullPage: true });

    // What is used outlasts the process. The next one is quick to use up the rest.
    expect(await slow.end('SIGTERM')).toBe(0);
    const agent = start('sim:hz=100,sensors=32,seed=3');
    const used = await until('the budget to be used up', async () => {
      const { connected, link } = await summaryOf(hq.url, 'buoy');
      return !connected && link?.paused === 'budget_day' ? link : undefined;
    });
    expect(used.budgetLeft).toBeLessThan(BUDGET * 0.1);
    expect(used.pausedUntil).toBeGreaterThan(Date.now() - 1_000);
    await fact('Frames wait').getByText('data budget of the day used up').waitFor();
    for (const width of [320, 400, 480]) {
      await page.setViewportSize({ width, height: 844 });
      for (const name of ['Frames wait', 'Carried today', 'Data budget'])
        expect(await cutOff(fact(name)), `${name} at ${width} px`).toEqual([]);
    }
    await page.setViewportSize({ width: 400, height: 844 });
    await shoot('link-narrow', { fullPage: true });
    expect(hq.stderr.join('\n')).toMatch(/"event":"agent_paused","agent":"buoy","reason":"budget_day"/);

    const listening = await until('the health page', async () =>
      agent.stderr.find((line) => line.includes('health_listening')),
    );
    const { url } = JSON.parse(listening) as { url: string };
    expect(await getJson(`${url}/status.json`)).toMatchObject({
      state: 'offline',
      budget: { phase: expect.stringMatching(/reserve|spent/), why: 'budget_day', day: { limit: BUDGET } },
    });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^holdfast_agent_budget_left_bytes [1-9]\d*$/m);
    expect(metrics).toMatch(/^holdfast_agent_budget_phase [23]$/m);
    await page.goto(url);
    await page.getByText('the data budget of the day is used up').first().waitFor();
    await shoot('health-narrow', { fullPage: true });
    await page.setViewportSize({ width: 1000, height: 860 });
    await shoot('health', { fullPage: true });
    expect(complaints).toEqual([]);
  });
});
