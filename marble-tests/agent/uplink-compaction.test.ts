/**
 * When the uplink looks for small frames to merge: while samples come, and for as long after as there may be something
 * left.
 */
import { describe, expect, it, vi } from 'vitest';
import { createRig } from './uplink-rig.ts';

const HOUR_MS = 3_600_000;
/** A few ticks of a second. */
const REST_AFTER_MS = 10_000;

/** An uplink that waits for its connection all the time: nothing else looks at the journal. */
function offline() {
  const rig = createRig({ connect: () => 'silence' }, { connectTimeoutMs: HOUR_MS });
  const looks = vi.spyOn(rig.journal, 'stats');
  rig.start();
  const looksIn = (ms: number) => {
    const before = looks.mock.calls.length;
    rig.run(ms);
    return looks.mock.calls.length - before;
  };
  return { rig, looksIn };
}

describe('compaction', () => {
  it('rests once nothing has been committed for a while, and begins again with the next commit', () => {
    const { rig, looksIn } = offline();
    expect(looksIn(REST_AFTER_MS)).toBeGreaterThan(2);
    expect(looksIn(HOUR_MS / 4)).toBe(0);
    rig.append(1);
    expect(looksIn(1_000)).toBeGreaterThan(0);
    rig.run(REST_AFTER_MS);
    expect(looksIn(HOUR_MS / 4)).toBe(0);
  });

  it('does not rest while samples come', () => {
    const { rig, looksIn } = offline();
    for (let seconds = 0; seconds < 60; seconds += 1) {
      rig.append(1);
      expect(looksIn(1_000)).toBeGreaterThan(0);
    }
  });

  it.each([
    ['from the start', 0],
    ['after a rest', HOUR_MS / 4],
  ])('merges a tail that nothing follows, %s', (_when, afterMs) => {
    const { rig, looksIn } = offline();
    rig.run(afterMs);
    // Too few to be merged at once, and as many samples as a compacted frame has.
    for (let frame = 0; frame < 16; frame += 1) rig.append(32);
    rig.run(REST_AFTER_MS);
    expect(rig.logs('frames_compacted')).toMatchObject([{ merged: 16, compacted: 1 }]);
    rig.run(REST_AFTER_MS);
    expect(rig.journal.stats()).toMatchObject({ pending: 512, pendingFrames: 1 });
    expect(looksIn(HOUR_MS / 4)).toBe(0);
  });
});
