/**
 * A small journal, an HQ that is away, and far more samples than fit: each policy gives way as it says, and the ledger
 * stay exact.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { OverflowPolicy } from '../../src/journal/port.ts';
import type { LedgerEntry, SampleDocument } from '../../src/protocol/api.ts';
import { bucketSchema } from '../../src/protocol/bucket.ts';
import { agentStatus, impatient, journalStats, startAgentProcess } from '../support/agent.ts';
import { expectEveryFate } from '../support/fate.ts';
import { built } from '../support/holdfast.ts';
import { allSamples, getJson, ledgerOf, startHqProcess } from '../support/hq.ts';
import { long, sized } from '../support/long.ts';
import { startProxy } from '../support/proxy.ts';
import { type Recording, writeRecording } from '../support/recording.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const QUOTA = sized(2, 4) * 2 ** 20;
const COUNT = sized(200_000, 400_000);
const STEP_MS = 100;
const BUCKET_MS = 60_000;

/** Time of a row of the recording; the journal's only source gives row n the seq n. */
const timeOf = (seq: number) => Date.parse('2026-01-01T00:00:00Z') + (seq - 1) * STEP_MS;

type Away = {
  readonly recording: Recording;
  readonly dataDir: string;
  readonly hqUrl: string;
  readonly status: () => ReturnType<typeof agentStatus>;
  /** Brings the link up, waits until all is delivered, stops the agent. */
  readonly deliver: () => Promise<LedgerEntry>;
};

async function startWithoutHq(
  policy: OverflowPolicy,
  { speed = 'max', args = [] as readonly string[] } = {},
): Promise<Away> {
  const folder = temporaryFolder();
  const recording = writeRecording(folder, { source: 'log', count: COUNT, stepMs: STEP_MS, seed: 9 });
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const link = await startProxy(() => Number(new URL(hq.url).port));
  link.set({ kind: 'refuse' });
  const dataDir = join(folder, 'edge');
  const agent = startAgentProcess({
    id: 'edge',
    hq: link.url,
    dataDir,
    sources: [`csv:path=${recording.path},name=log,speed=${speed},ts=row`],
    args: [...impatient, '--journal-max-bytes', String(QUOTA), '--journal-overflow', policy, ...args],
    ...built,
  });
  const status = () => agentStatus(agent);
  return {
    recording,
    dataDir,
    hqUrl: hq.url,
    status,
    deliver: async () => {
      link.set({ kind: 'pass' });
      await until('everything to be delivered', async () => {
        const now = await status();
        return now?.journal?.sampled === COUNT && now.journal.pending === 0 && now.state === 'live';
      });
      expect(await agent.end('SIGTERM')).toBe(0);
      const [entry, ...others] = await ledgerOf(hq.url, 'edge');
      expect(others).toEqual([]);
      if (entry === undefined) throw new Error('HQ has no ledger of the agent');
      return entry;
    },
  };
}

/** Every seq has its fate, and the gaps their times. */
async function expectExact(
  { recording, dataDir, hqUrl }: Away,
  entry: LedgerEntry,
): Promise<readonly SampleDocument[]> {
  const journal = await journalStats(dataDir, built);
  const samples = await expectEveryFate({ recording, hqUrl, entry, journal });
  for (const { firstSeq, lastSeq, fromTs, toTs } of entry.gaps) {
    expect({ fromTs, toTs }).toEqual({ fromTs: timeOf(firstSeq), toTs: timeOf(lastSeq) });
  }
  return samples;
}

/** The chart has what was stored, and null where nothing was. */
async function expectChart(hqUrl: string, samples: readonly SampleDocument[]): Promise<void> {
  const [from, to] = [timeOf(1), timeOf(COUNT + 1)];
  const rows = new Map<number, number[]>();
  for (const { ts, values } of samples) {
    const t = ts - ((ts - from) % BUCKET_MS);
    const bucket = rows.get(t) ?? [];
    bucket.push(Number(values.row));
    rows.set(t, bucket);
  }
  const query = `from=${from}&to=${to}&step=${BUCKET_MS}`;
  const document = await getJson(`${hqUrl}/api/v1/agents/edge/series/row?${query}`);
  const { items } = z.object({ items: z.array(bucketSchema) }).parse(document);
  expect(items).toHaveLength(Math.ceil((to - from) / BUCKET_MS));
  let empty = 0;
  for (const { t, count, min, max, mean } of items) {
    const bucket = rows.get(t);
    if (bucket === undefined) {
      empty += 1;
      expect({ count, min, max, mean }).toEqual({ count: 0, min: null, max: null, mean: null });
    } else {
      expect({ count, min, max }).toEqual({
        count: bucket.length,
        min: Math.min(...bucket),
        max: Math.max(...bucket),
      });
    }
  }
  expect(empty).toBeGreaterThan(items.length / 10);
}

const overflowed = async ({ status, dataDir }: Away) => {
  const now = await until('the whole recording to be sampled', async () => {
    const one = await status();
    return one?.journal?.sampled === COUNT && one;
  });
  expect(now.state).toBe('degraded');
  expect((await journalStats(dataDir, built)).usedBytes).toBeLessThanOrEqual(QUOTA);
};

describe('a journal that is full', () => {
  it('thins the oldest samples by default, drops none where it has the time, and HQ shows all that is left', async () => {
    // As fast as thinning can follow; values without any order are no anomalies here.
    const calm = ['--detect-threshold', '100'];
    const away = await startWithoutHq('thin', { speed: sized('300', '1000'), args: calm });
    const offline = await until('the whole recording to be sampled', async () => {
      const now = await away.status();
      return now?.journal?.sampled === COUNT && now.journal;
    });
    // Where others take the machine thinning comes too late for some: then the oldest go, told and counted.
    const dropped = z.record(z.string(), z.number()).parse(offline.dropped);
    const { overflow_oldest: gone = 0, ...elsehow } = dropped;
    if (long) expect(gone).toBe(0);
    expect(elsehow).toEqual({});
    expect(offline.pending).toBe(COUNT - gone);
    const stats = await journalStats(away.dataDir, built);
    expect(stats.usedBytes).toBeLessThanOrEqual(QUOTA);
    const thinned = Number(stats.thinned);
    expect(thinned).toBeGreaterThan(COUNT / 10);
    const entry = await away.deliver();
    expect(entry).toMatchObject({ sampled: COUNT, pending: 0, dropped, contiguous: COUNT });
    expect(entry.gaps).toMatchObject(gone === 0 ? [] : [{ firstSeq: 1, lastSeq: gone }]);
    expect(entry.thinned).toEqual({ overflow: COUNT - gone - entry.stored });
    expect(entry.thinned.overflow).toBeGreaterThanOrEqual(thinned);
    const whole = await allSamples(away.hqUrl, 'edge');
    expect(whole).toHaveLength(entry.stored);
    const [from, to] = [timeOf(1), timeOf(COUNT + 1)];
    const query = `from=${from}&to=${to}&step=${60 * BUCKET_MS}`;
    const document = await getJson(`${away.hqUrl}/api/v1/agents/edge/series/row?${query}`);
    const { items } = z.object({ items: z.array(bucketSchema) }).parse(document);
    const full = items.filter(({ count }) => count > 0);
    expect(full.reduce((sum, { count }) => sum + count, 0)).toBe(COUNT - gone);
    // The rows are numbered: what a bucket says of them follows from its count.
    let next = gone + 1;
    for (const { count, min, max, mean } of full) {
      expect({ min, max }).toEqual({ min: next, max: next + count - 1 });
      expect(mean).toBeCloseTo(next + (count - 1) / 2, 3);
      next += count;
    }
    const newest = COUNT - COUNT / 20;
    expect(
      whole.filter(({ seq }) => seq > newest),
      'the newest are whole',
    ).toHaveLength(COUNT / 20);
  });

  it('gives up the oldest samples with drop-oldest', async () => {
    const away = await startWithoutHq('drop-oldest');
    await overflowed(away);
    const entry = await away.deliver();
    const dropped = entry.dropped.overflow_oldest ?? 0;
    expect(dropped).toBeGreaterThan(COUNT / 10);
    expect(entry.stored).toBeGreaterThan(COUNT / 10);
    expect(entry.gaps).toMatchObject([{ firstSeq: 1, lastSeq: dropped }]);
    await expectChart(away.hqUrl, await expectExact(away, entry));
  });

  it('refuses the newest samples with drop-newest', async () => {
    const away = await startWithoutHq('drop-newest');
    await overflowed(away);
    const entry = await away.deliver();
    expect(Object.keys(entry.dropped)).toEqual(['overflow_newest']);
    expect(entry.stored).toBeGreaterThan(COUNT / 10);
    expect(entry.gaps[0]?.firstSeq, 'the oldest are kept').toBeGreaterThan(COUNT / 10);
    await expectChart(away.hqUrl, await expectExact(away, entry));
  });

  it('stops sampling with block, and goes on where it stopped, so that nothing is lost', async () => {
    const away = await startWithoutHq('block');
    const blocked = await until('it to be full', async () => {
      const now = await away.status();
      return now?.state === 'degraded' && now.journal;
    });
    expect(blocked.sampled).toBeLessThan(COUNT);
    expect(blocked.pending).toBe(blocked.sampled);
    const entry = await away.deliver();
    expect(entry).toMatchObject({ stored: COUNT, dropped: {}, gaps: [] });
    await expectExact(away, entry);
  });
});
