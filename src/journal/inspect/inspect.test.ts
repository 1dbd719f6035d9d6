import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { MAX_TS } from '../../protocol/sample.ts';
import { openLmdbStorage } from '../../storage/lmdb/lmdb-storage.ts';
import { openJournal } from '../journal.ts';
import type { Journal } from '../port.ts';
import { noisySamples, testSamples } from '../testing/test-samples.ts';
import { exportJournal, journalStats, peekJournal } from './inspect.ts';
import { verifyJournal } from './verify-journal.ts';

const clock = createSystemClock();
const verify = (directory: string) => lastValueFrom(verifyJournal(directory));

describe('inspecting a data directory', () => {
  let directory: string;
  let journal: Journal;
  const close = () => lastValueFrom(journal.close(), { defaultValue: undefined });
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-inspect-'));
    const storage = await lastValueFrom(openLmdbStorage({ directory, clock }));
    const options = { storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 20 } as const;
    journal = await lastValueFrom(openJournal(options));
    await lastValueFrom(journal.append(testSamples(1, 5)));
    await lastValueFrom(journal.append(testSamples(6, 5)));
    await lastValueFrom(journal.append(testSamples(11, 5)));
    await lastValueFrom(journal.release({ contiguous: 5, ranges: [] }));
    await lastValueFrom(journal.reject(6, 'test'));
  });
  afterEach(async () => {
    await close();
    rmSync(directory, { recursive: true });
  });

  it.each(['running', 'stopped'] as const)(
    'tells stats, verifies, peeks and exports while %s',
    async (state) => {
      const running = state === 'running';
      if (!running) await close();
      expect(journalStats(directory)).toMatchObject({
        directory,
        running,
        role: 'agent',
        journal: {
          sampled: 15,
          acked: 5,
          pending: 5,
          dropped: { rejected: 5 },
          schemas: 1,
          deadLetters: [{ firstSeq: 6, lastSeq: 10, detail: 'test' }],
        },
      });
      expect(await verify(directory)).toMatchObject({
        running,
        ok: true,
        damagedRecords: 0,
        fileProblem: null,
        journal: { epoch: journal.epoch, frames: 2, damagedFrames: [], holes: [], exact: true },
      });
      const exported = [...exportJournal(directory)];
      expect(exported[0]).toEqual({
        epoch: journal.epoch,
        gap: { firstSeq: 6, lastSeq: 10, reason: 'rejected' },
      });
      expect(exported.slice(1)).toHaveLength(5);
      expect(exported[1]).toMatchObject({ seq: 11, source: 'test', values: { a: 11 } });
      expect([...peekJournal(directory, 2)]).toMatchObject([{ seq: 15 }, { seq: 14 }]);
    },
  );

  it('sees what a running journal adds', async () => {
    expect(journalStats(directory).journal?.sampled).toBe(15);
    await lastValueFrom(journal.append(testSamples(16, 1)));
    expect(journalStats(directory).journal?.sampled).toBe(16);
  });

  it('exports every number and time as it is', async () => {
    const [sample] = testSamples(16, 1);
    if (sample === undefined) throw new Error('there is one');
    const odd = [-0, Number.NEGATIVE_INFINITY, Number.NaN];
    const anomaly = {
      ...({ series: 0, state: 'open', startTs: -MAX_TS, peakTs: MAX_TS, endTs: null } as const),
      ...{
        peakValue: -0,
        peakZ: Number.NaN,
        mean: Number.NEGATIVE_INFINITY,
        stddev: Number.POSITIVE_INFINITY,
      },
      judgement: { method: 'adaptive', threshold: Number.POSITIVE_INFINITY } as const,
    };
    const edges = [MAX_TS, -MAX_TS].map((ts) => ({ ...sample, ts, values: odd, anomalies: [anomaly] }));
    await lastValueFrom(journal.append(edges));
    const written = [...peekJournal(directory, 2)].map((record) => JSON.parse(JSON.stringify(record)));
    for (const [index, ts] of [-MAX_TS, MAX_TS].entries()) {
      expect(written[index]).toMatchObject({
        ts,
        values: { a: '-0', b: '-Infinity', c: 'NaN' },
        anomalies: [
          {
            ...{ peakValue: '-0', peakZ: 'NaN', mean: '-Infinity', stddev: 'Infinity' },
            judgement: { threshold: 'Infinity' },
          },
        ],
      });
    }
  });

  it('says what is wrong with a damaged file', async () => {
    await close();
    truncateSync(join(directory, 'data.mdb'), 8192);
    expect(await verify(directory)).toMatchObject({ ok: false, journal: null });
    expect((await verify(directory)).fileProblem).toMatch(/file has 8192 bytes/);
    expect(() => journalStats(directory)).toThrow(/damaged/);
  });

  it('says when there is nothing', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'holdfast-empty-'));
    expect(() => journalStats(empty)).toThrow(/no journal/);
    await expect(verify(empty)).rejects.toMatchObject({ code: 'configuration' });
    rmSync(empty, { recursive: true });
  });

  it('verifies and exports what is left of thinned samples', async () => {
    await close();
    const storage = await lastValueFrom(openLmdbStorage({ directory, clock }));
    const options = { storage, clock, ids: systemIds, policy: 'thin', maxBytes: 2 ** 17 } as const;
    journal = await lastValueFrom(openJournal(options));
    for (let n = 100; n < 4_000; n += 100) {
      await lastValueFrom(journal.append(noisySamples(n, 100)));
      await lastValueFrom(journal.compact([]));
      await lastValueFrom(journal.thin([]));
    }
    const { thinned, pending } = journal.stats();
    expect(journalStats(directory).journal).toMatchObject({ thinned, pending });
    expect(await verify(directory)).toMatchObject({ ok: true, journal: { exact: true, damagedFrames: [] } });
    const records = [...exportJournal(directory)];
    const buckets = records.flatMap((record) => ('thinned' in record ? [record.thinned] : []));
    expect(thinned).toBeGreaterThan(0);
    expect(buckets.reduce((sum, { samples }) => sum + samples, 0)).toBe(thinned);
    const [first] = buckets;
    const [name] = Object.keys(first?.values ?? {});
    const { count, min = 0, max = 0, mean = 0 } = first?.values[name ?? ''] ?? { count: 0 };
    expect(count).toBe(first?.samples);
    expect(Number(min)).toBeLessThanOrEqual(Number(mean));
    expect(Number(mean)).toBeLessThanOrEqual(Number(max));
    expect([...peekJournal(directory, records.length)].reverse()).toEqual(records);
  });
});
