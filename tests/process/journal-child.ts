/** A process with a journal, for the tests that end it. Arguments: mode, directory. Prints one line per step. */
import { writeSync } from 'node:fs';
import { concatMap, count, lastValueFrom, range } from 'rxjs';
import { openJournal } from '../../src/journal/journal.ts';
import type { Journal } from '../../src/journal/port.ts';
import { noisySamples, testSamples } from '../../src/journal/testing/test-samples.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';
import { StorageError } from '../../src/storage/storage.ts';

const [mode = '', directory = ''] = process.argv.slice(2);
const clock = createSystemClock();
const say = (line: string) => writeSync(1, `${line}\n`);

async function open(): Promise<Journal> {
  const storage = await lastValueFrom(openLmdbStorage({ directory, clock }));
  const options = { storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 30 } as const;
  return lastValueFrom(openJournal(options));
}

/** Appends for ever; each line tells a seq that is durable. Compacts and releases now and then, as an agent does. */
async function append(): Promise<void> {
  const journal = await open();
  const { sampled } = journal.stats();
  say(`open ${sampled}`);
  await lastValueFrom(
    range(0, 1_000_000).pipe(
      concatMap((step) => journal.append(testSamples(sampled + step * 3 + 1, 3))),
      concatMap(async ({ frame }) => {
        say(`durable ${frame.lastSeq}`);
        if (frame.lastSeq % 10 === 0) await lastValueFrom(journal.compact([]));
      }),
    ),
  );
}

/** Appends until the disk takes no more, frees what it holds, appends again. */
async function fill(): Promise<void> {
  // Node would otherwise be ended by the signal that tells of the file size limit.
  process.on('SIGXFSZ', () => {});
  process.on('unhandledRejection', () => process.exit(3));
  const journal = await open();
  const appendOnce = () => lastValueFrom(journal.append(noisySamples(journal.stats().sampled + 1, 1000)));
  for (let failed = false; !failed; ) {
    failed = await appendOnce().then(
      () => false,
      (error: unknown) => {
        say(`failed ${error instanceof StorageError ? error.code : 'other'}`);
        return true;
      },
    );
  }
  const { sampled } = journal.stats();
  say(`readable ${(await lastValueFrom(journal.pending({ order: 'oldest', limit: 1 }))).firstSeq}`);
  await lastValueFrom(journal.release({ contiguous: sampled, ranges: [] }));
  say(`released ${journal.stats().pending}`);
  // LMDB reuses pages from the second commit on after the one that freed them.
  await lastValueFrom(journal.append(noisySamples(1, 1)));
  const { frame } = await appendOnce();
  say(`appended ${frame.lastSeq - frame.firstSeq + 1}`);
  await lastValueFrom(journal.close(), { defaultValue: undefined });
  say('closed');
}

/** Reads everything there is and goes without closing, as a crash would. */
async function read(): Promise<void> {
  const journal = await open();
  const frames = await lastValueFrom(
    journal.pending({ order: 'oldest', limit: Number.POSITIVE_INFINITY }).pipe(count()),
  );
  await lastValueFrom(journal.append(noisySamples(1, 1)));
  say(`read ${frames}`);
  process.kill(process.pid, 'SIGKILL');
}

try {
  if (mode === 'append') await append();
  else if (mode === 'fill') await fill();
  else if (mode === 'read') await read();
  else {
    await open();
    say('open');
    setInterval(() => {}, 60_000);
  }
} catch (error) {
  say(
    `error ${error instanceof StorageError ? error.code : String(error)} ${error instanceof Error ? error.message : ''}`,
  );
  process.exitCode = 1;
}
