/** After an outage the newest samples reach HQ at once, while the backlog drains behind them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { seededRandom } from '../../src/platform/random.ts';
import { agentStatus, impatient, startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { allSamples, getJson, ledgerOf, startHqProcess, summaryOf } from '../support/hq.ts';
import { expectWithin, long, sized } from '../support/long.ts';
import { startProxy } from '../support/proxy.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const BACKLOG = sized(120_000, 500_000);
/** A small backlog drains within a fraction of a second: there must be fresh samples in it. */
const HZ = sized(50, 10);
const COMMIT_MS = sized(20, 200);
const MAX_LAG_MS = 2_000;
const HOUR_MS = 3_600_000;
const RECORDED = Date.parse('2020-01-01T00:00:00Z');
const STEP_MS = 100;

/** Values that hardly compress, so that the backlog is some megabytes. */
function writeBacklog(folder: string): string {
  const random = seededRandom(5);
  const lines = Array.from(
    { length: BACKLOG },
    (_, index) => `${RECORDED + index * STEP_MS},${index + 1},${random.next()},${random.next()}`,
  );
  const path = join(folder, 'backlog.csv');
  writeFileSync(path, `time,row,a,b\n${lines.join('\n')}\n`);
  return path;
}

const bucketsSchema = z.object({ items: z.array(z.object({ count: z.number() })) });

type Drain = {
  readonly flags: readonly string[];
  /** Fresh samples that must be at HQ before the last of the backlog is. */
  readonly before: number;
  readonly lastsMs: number;
  /** How often HQ must have been looked at meanwhile. */
  readonly looks: number;
};

async function expectLiveFirst({ flags, before, lastsMs, looks }: Drain): Promise<void> {
  const folder = temporaryFolder();
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const proxy = await startProxy(() => Number(new URL(hq.url).port));
  proxy.set({ kind: 'refuse' });
  const agent = startAgentProcess({
    id: 'edge',
    hq: proxy.url,
    dataDir: join(folder, 'edge'),
    sources: [`csv:path=${writeBacklog(folder)},speed=max`, `sim:hz=${HZ},sensors=2,seed=3`],
    args: [...impatient, '--journal-commit-ms', String(COMMIT_MS), ...flags],
    ...built,
  });
  await until('the outage to leave its backlog', async () => {
    const status = await agentStatus(agent);
    return (status?.journal?.pending ?? 0) > BACKLOG;
  });

  proxy.set({ kind: 'pass' });
  // What can be seen at HQ while the backlog drains: how old its newest sample is, and what is still missing.
  const connectedAt = await until('the agent to be back', async () => {
    const summary = await summaryOf(hq.url, 'edge').catch(() => null);
    return summary?.connectedSince;
  });
  const ages: number[] = [];
  const drainedAt = await until(
    'the backlog to drain',
    async () => {
      const asked = Date.now();
      const newest = (await allSamples(hq.url, 'edge', { from: asked - 60_000 })).at(-1);
      if (asked - connectedAt > MAX_LAG_MS) ages.push(asked - (newest?.ts ?? 0));
      const { pending } = await summaryOf(hq.url, 'edge');
      return pending < HZ && (await ledgerOf(hq.url, 'edge'))[0]?.ranges.length === 0 ? Date.now() : null;
    },
    { everyMs: sized(250, 50) },
  );
  if (long) {
    expect(drainedAt - connectedAt, 'the drain lasts').toBeGreaterThanOrEqual(lastsMs);
    expect(ages.filter((age) => age > MAX_LAG_MS)).toEqual([]);
    expect(ages.length).toBeGreaterThanOrEqual(looks);
  }

  expect(await agent.end('SIGTERM')).toBe(0);
  const live = (await allSamples(hq.url, 'edge', { from: connectedAt })).filter(
    ({ source }) => source === 'sim',
  );
  // The very end of the recording may be among what was the newest when the agent came back.
  const at = (share: number) => RECORDED + share * BACKLOG * STEP_MS;
  const late = await allSamples(hq.url, 'edge', { from: at(0.89), to: at(0.9) });
  const lateMs = Math.max(...late.map(({ arrivalTs }) => arrivalTs));
  const ahead = live.filter(({ arrivalTs }) => arrivalTs < lateMs);
  expect(ahead.length, 'fresh ones go ahead of the backlog').toBeGreaterThanOrEqual(before);
  const during = live.filter(({ ts }) => ts < drainedAt);
  if (long)
    expect(during.length, 'sampling goes on').toBeGreaterThan(((drainedAt - connectedAt) / 1000) * HZ * 0.8);
  expectWithin((during[0]?.arrivalTs ?? 0) - connectedAt, MAX_LAG_MS);
  expectWithin(Math.max(...live.map(({ arrivalTs, ts }) => arrivalTs - ts)), MAX_LAG_MS);

  const [entry, ...others] = await ledgerOf(hq.url, 'edge');
  expect(others).toEqual([]);
  expect(entry?.sampled).toBeGreaterThan(BACKLOG);
  expect(entry).toMatchObject({
    stored: entry?.sampled,
    contiguous: entry?.sampled,
    pending: 0,
    thinned: {},
    dropped: {},
    ranges: [],
    gaps: [],
  });
  const query = `from=${RECORDED}&to=${RECORDED + BACKLOG * STEP_MS}&step=${HOUR_MS}`;
  const { items } = bucketsSchema.parse(await getJson(`${hq.url}/api/v1/agents/edge/series/row?${query}`));
  expect(items.reduce((sum, { count }) => sum + count, 0)).toBe(BACKLOG);
}

describe(`after an outage with ${BACKLOG} pending samples`, () => {
  it('stores fresh samples within 2 s of reconnecting while the backlog drains at full speed', () =>
    expectLiveFirst({ flags: [], before: 1, lastsMs: 0, looks: 0 }));

  it('keeps fresh samples under 2 s of lag through a long drain on a budget', () =>
    expectLiveFirst({
      flags: ['--uplink-max-bytes-per-second', '500000'],
      before: 10,
      lastsMs: 6000,
      // Few on a busy machine: each fetches a minute of samples.
      looks: 5,
    }));
});
