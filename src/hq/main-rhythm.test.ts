import { expect, it } from 'vitest';
import { temporaryFolder } from '../../tests/support/temporary.ts';
import { until } from '../../tests/support/wait.ts';
import { type Clock, createSystemClock } from '../platform/clock.ts';
import { agentSummarySchema } from '../protocol/api.ts';
import type { RunningHq } from './main.ts';
import { start } from './testing/started-hq.ts';

/** A clock that can be put on. */
function movableClock() {
  const system = createSystemClock();
  let ahead = 0;
  const clock: Clock = {
    ...system,
    now: () => system.now() + ahead,
    precise: () => system.precise() + ahead,
  };
  return {
    clock,
    pass: (ms: number) => {
      ahead += ms;
    },
  };
}

async function deliver({ url }: RunningHq, value: number) {
  const body = JSON.stringify({ agent: 'buoy', timestamp: 1_700_000_000_000 + value, metrics: { value } });
  const headers = { 'content-type': 'application/json' };
  expect((await fetch(`${url}/telemetry`, { method: 'POST', headers, body })).status).toBe(202);
}
const buoy = async ({ url }: RunningHq) =>
  agentSummarySchema.parse(await (await fetch(`${url}/api/v1/agents/buoy`)).json());

it('judges a sender by its own rhythm after a restart of HQ', async () => {
  const dataDir = temporaryFolder();
  const { clock, pass } = movableClock();
  const before = await start({ dataDir }, [], clock);
  for (let count = 0; count < 4; count += 1) {
    await deliver(before, count);
    if (count < 3) pass(60_000);
  }
  await before.stop();
  pass(30_000);

  const after = await start({ dataDir }, [], clock);
  const restored = await buoy(after);
  expect(restored).toMatchObject({ state: 'reporting', over: 'http', stateSince: null });
  expect(Math.round(Number(restored.deliversEveryMs) / 1000)).toBe(60);
  pass(70_000);
  await until('it to be late', async () => (await buoy(after)).state === 'late');
  await deliver(after, 9);
  expect((await buoy(after)).state).toBe('reporting');
});
