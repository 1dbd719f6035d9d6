import { describe, expect, it } from 'vitest';
import { LinkError } from '../../src/agent/uplink/link.ts';
import { createRig } from './uplink-rig.ts';

describe('stopping', () => {
  it('sends what is live, a last heartbeat and the goodbye', () => {
    const rig = createRig();
    rig.start();
    rig.run(100);
    rig.append(2);
    const done = rig.stop();
    rig.run(100);
    expect(done()).toBe(true);
    expect(rig.hq.coverage().contiguous).toBe(2);
    expect(rig.journal.stats().pending).toBe(0);
    expect(rig.heartbeats.at(-1)?.state).toBe('stopping');
    expect(rig.goodbyes).toHaveLength(1);
  });

  it('ends at once while there is no link', () => {
    const rig = createRig({ connect: () => new LinkError('refused', 'no') });
    rig.start();
    rig.run(5_000);
    const done = rig.stop();
    expect(done()).toBe(true);
    const connects = rig.connects.length;
    rig.run(100_000);
    expect(rig.connects).toHaveLength(connects);
  });

  it('hardly waits for an HQ that takes nothing at the moment', () => {
    const rig = createRig({
      frame: () => ({ ok: false, error: { code: 'unavailable', message: 'no', retryAfterMs: 500 } }),
    });
    rig.start();
    rig.append(1);
    rig.run(10_000);
    const done = rig.stop();
    rig.run(1_500);
    expect(done()).toBe(true);
    expect(rig.journal.stats().pending).toBe(1);
  });

  it('does not wait for ever for an HQ that says nothing', () => {
    const rig = createRig({ frame: () => 'silence', heartbeat: () => 'silence' });
    rig.start();
    rig.run(100);
    rig.append(1);
    const done = rig.stop();
    rig.run(10_000);
    expect(done()).toBe(true);
    expect(rig.journal.stats().pending).toBe(1);
  });
});
