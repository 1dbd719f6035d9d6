/**
 * What an agent that is caught up costs on the way, at the payload of TCP: framing, pings, heartbeats and answers
 * included.
 */
import { expect, it } from 'vitest';
import { OURS } from '../../benchmarks/support/link-run.ts';
import { runSteady } from '../../benchmarks/support/link-steady.ts';
import { inWorkshop } from '../../benchmarks/support/processes.ts';

it('17 series at 1 Hz take 150 bytes a second up and 60 down, and 2 KB to connect again', async () => {
  const found = await inWorkshop((workshop) =>
    runSteady({ workshop, product: OURS }, { source: '17', seconds: 20 }),
  );
  expect(found.series).toBe(17);
  // A sample a second has come, so that few bytes are not few samples.
  expect(found.upBytesPerSecond).toBeGreaterThan(30);
  expect(found.upBytesPerSecond).toBeLessThanOrEqual(150);
  expect(found.downBytesPerSecond).toBeGreaterThan(5);
  expect(found.downBytesPerSecond).toBeLessThanOrEqual(60);
  expect(found.reconnectBytes).toBeLessThanOrEqual(2_000);
});
