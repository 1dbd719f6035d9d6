import { expect, it } from 'vitest';
import type { DiskState, Heartbeat } from '../../protocol/events.ts';
import { alarmNow, applyLink, createAgentEntry } from './agent-entry.ts';

const heartbeat = (disk?: DiskState): Heartbeat => ({
  ts: 0,
  state: 'degraded',
  breaker: 'closed',
  sampled: 0,
  released: 0,
  pending: 0,
  pendingBytes: 0,
  dropped: {},
  lagMs: 0,
  rttMs: null,
  ...(disk === undefined ? {} : { disk }),
});

it('stands from the heartbeat that tells of it to the one that does not, whatever happens alongside it', () => {
  const entry = createAgentEntry('a1', '0123456789ab');
  const hear = (ts: number, disk?: DiskState) =>
    applyLink(entry, { kind: 'heartbeat', agent: 'a1', heartbeat: heartbeat(disk), clockOffsetMs: 0, ts }, 0);
  hear(1_000, 'good');
  expect(alarmNow(entry, 0)).toBeNull();
  hear(2_000, 'full');
  hear(3_000, 'failing');
  const standing = { kind: 'agent_disk', since: 2_000, detail: expect.stringContaining('wait in memory') };
  expect(alarmNow(entry, 0)).toEqual(standing);

  applyLink(entry, { kind: 'alarm', agent: 'a1', alarm: 'duplicate_agent', detail: 'd', ts: 4_000 }, 0);
  expect(alarmNow(entry, 0)).toEqual({ kind: 'duplicate_agent', since: 4_000, detail: 'd' });
  applyLink(entry, { kind: 'disconnected', agent: 'a1', reason: 'gone', ts: 5_000 }, 0);
  expect(alarmNow(entry, 1e9), 'once the other one is over').toEqual(standing);

  hear(6_000);
  expect(alarmNow(entry, 1e9), 'an agent that does not say').toBeNull();
});
