import { of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { agent } from '../../dashboard/state/testing/agent.ts';
import { createRegistry } from '../../platform/telemetry.ts';
import type { LinkReport } from '../../protocol/events.ts';
import { StorageError } from '../../storage/storage.ts';
import { registerFleetMetrics } from './fleet-metrics.ts';

const link = (changes: Partial<LinkReport>): LinkReport => ({
  rate: null,
  minRttMs: null,
  queueMs: null,
  live: 0,
  backlog: 0,
  ...changes,
});

describe('metrics of links', () => {
  it('sum up what agents say of theirs', async () => {
    const registry = createRegistry();
    const agents = [
      agent('draining', { link: link({ rate: 1_000, caughtUpMs: 90_000 }) }),
      agent('slower', { link: link({ rate: 500, caughtUpMs: 600_000 }) }),
      agent('losing', { link: link({ rate: 250, never: true }) }),
      agent('new', { link: link({ caughtUpMs: null }) }),
      agent('done', { link: link({ rate: 100, caughtUpMs: 0 }) }),
      agent('old', { link: null }),
      agent('metered', {
        connected: false,
        link: link({ rate: 9_000, caughtUpMs: 1e9, paused: 'budget_day' }),
      }),
      agent('odd', { link: link({ caughtUpMs: 0, paused: 'something of a later version' }) }),
    ];
    registerFleetMetrics(registry, { summaries: () => of(agents), alarms: () => new Map() });
    const text = await registry.metrics();
    const lines = text
      .split('\n')
      .filter((line) => /^holdfast_hq_(connected|paused|backlog|longest|link)/.test(line));
    expect(lines).toEqual([
      'holdfast_hq_connected_agents 7',
      'holdfast_hq_paused_agents{reason="budget_day"} 1',
      'holdfast_hq_paused_agents{reason="budget_month"} 0',
      'holdfast_hq_paused_agents{reason="live_first"} 0',
      'holdfast_hq_paused_agents{reason="window"} 0',
      'holdfast_hq_paused_agents{reason="way"} 0',
      'holdfast_hq_paused_agents{reason="breaker_open"} 0',
      'holdfast_hq_paused_agents{reason="unavailable"} 0',
      'holdfast_hq_paused_agents{reason="rate_limited"} 0',
      'holdfast_hq_paused_agents{reason="other"} 1',
      'holdfast_hq_backlog_agents{forecast="in_time"} 2',
      'holdfast_hq_backlog_agents{forecast="never"} 1',
      'holdfast_hq_backlog_agents{forecast="unknown"} 1',
      'holdfast_hq_longest_catch_up_seconds 600',
      'holdfast_hq_link_rate_bytes_per_second 1850',
    ]);
  });

  it('stay as they were while the store cannot say', async () => {
    const registry = createRegistry();
    let summaries = () => of([agent('draining', { link: link({ rate: 1_000 }) })]);
    registerFleetMetrics(registry, { summaries: () => summaries(), alarms: () => new Map() });
    const rate = async () => /link_rate_bytes_per_second (\d+)$/m.exec(await registry.metrics())?.[1];
    expect(await rate()).toBe('1000');
    summaries = () => throwError(() => new StorageError('io', 'no disk'));
    expect(await rate()).toBe('1000');
  });
});
