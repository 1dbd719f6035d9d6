/** An agent that gathers very many samples while HQ is away, and delivers them when it is back, in constant memory. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hostSamples } from '../../src/protocol/codec/testing/host-samples.ts';
import { agentStatus, journalStats, startAgentProcess } from '../support/agent.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { sized } from '../support/long.ts';
import { highest, keepFigures, lowest, MB, watchMemory } from '../support/memory.ts';
import { published } from '../support/published.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const SAMPLES = sized(200_000, 1_000_000);
const MAX_CHANGE_BYTES = 30 * MB;
/** 120 MB at rest; V8 gives a busy process over 100 MB for new objects alone, and takes its time to give them back. */
const MAX_HQ_BYTES = 512 * MB;
/** Rows that are made only once; the file repeats them. */
const CYCLE = 10_000;
const STEP_MS = 1_000;

/** 17 host metrics, one row a second for days. */
function writeHostLog(folder: string): string {
  const path = join(folder, 'host.csv');
  const cycle = hostSamples(CYCLE);
  const columns = cycle[0]?.schema.series.map(({ name }) => name) ?? [];
  const rows = cycle.map(({ values }) => values.join(','));
  const start = Date.parse('2026-01-01T00:00:00Z');
  const file = openSync(path, 'w');
  writeSync(file, `time,${columns.join(',')}\n`);
  for (let first = 0; first < SAMPLES; first += CYCLE) {
    writeSync(file, rows.map((row, index) => `${start + (first + index) * STEP_MS},${row}\n`).join(''));
  }
  closeSync(file);
  return path;
}

describe(`a backlog of ${SAMPLES} samples`, () => {
  it('drains within 30 MB of the memory that the agent had before, and arrives whole', {
    timeout: 600_000,
  }, async () => {
    const folder = temporaryFolder();
    const options = published();
    const hqDir = join(folder, 'hq');
    const dataDir = join(folder, 'drain');
    // HQ gets its address, then goes away.
    const first = await startHqProcess(hqDir, options);
    const port = Number(new URL(first.url).port);
    expect(await first.end('SIGTERM')).toBe(0);

    const sources = [`csv:path=${writeHostLog(folder)},speed=max`];
    const agent = startAgentProcess({ id: 'drain', hq: first.url, dataDir, sources, ...options });
    const gathering = watchMemory(agent.pid, 50);
    await until(
      'the agent to have them all in its journal',
      async () => (await agentStatus(agent))?.journal?.pending === SAMPLES,
      { everyMs: 250 },
    );
    const peakBefore = highest(gathering);

    const hq = await startHqProcess(hqDir, { port, ...options });
    const draining = watchMemory(agent.pid, 5);
    const level = lowest(draining.slice(0, 1));
    const hqMemory = watchMemory(hq.pid, 5);
    await until('HQ to have them all', async () =>
      (await ledgerOf(hq.url, 'drain')).some(({ stored }) => stored === SAMPLES),
    );
    await until('the agent to know', async () => (await agentStatus(agent))?.journal?.pending === 0);
    keepFigures('drain-memory', {
      agentPeakWhileGatheringMb: peakBefore / MB,
      agentAtStartMb: level / MB,
      agentHighestMb: highest(draining) / MB,
      agentLowestMb: lowest(draining) / MB,
      hqAtStartMb: lowest(hqMemory.slice(0, 1)) / MB,
      hqHighestMb: highest(hqMemory) / MB,
    });
    expect(draining.length).toBeGreaterThan(20);
    expect(highest(draining)).toBeLessThanOrEqual(level + MAX_CHANGE_BYTES);
    expect(lowest(draining)).toBeGreaterThanOrEqual(level - MAX_CHANGE_BYTES);
    expect(highest(hqMemory)).toBeLessThanOrEqual(MAX_HQ_BYTES);

    expect(await agent.end('SIGTERM')).toBe(0);
    const { sampled, epoch, pending } = await journalStats(dataDir, options);
    expect({ sampled, pending }).toEqual({ sampled: SAMPLES, pending: 0 });
    expect(await ledgerOf(hq.url, 'drain')).toEqual([
      {
        ...{ epoch, sampled, stored: SAMPLES, pending: 0, contiguous: SAMPLES },
        ...{ thinned: {}, dropped: {}, ranges: [], gaps: [] },
      },
    ]);
  });
});
