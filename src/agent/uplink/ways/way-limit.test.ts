import { NEVER, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Link, LinkEvent, MaxLane } from '../link.ts';
import { OPEN_GATE, type UplinkGate } from '../metering/gate.ts';
import { createWayLimit } from './way-limit.ts';

function limitOn(maxLane: MaxLane, gate: UplinkGate = OPEN_GATE) {
  const session = { way: { index: 0, url: 'ws://hq', maxLane } };
  const link: Link = { connect: () => of({ type: 'open', session } as LinkEvent) };
  const limit = createWayLimit(link, gate, () => {});
  limit.link.connect({} as Parameters<Link['connect']>[0]).subscribe();
  return limit.gate;
}

describe('a way that must not carry the backlog', () => {
  it.each<MaxLane>(['live', 'anomalies'])('is why it waits (%s), with no end known', (maxLane) => {
    const gate = limitOn(maxLane);
    expect(gate.allows('backlog')).toBe(false);
    expect(gate.status()).toMatchObject({ phase: 'live_only', why: 'way', until: null });
  });

  it('is no reason where all may go, nor where the budget has one of its own', () => {
    expect(limitOn('backlog').status()).toEqual(OPEN_GATE.status());
    const status = () => ({ ...OPEN_GATE.status(), phase: 'live_only', why: 'window', until: 5 }) as const;
    const closed: UplinkGate = {
      ...OPEN_GATE,
      allows: (lane) => lane !== 'backlog',
      changes$: NEVER,
      status,
    };
    expect(limitOn('live', closed).status()).toMatchObject({ why: 'window', until: 5 });
  });
});
