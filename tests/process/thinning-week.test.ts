/**
 * Two days, or a week, without HQ at 1 Hz × 17 series, on a real LMDB file: only the time of the samples is virtual.
 * What is left is compared with every sample that there was.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { closeStore, openStore, testClock } from '../../src/hq/store/testing/frames.ts';
import { ledgerOf, readBuckets } from '../../src/hq/store/testing/read.ts';
import { SURROUNDINGS } from '../../src/journal/downsampling/downsampling.ts';
import { verifyJournal } from '../../src/journal/inspect/verify-journal.ts';
import { openJournal } from '../../src/journal/journal.ts';
import type { StoredFrame } from '../../src/journal/port.ts';
import { checkTruth } from '../../src/journal/testing/downsampled-truth.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { hostSchema, hostStream } from '../../src/protocol/codec/testing/host-samples.ts';
import { readHeader } from '../../src/protocol/frame-codec.ts';
import type { Sample } from '../../src/protocol/sample.ts';
import { openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { sized } from '../support/long.ts';
import { temporaryFolder } from '../support/temporary.ts';

const HOUR = 3600;
const SPAN = sized({ name: 'two days', seconds: 48 * HOUR }, { name: 'a week', seconds: 168 * HOUR });
const SECONDS = SPAN.seconds;
/** Samples of one append; the agent compacts and thins more often than it appends so many. */
const BATCH = 600;
const clock = createSystemClock();

/** One sample in six hours is an anomaly. */
const isNotable = (seq: number) => seq % (6 * HOUR) === 1234;

function notableStream(samples: () => Sample): () => Sample {
  let seq = 0;
  return () => {
    seq += 1;
    const sample = samples();
    if (!isNotable(seq)) return sample;
    const { ts } = sample;
    const figures = { startTs: ts, peakTs: ts, peakValue: 9, peakZ: 4, mean: 1, stddev: 2, endTs: null };
    return { ...sample, anomalies: [{ series: 0, state: 'open', ...figures }] };
  };
}

/** Doubles that do not compress: the worst case. */
function rawStream(): () => Sample {
  const random = seededRandom(7);
  const host = hostStream(7);
  return () => {
    const sample = host();
    return { ...sample, values: sample.values.map(() => random.next()) };
  };
}

async function outage(directory: string, maxBytes: number, stream: () => Sample) {
  const storage = await lastValueFrom(openLmdbStorage({ directory, clock }));
  const journal = await lastValueFrom(
    openJournal({ storage, clock, ids: systemIds, policy: 'thin', maxBytes }),
  );
  const samples = notableStream(stream);
  for (let seq = 0; seq < SECONDS; seq += BATCH) {
    await lastValueFrom(journal.append(Array.from({ length: BATCH }, samples)));
    await lastValueFrom(journal.compact([]));
    await lastValueFrom(journal.thin([]));
  }
  const frames = await lastValueFrom(
    journal.pending({ order: 'oldest', limit: Number.POSITIVE_INFINITY }).pipe(toArray()),
  );
  const stats = journal.stats();
  const fileBytes = statSync(join(directory, 'data.mdb')).size;
  await lastValueFrom(journal.close(), { defaultValue: undefined });
  return { frames, stats, fileBytes };
}

/**
 * Throws where a frame is untrue or a seq missing; returns from which seq on everything is whole, and how many
 * anomalies are.
 */
function inspect(frames: readonly StoredFrame[], stream: () => Sample) {
  const samples = notableStream(stream);
  let [next, wholeFrom, notable] = [1, 1, 0];
  for (const frame of frames) {
    expect(frame.firstSeq).toBe(next);
    next = frame.lastSeq + 1;
    if (frame.kind !== 'data') wholeFrom = next;
    let seq = frame.firstSeq;
    checkTruth(frame, () => {
      if (frame.kind === 'data' && isNotable(seq)) notable += 1;
      seq += 1;
      return samples();
    });
  }
  expect(next).toBe(SECONDS + 1);
  return { wholeFrom, notable };
}

/** Delivers all of it to HQ's store, and asks for all of it by the hour. */
async function expectAtHq(frames: readonly StoredFrame[], stream: () => Sample): Promise<void> {
  const truth: { count: number; min: number; max: number }[] = [];
  let from = Number.NaN;
  for (let seq = 1; seq <= SECONDS; seq += 1) {
    const { ts, values } = stream();
    if (seq === 1) from = ts;
    const hour = Math.floor((ts - from) / (HOUR * 1000));
    const value = Number(values[0]);
    const row = truth[hour] ?? { count: 0, min: value, max: value };
    truth[hour] = { count: row.count + 1, min: Math.min(row.min, value), max: Math.max(row.max, value) };
  }
  const store = await openStore(createMemoryStorage({}), { clock: testClock(from + 1000 * SECONDS) });
  try {
    await lastValueFrom(store.putSchema('a1', hostSchema));
    for (const { bytes } of frames) {
      const header = readHeader(bytes);
      await lastValueFrom(
        store.append([{ agent: 'a1', header, bytes, arrivalTs: header.tsMax, lane: 'backlog' }]),
      );
    }
    const [entry] = await ledgerOf(store);
    const thinned = entry?.thinned.overflow ?? 0;
    expect(entry).toMatchObject({
      sampled: SECONDS,
      stored: SECONDS - thinned,
      pending: 0,
      dropped: {},
      contiguous: SECONDS,
    });
    const [series] = hostSchema.series;
    const name = { agent: 'a1', source: hostSchema.source, series: series?.name ?? '' };
    const query = { ...name, from, to: from + truth.length * HOUR * 1000 };
    const buckets = await readBuckets(store, { ...query, stepMs: HOUR * 1000 });
    expect(buckets).toHaveLength(truth.length);
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(SECONDS);
    let inHour = 0;
    buckets.forEach(({ count, min, max }, hour) => {
      // A thinned row that reaches into the next hour counts in the one that it begins in.
      const there = truth[hour];
      expect(Math.abs(count - (there?.count ?? 0))).toBeLessThan(HOUR / 2);
      if (there !== undefined && min === there.min && max === there.max) inHour += 1;
    });
    expect(inHour).toBeGreaterThan(buckets.length * 0.9);
  } finally {
    await closeStore(store);
  }
}

describe(`${SPAN.name} without HQ`, () => {
  const host = { of: 'a host’s samples', stream: () => hostStream(1) };
  const raw = { of: 'incompressible samples', stream: rawStream };
  it.each(
    sized(
      [
        { ...host, quota: '2 MB', maxBytes: 2_000_000, wholeHours: 8 },
        { ...raw, quota: '7 MB', maxBytes: 7_000_000, wholeHours: 3 },
      ],
      [
        { ...host, quota: '2 MB', maxBytes: 2_000_000, wholeHours: 8 },
        { ...host, quota: '50 MB', maxBytes: 50_000_000, wholeHours: 168 },
        { ...raw, quota: '50 MB', maxBytes: 50_000_000, wholeHours: 24 },
      ],
    ),
  )('fits $quota from end to end ($of)', async ({ maxBytes, stream, wholeHours }) => {
    const directory = temporaryFolder();
    const { frames, stats, fileBytes } = await outage(directory, maxBytes, stream());
    expect(stats).toMatchObject({ sampled: SECONDS, pending: SECONDS, dropped: {}, overflowing: false });
    expect(fileBytes).toBeLessThanOrEqual(maxBytes);
    const { wholeFrom, notable } = inspect(frames, stream());
    const hours = (SECONDS - wholeFrom + 1) / HOUR;
    console.log(
      `${maxBytes} bytes: ${frames.length} frames, whole for the last ${hours.toFixed(1)} h, file ${fileBytes}`,
    );
    expect(hours).toBeGreaterThanOrEqual(wholeHours);
    expect(stats.thinned > 0).toBe(wholeHours < SECONDS / HOUR);
    // Every anomaly is there as it was.
    expect(notable).toBe(SECONDS / (6 * HOUR));
    const around = frames.filter(({ kind, notable: isKept }) => kind === 'data' && isKept);
    for (const { firstSeq, lastSeq } of around)
      expect(lastSeq - firstSeq).toBeGreaterThanOrEqual(2 * SURROUNDINGS);
    if (maxBytes < 3_000_000) await expectAtHq(frames, stream());
    expect(await lastValueFrom(verifyJournal(directory))).toMatchObject({
      ok: true,
      journal: { exact: true },
    });
  });
});
