import { describe, expect, it } from 'vitest';
import type { FleetDelta } from '../../protocol/api.ts';
import { createPendingDelta } from './pending-delta.ts';
import { deltaOf, summaryOf } from './testing/test-gateway.ts';

const agents = (delta: FleetDelta | null) => delta?.agents.map(({ id, stored }) => [id, stored]);

describe('deltas that wait for a dashboard', () => {
  it('are one, in which the latest of each agent wins', () => {
    const pending = createPendingDelta();
    pending.add(
      deltaOf(1, [
        { ...summaryOf('a'), stored: 1 },
        { ...summaryOf('b'), stored: 1 },
      ]),
    );
    pending.add(deltaOf(2, [{ ...summaryOf('a'), stored: 2 }]));
    const delta = pending.take();
    expect(delta?.ts).toBe(2);
    expect(agents(delta)).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(delta?.ingest.map(({ t }) => t)).toEqual([1, 2]);
  });

  it('are gone once taken', () => {
    const pending = createPendingDelta();
    expect(pending.take()).toBeNull();
    pending.add(deltaOf(1, [summaryOf('a')]));
    pending.take();
    expect(pending.take()).toBeNull();
    pending.add(deltaOf(2, []));
    expect(agents(pending.take())).toEqual([]);
  });

  it('stay bounded however long they wait', () => {
    const pending = createPendingDelta();
    for (let ts = 0; ts < 5000; ts += 1) pending.add(deltaOf(ts, [summaryOf(`agent-${ts % 3}`)]));
    const delta = pending.take();
    expect(delta?.agents).toHaveLength(3);
    expect(delta?.ingest).toHaveLength(600);
    expect(delta?.ingest.at(-1)?.t).toBe(4999);
  });
});
