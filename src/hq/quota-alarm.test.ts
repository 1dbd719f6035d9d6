import { expect, it } from 'vitest';
import { eventually } from '../../tests/support/eventually.ts';
import { seededRandom } from '../platform/random.ts';
import { start } from './testing/started-hq.ts';

it('shows an agent whose samples take more than it may, and leaves out what is oldest of it alone', async () => {
  const hq = await start({ limits: { maxFrameBytes: 1_024, maxBytesPerAgent: 32_768 } });
  const random = seededRandom(1);
  const deliver = (agent: string, from: number, samples: number) =>
    fetch(`${hq.url}/telemetry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(
        Array.from({ length: samples }, (_, at) => ({
          agent,
          timestamp: 1_700_000_000_000 + from + at,
          metrics: { x: random.next(), y: random.next() },
        })),
      ),
    });
  const agent = async (id: string) => (await fetch(`${hq.url}/api/v1/agents/${id}`)).json();
  const oldest = async (id: string) =>
    (await (await fetch(`${hq.url}/api/v1/agents/${id}/samples?from=0&limit=1`)).json()).items[0]?.ts;
  expect((await deliver('small', 0, 600)).status).toBe(202);
  for (let from = 0; from < 6_000; from += 300) expect((await deliver('large', from, 300)).status).toBe(202);
  await eventually(async () =>
    expect(await agent('large')).toMatchObject({
      alarm: { kind: 'over_quota', detail: expect.stringContaining('32768 bytes') },
      stored: 6_000,
    }),
  );
  expect(await oldest('large')).toBeGreaterThan(1_700_000_000_000);
  expect(await oldest('small')).toBe(1_700_000_000_000);
  expect(await agent('small')).toMatchObject({ alarm: null, stored: 600 });
  const metrics = await (await fetch(`${hq.url}/metrics`)).text();
  expect(metrics).toContain('holdfast_hq_alarms{kind="over_quota"} 1');
  expect(metrics).toMatch(/holdfast_hq_retention_removed_samples_total\{reason="quota"\} [1-9]/);
});
