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

/** `scale` multiplies the number of commits; 1 takes some ten seconds. */
export async function benchJournal(scale = 1): Promise<readonly JournalBenchRow[]> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const rows: JournalBenchRow[] = [];
  const measure = async (
    store: JournalBenchRow['store'],
    mode: JournalBenchRow['mode'],
    samplesPerCommit: number,
    commits: number,
    run: (commits: number, samplesPerCommit: number) => Promise<void> | void,
  ) => {
    await run(Math.ceil(commits / 10), samplesPerCommit);
    const before = clock.precise();
    await run(commits, samplesPerCommit);
    const commitsPerSecond = (commits * 1000) / (clock.precise() - before);
    rows.push({
      store,
      mode,
      samplesPerCommit,
      commitsPerSecond,
      samplesPerSecond: commitsPerSecond * samplesPerCommit,
    });
  };
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
    await measure('journal', 'single', 1, 1000 * scale, append(1));
    await measure('journal', 'pipelined', 1, 10_000 * scale, append(64));
    await measure('journal', 'batched', BATCH, 500 * scale, append(1));
    await measure('journal', 'pipelined', BATCH, 1000 * scale, append(8));
    await lastValueFrom(journal.close(), { defaultValue: undefined });

    const sqlite = openSqlite(join(directory, 'baseline.sqlite'));
    await measure('sqlite', 'single', 1, 1000 * scale, sqlite.run);
    await measure('sqlite', 'batched', BATCH, 500 * scale, sqlite.run);
    sqlite.close();

    const file = openFile(join(directory, 'baseline.ndjson'));
    await measure('file', 'single', 1, 1000 * scale, file.run);
    await measure('file', 'batched', BATCH, 500 * scale, file.run);
    file.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
  return rows;
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
