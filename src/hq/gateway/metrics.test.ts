import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ask, post } from './testing/http.ts';
import { createTestGateway } from './testing/test-gateway.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

async function metrics() {
  const { app } = await createTestGateway();
  await post(app, '/telemetry', { agent: 'a', timestamp: 5, metrics: { x: 1 } });
  await post(app, '/telemetry', '{');
  return ask(app, '/metrics');
}

describe('metrics', () => {
  it('come in the text format of Prometheus, each with help and type', async () => {
    const answer = await metrics();
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    const names = new Set(
      [...answer.body.matchAll(/^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{| )/gm)].map(([, name]) => name),
    );
    expect(names.size).toBeGreaterThan(5);
    for (const name of names) {
      expect(name).toMatch(/^(holdfast|process|nodejs)_/);
      expect(answer.body).toContain(`# HELP ${name} `);
      expect(answer.body).toContain(`# TYPE ${name} `);
    }
  });

  it('count what HTTP delivered, by endpoint, and requests by route and status', async () => {
    const { body } = await metrics();
    expect(body).toContain('holdfast_http_samples_total{endpoint="/telemetry"} 1');
    expect(body).toContain('route="/telemetry",status="400"} 1');
    expect(body).toContain('route="/telemetry",status="202"} 1');
    expect(Number(/^process_resident_memory_bytes (\d+)/m.exec(body)?.[1])).toBeGreaterThan(1e7);
  });

  it('say how many agents are in each state', async () => {
    const { body } = await metrics();
    const states = ['starting', 'live', 'catching-up', 'offline', 'degraded', 'stopping'].concat([
      'refused',
      'reporting',
      'late',
      'silent',
    ]);
    expect(body.split('\n').filter((line) => line.startsWith('holdfast_hq_agents{'))).toEqual([
      ...states.map((state) => `holdfast_hq_agents{state="${state}"} 0`),
      'holdfast_hq_agents{state="unknown"} 1',
    ]);
  });

  it('say how many agents have an alarm, of each kind', async () => {
    const { body } = await metrics();
    expect(body.split('\n').filter((line) => line.startsWith('holdfast_hq_alarms'))).toEqual([
      'holdfast_hq_alarms{kind="duplicate_agent"} 0',
      'holdfast_hq_alarms{kind="forked_epoch"} 0',
      'holdfast_hq_alarms{kind="lost_at_hq"} 2',
      'holdfast_hq_alarms{kind="damaged_at_hq"} 0',
      'holdfast_hq_alarms{kind="agent_disk"} 0',
      'holdfast_hq_alarms{kind="clock_ahead"} 0',
      'holdfast_hq_alarms{kind="over_quota"} 0',
    ]);
  });

  it.skipIf(!hasPromtool)(hasPromtool ? 'please promtool' : 'skipped: needs promtool', async () => {
    const { body } = await metrics();
    expect(() =>
      execFileSync('promtool', ['check', 'metrics'], { input: body, stdio: 'pipe' }),
    ).not.toThrow();
  });
});
