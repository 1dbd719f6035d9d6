/** An agent and HQ for a while on default settings: memory stays where it is, and nothing is lost. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { journalStats, startAgentProcess } from '../support/agent.ts';
import { ledgerOf, startHqProcess, summaryOf } from '../support/hq.ts';
import { long, sized } from '../support/long.ts';
import { growth, highest, keepFigures, MB, watchMemory } from '../support/memory.ts';
import { published } from '../support/published.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const SECONDS = Number(process.env.SOAK_SECONDS ?? sized(45, 600));
const HZ = 10;
const MAX_BYTES = 90 * MB;
/** Over the second half of the time: what 1 kB kept of each sample would come to. */
const MAX_GROWTH_BYTES = 3 * MB;

describe(`${SECONDS} s of 17 series at ${HZ} Hz`, () => {
  it('leave the agent at 90 MB at most, no longer growing, and HQ with every sample', {
    timeout: (SECONDS + 360) * 1000,
  }, async () => {
    const folder = temporaryFolder();
    const options = published();
    const hq = await startHqProcess(join(folder, 'hq'), options);
    const dataDir = join(folder, 'soak');
    const sources = [`sim:hz=${HZ},sensors=17`];
    const agent = startAgentProcess({ id: 'soak', hq: hq.url, dataDir, sources, args: [], ...options });
    const agentMemory = watchMemory(agent.pid, 1000);
    const hqMemory = watchMemory(hq.pid, 1000);

    const sampledForTheWholeTime = until(
      'the agent to have sampled for the whole time',
      async () => (await summaryOf(hq.url, 'soak')).sampled >= SECONDS * HZ,
      { deadlineMs: (SECONDS + 300) * 1000, everyMs: 1000 },
    );
    const died = agent.ended.then((code) => {
      throw new Error(`the agent ended with ${code}: ${agent.stderr.join('\n')}`);
    });
    await Promise.race([sampledForTheWholeTime, died]);
    died.catch(() => {});

    const end = agentMemory.at(-1)?.seconds ?? 0;
    const secondHalf = agentMemory.filter(({ seconds }) => seconds >= end / 2);
    const lastTenth = agentMemory.filter(({ seconds }) => seconds >= end * 0.9);
    const grown = growth(secondHalf) * (end / 2);
    keepFigures('soak', {
      seconds: Math.round(end),
      agentMb: highest(lastTenth) / MB,
      agentPeakMb: highest(agentMemory) / MB,
      agentGrownInSecondHalfMb: grown / MB,
      hqPeakMb: highest(hqMemory) / MB,
    });
    expect(secondHalf.length).toBeGreaterThan(SECONDS / 4);
    expect(highest(lastTenth)).toBeLessThanOrEqual(MAX_BYTES);
    // A process that has just started still takes what it needs.
    if (long) expect(grown).toBeLessThanOrEqual(MAX_GROWTH_BYTES);

    expect(await agent.end('SIGTERM')).toBe(0);
    const { sampled, epoch, pending } = await journalStats(dataDir, options);
    expect(pending).toBe(0);
    expect(await ledgerOf(hq.url, 'soak')).toEqual([
      {
        ...{ epoch, sampled, stored: sampled, pending: 0, contiguous: sampled },
        ...{ thinned: {}, dropped: {}, ranges: [], gaps: [] },
      },
    ]);
  });
});
