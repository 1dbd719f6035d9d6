/** Kills and cuts at random moments; afterwards the ledger is exact and every sample is at HQ once, unchanged. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/platform/random.ts';
import { agentStatus, journalStats, startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { allSamples, ledgerOf, startHqProcess } from '../support/hq.ts';
import { sized } from '../support/long.ts';
import { type LinkMode, startProxy } from '../support/proxy.ts';
import { expectExactly, type Recording, writeRecording } from '../support/recording.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const KILLS = sized(8, 50);
/** Each kind of fault of the link as often. */
const ROUNDS = sized(1, 4);

/** 10 Hz × 4 sources. */
function recordingsIn(folder: string): { recordings: readonly Recording[]; sources: readonly string[] } {
  const recordings = [1, 2, 3, 4].map((n) =>
    writeRecording(folder, { source: `log-${n}`, count: 6000, stepMs: 100, seed: n }),
  );
  return {
    recordings,
    sources: recordings.map(({ path, source }) => `csv:path=${path},name=${source},speed=1x`),
  };
}

// The moments of kills and cuts are what is drawn here; nothing below waits for something to have happened by then.
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until HQ has all that the journal in `dataDir` gave out, then holds both against the recordings. */
async function expectNothingLost(
  url: string,
  dataDir: string,
  recordings: readonly Recording[],
): Promise<number> {
  const { sampled, epoch } = await journalStats(dataDir, built);
  await until(`HQ to have all ${sampled} samples`, async () =>
    (await ledgerOf(url, 'edge')).some((entry) => entry.epoch === epoch && entry.stored >= sampled),
  );
  const ledger = await ledgerOf(url, 'edge');
  expect(ledger).toEqual([
    {
      epoch,
      sampled,
      stored: sampled,
      pending: 0,
      thinned: {},
      dropped: {},
      contiguous: sampled,
      ranges: [],
      gaps: [],
    },
  ]);
  const samples = await allSamples(url, 'edge');
  expect(samples.length).toBe(sampled);
  return expectExactly(samples, recordings);
}

describe('exactly once', () => {
  it(`survives kill -9 of the agent at ${KILLS} random moments`, async () => {
    const folder = temporaryFolder();
    const random = seededRandom(11);
    const { recordings, sources } = recordingsIn(folder);
    const hq = await startHqProcess(join(folder, 'hq'), built);
    const dataDir = join(folder, 'edge');
    const start = () => startAgentProcess({ id: 'edge', hq: hq.url, dataDir, sources, ...built });
    const stored = async () => (await ledgerOf(hq.url, 'edge').catch(() => []))[0]?.stored ?? 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const storedBefore = await stored();
      const agent = start();
      // Every second kill may fall into the start; the others fall into sampling, however slow the machine is.
      if (kill % 2 === 0) await until('the run to deliver', async () => (await stored()) > storedBefore);
      await pause(random.next() * 1000);
      await agent.end('SIGKILL');
    }
    const before = (await journalStats(dataDir, built)).sampled;
    const last = start();
    await until(
      'the last run to sample',
      async () => ((await agentStatus(last))?.journal?.sampled ?? 0) > before,
    );
    expect(await last.end('SIGTERM')).toBe(0);
    expect(await expectNothingLost(hq.url, dataDir, recordings), 'no row was sampled twice').toBe(4);
  });

  it(`survives kill -9 of HQ at ${KILLS} random moments`, async () => {
    const folder = temporaryFolder();
    const random = seededRandom(12);
    const { recordings, sources } = recordingsIn(folder);
    const hqDir = join(folder, 'hq');
    let hq = await startHqProcess(hqDir, built);
    const port = Number(new URL(hq.url).port);
    const dataDir = join(folder, 'edge');
    const agent = startAgentProcess({ id: 'edge', hq: hq.url, dataDir, sources, ...built });
    for (let kill = 0; kill < KILLS; kill += 1) {
      await pause(100 + random.next() * 900);
      await hq.end('SIGKILL');
      hq = await startHqProcess(hqDir, { port, ...built });
    }
    await until('the backlog to drain', async () => (await agentStatus(agent))?.journal?.pending === 0);
    expect(await agent.end('SIGTERM')).toBe(0);
    expect(await expectNothingLost(hq.url, dataDir, recordings)).toBe(4);
  });

  it('survives a link that refuses, swallows, hangs, delays and resets in mid-frame', async () => {
    const folder = temporaryFolder();
    const random = seededRandom(13);
    const { recordings, sources } = recordingsIn(folder);
    const hq = await startHqProcess(join(folder, 'hq'), {
      ...built,
      args: ['--socket-ping-interval-ms', '1000', '--socket-ping-timeout-ms', '800'],
    });
    const proxy = await startProxy(() => Number(new URL(hq.url).port));
    const dataDir = join(folder, 'edge');
    const agent = startAgentProcess({ id: 'edge', hq: proxy.url, dataDir, sources, ...built });
    const faults: readonly LinkMode[] = [
      { kind: 'refuse' },
      { kind: 'black-hole' },
      { kind: 'half-open' },
      { kind: 'delay', ms: 300 },
      { kind: 'reset-after', bytes: 2000 },
      { kind: 'reset-after', bytes: 600 },
    ];
    for (let round = 0; round < ROUNDS * faults.length; round += 1) {
      const fault = faults[round % faults.length];
      if (fault !== undefined) proxy.set(fault);
      await pause(1000 + random.next() * 2000);
      proxy.set({ kind: 'pass' });
      await pause(300 + random.next() * 900);
    }
    await until('the backlog to drain', async () => (await agentStatus(agent))?.journal?.pending === 0);
    expect(await agent.end('SIGTERM')).toBe(0);
    expect(await expectNothingLost(hq.url, dataDir, recordings)).toBe(4);
  });
});
