/**
 * Durable appends a second: the journal against SQLite (WAL, synchronous=FULL) and a plain file with fdatasync, in one
 * run. One sample or, as an agent gathers them, 200 a commit. Each waits for the one before, or some are in flight;
 * each is durable when it is told. Alone: `node benchmarks/journal.ts`.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { concatMap, lastValueFrom, mergeMap, type Observable, range } from 'rxjs';
import { openJournal } from '../src/journal/journal.ts';
import { createSystemClock } from '../src/platform/clock.ts';
import { systemIds } from '../src/platform/ids.ts';
import type { Sample } from '../src/protocol/sample.ts';
import { internSchema } from '../src/protocol/schema-ref.ts';
import { openLmdbStorage } from '../src/storage/lmdb/lmdb-storage.ts';
import type { BenchResult, BenchRow } from './result.ts';
import { print } from './support/print.ts';

const clock = createSystemClock();
const SERIES = 17;
const BATCH = 200;
const schema = internSchema({
  source: 'bench',
  boot: 'boot',
  series: Array.from({ length: SERIES }, (_, index) => ({
    name: `metric.${index}`,
    attributes: {},
    unit: '1',
  })),
});

/** Slowly varying decimals, as host metrics are. */
function samples(first: number, count: number): Sample[] {
  return Array.from({ length: count }, (_, row) => ({
    schema,
    ts: 1_760_000_000_000 + (first + row) * 100,
    mono: (first + row) * 100,
    values: schema.series.map(
      (_, index) => Math.round(5000 + 300 * Math.sin((first + row) / (index + 7))) / 100,
    ),
    anomalies: [],
    diagnostics: [],
  }));
}

type Case = {
  readonly name: string;
  readonly samplesPerCommit: number;
  readonly commits: number;
  readonly run: (commits: number, samplesPerCommit: number) => Promise<void> | void;
};

/** The stores take turns, so that a disk that others use too slows all of them alike. */
const ROUNDS = 5;

/** `scale` multiplies the number of commits; 1 takes some ten seconds. */
export async function benchJournal({ scale = 1 } = {}): Promise<BenchResult> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  try {
    const storage = await lastValueFrom(openLmdbStorage({ directory: join(directory, 'journal'), clock }));
    const options = { storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 32 } as const;
    const journal = await lastValueFrom(openJournal(options));
    const append = (inFlight: number) => (commits: number, count: number) =>
      lastValueFrom(
        range(0, commits).pipe(
          concatMapWith(inFlight, (index) => journal.append(samples(index * count, count))),
        ),
      ).then(() => {});
    const sqlite = openSqlite(join(directory, 'baseline.sqlite'));
    const file = openFile(join(directory, 'baseline.ndjson'));
    const cases: Case[] = [
      { name: 'journal, one sample a commit', samplesPerCommit: 1, commits: 200, run: append(1) },
      {
        name: 'SQLite WAL, synchronous=FULL, one sample a commit',
        samplesPerCommit: 1,
        commits: 200,
        run: sqlite.run,
      },
      { name: 'file with fdatasync, one sample a commit', samplesPerCommit: 1, commits: 200, run: file.run },
      {
        name: 'journal, one sample a commit, 64 in flight',
        samplesPerCommit: 1,
        commits: 2000,
        run: append(64),
      },
      { name: 'journal, 200 samples a commit', samplesPerCommit: BATCH, commits: 100, run: append(1) },
      {
        name: 'SQLite WAL, synchronous=FULL, 200 samples a commit',
        samplesPerCommit: BATCH,
        commits: 100,
        run: sqlite.run,
      },
      {
        name: 'file with fdatasync, 200 samples a commit',
        samplesPerCommit: BATCH,
        commits: 100,
        run: file.run,
      },
      {
        name: 'journal, 200 samples a commit, 8 in flight',
        samplesPerCommit: BATCH,
        commits: 200,
        run: append(8),
      },
    ];
    const rows = await measure(cases, scale);
    await lastValueFrom(journal.close(), { defaultValue: undefined });
    sqlite.close();
    file.close();
    return { title: 'journal: durable appends of 17 metrics', rows };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function measure(cases: readonly Case[], scale: number): Promise<BenchRow[]> {
  const tookMs = cases.map(() => 0);
  // Round 0 warms up.
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [index, { commits, samplesPerCommit, run }] of cases.entries()) {
      const before = clock.precise();
      await run(Math.ceil(commits * scale), samplesPerCommit);
      if (round > 0) tookMs[index] = (tookMs[index] ?? 0) + clock.precise() - before;
    }
  }
  return cases.map(({ name, samplesPerCommit, commits }, index) => {
    const samples = Math.ceil(commits * scale) * ROUNDS * samplesPerCommit;
    return { name, value: Math.round((samples * 1000) / (tookMs[index] ?? 1)), unit: 'samples/s' };
  });
}

const concatMapWith = <T, R>(inFlight: number, project: (value: T) => Observable<R>) =>
  inFlight === 1 ? concatMap(project) : mergeMap(project, inFlight);

/** One row a sample: time and the values as JSON. */
function openSqlite(path: string) {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  database.exec('CREATE TABLE samples (seq INTEGER PRIMARY KEY, ts INTEGER, mono INTEGER, data TEXT)');
  const insert = database.prepare('INSERT INTO samples (ts, mono, data) VALUES (?, ?, ?)');
  return {
    run: (commits: number, count: number) => {
      for (let index = 0; index < commits; index += 1) {
        database.exec('BEGIN');
        for (const { ts, mono, values } of samples(index * count, count))
          insert.run(ts, mono, JSON.stringify(values));
        database.exec('COMMIT');
      }
    },
    close: () => database.close(),
  };
}

/** One line a sample. */
function openFile(path: string) {
  const fd = openSync(path, 'a');
  return {
    run: (commits: number, count: number) => {
      for (let index = 0; index < commits; index += 1) {
        const lines = samples(index * count, count).map(({ ts, mono, values }) =>
          JSON.stringify({ ts, mono, values }),
        );
        writeSync(fd, `${lines.join('\n')}\n`);
        fdatasyncSync(fd);
      }
    },
    close: () => closeSync(fd),
  };
}

if (import.meta.main) print([await benchJournal()]);
