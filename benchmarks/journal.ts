/**
 * Durable appends a second: the journal against SQLite (WAL, synchronous=FULL) and a plain file with fdatasync, in one run.
 * `single`: each sample waits for its own commit. `batched`: 200 samples a commit, as an agent gathers them.
 * `pipelined`: appends do not wait for each other (64 single or 8 batched ones in flight); each is durable when it is told.
 * Alone: `node benchmarks/journal.ts`.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { concatMap, lastValueFrom, mergeMap, type Observable, range } from 'rxjs';
import { openLmdbStorage } from '../src/journal/lmdb-storage.ts';
import { openJournal } from '../src/journal/open-journal.ts';
import { createSystemClock } from '../src/platform/clock.ts';
import { systemIds } from '../src/platform/ids.ts';
import type { Sample } from '../src/protocol/sample.ts';
import { internSchema } from '../src/protocol/schema-ref.ts';

export type JournalBenchRow = {
  readonly store: 'journal' | 'sqlite' | 'file';
  readonly mode: 'single' | 'batched' | 'pipelined';
  readonly samplesPerCommit: number;
  readonly samplesPerSecond: number;
  readonly commitsPerSecond: number;
};

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
  readonly store: JournalBenchRow['store'];
  readonly mode: JournalBenchRow['mode'];
  readonly samplesPerCommit: number;
  readonly commits: number;
  readonly run: (commits: number, samplesPerCommit: number) => Promise<void> | void;
};

/** The stores take turns, so that a disk that others use too slows all of them alike. */
const ROUNDS = 5;

/** `scale` multiplies the number of commits; 1 takes some ten seconds. */
export async function benchJournal(scale = 1): Promise<readonly JournalBenchRow[]> {
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
      { store: 'journal', mode: 'single', samplesPerCommit: 1, commits: 200, run: append(1) },
      { store: 'sqlite', mode: 'single', samplesPerCommit: 1, commits: 200, run: sqlite.run },
      { store: 'file', mode: 'single', samplesPerCommit: 1, commits: 200, run: file.run },
      { store: 'journal', mode: 'pipelined', samplesPerCommit: 1, commits: 2000, run: append(64) },
      { store: 'journal', mode: 'batched', samplesPerCommit: BATCH, commits: 100, run: append(1) },
      { store: 'sqlite', mode: 'batched', samplesPerCommit: BATCH, commits: 100, run: sqlite.run },
      { store: 'file', mode: 'batched', samplesPerCommit: BATCH, commits: 100, run: file.run },
      { store: 'journal', mode: 'pipelined', samplesPerCommit: BATCH, commits: 200, run: append(8) },
    ];
    const rows = await measure(cases, scale);
    await lastValueFrom(journal.close(), { defaultValue: undefined });
    sqlite.close();
    file.close();
    return rows;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function measure(cases: readonly Case[], scale: number): Promise<JournalBenchRow[]> {
  const tookMs = cases.map(() => 0);
  // Round 0 warms up.
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [index, { commits, samplesPerCommit, run }] of cases.entries()) {
      const before = clock.precise();
      await run(Math.ceil(commits * scale), samplesPerCommit);
      if (round > 0) tookMs[index] = (tookMs[index] ?? 0) + clock.precise() - before;
    }
  }
  return cases.map(({ store, mode, samplesPerCommit, commits }, index) => {
    const commitsPerSecond = (Math.ceil(commits * scale) * ROUNDS * 1000) / (tookMs[index] ?? 1);
    const samplesPerSecond = commitsPerSecond * samplesPerCommit;
    return { store, mode, samplesPerCommit, samplesPerSecond, commitsPerSecond };
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

if (import.meta.main) {
  const rows = await benchJournal();
  if (process.argv.includes('--json')) console.log(JSON.stringify(rows));
  else
    console.table(
      rows.map((row) => ({
        ...row,
        samplesPerSecond: Math.round(row.samplesPerSecond),
        commitsPerSecond: Math.round(row.commitsPerSecond),
      })),
    );
}
