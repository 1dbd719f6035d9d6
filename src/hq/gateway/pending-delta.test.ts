import { describe, expect, it } from 'vitest';
import type { FleetDelta } from '../../protocol/api.ts';
import { addDelta, mergedDelta, type PendingDelta } from './pending-delta.ts';
import { deltaOf, summaryOf } from './testing/test-gateway.ts';

const merged = (deltas: readonly FleetDelta[]): FleetDelta | null => {
  const pending = deltas.reduce<PendingDelta | null>(addDelta, null);
  return pending && mergedDelta(pending);
};
const agents = (delta: FleetDelta | null) => delta?.agents.map(({ id, stored }) => [id, stored]);

describe('deltas that wait for a dashboard', () => {
  it('are one, in which the latest of each agent wins', () => {
    const delta = merged([
      deltaOf(1, [
        { ...summaryOf('a'), stored: 1 },
        { ...summaryOf('b'), stored: 1 },
      ]),
      deltaOf(2, [{ ...summaryOf('a'), stored: 2 }]),
    ]);
    expect(delta?.ts).toBe(2);
    expect(agents(delta)).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(delta?.ingest.map(({ t }) => t)).toEqual([1, 2]);
  });

  it('stay bounded however long they wait', () => {
    const delta = merged(
      Array.from({ length: 5000 }, (_, ts) => deltaOf(ts, [summaryOf(`agent-${ts % 3}`)])),
    );
    expect(delta?.agents).toHaveLength(3);
    expect(delta?.ingest).toHaveLength(600);
    expect(delta?.ingest.at(-1)?.t).toBe(4999);
  });
});
