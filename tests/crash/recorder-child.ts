/**
 * Writes a journal under the recording shim. Arguments: directory, file for what is confirmed, commits, `weak` to open
 * LMDB with its defaults, how many samples a commit has on top of one to seven; these are large ones then. Says
 * `durable N` once everything up to seq N is confirmed, `releasing N` before HQ's ack of it is noted, and `failed CODE`
 * of a commit, which is then tried again, and `damaged DETAIL` of what it could not trust. Closes the journal in order
 * and ends when asked to by SIGTERM.
 */
import { openSync, readFileSync, writeSync } from 'node:fs';
import { registerHooks } from 'node:module';

const [directory = '', acks = '', commits = '0', strength = 'strong', samples = '0'] = process.argv.slice(2);
if (strength === 'weak') {
  registerHooks({
    load: (url, context, next) => {
      if (!url.endsWith('/lmdb-environment.ts')) return next(url, context);
      const source = readFileSync(new URL(url), 'utf8').replaceAll(
        'overlappingSync: false',
        'overlappingSync: true',
      );
      return { format: 'module-typescript', source, shortCircuit: true };
    },
  });
}
const { lastValueFrom } = await import('rxjs');
const { openLmdbStorage } = await import('../../src/storage/lmdb/lmdb-storage.ts');
const { openJournal } = await import('../../src/journal/journal.ts');
const { noisySamples, testSamples } = await import('../../src/journal/testing/test-samples.ts');
const { createSystemClock } = await import('../../src/platform/clock.ts');
const { systemIds } = await import('../../src/platform/ids.ts');

const clock = createSystemClock();
const fd = openSync(acks, 'a');
const say = (line: string) => writeSync(fd, `${line}\n`);
const storage = await lastValueFrom(openLmdbStorage({ directory, clock }));
storage.damage$.subscribe(({ detail }) => say(`damaged ${detail}`));
const journal = await lastValueFrom(
  openJournal({
    storage,
    clock,
    ids: systemIds,
    policy: 'drop-oldest',
    maxBytes: 2 ** 24,
    compactSamples: 32,
  }),
);
const { StorageError } = await import('../../src/storage/storage.ts');
const { retry, timer } = await import('rxjs');
const RETRY_MS = 20;

const samplesFrom = Number(samples) > 0 ? noisySamples : testSamples;

let isStopping = false;
process.once('SIGTERM', () => {
  isStopping = true;
});

for (let commit = 1; commit <= Number(commits); commit += 1) {
  if (isStopping) {
    await lastValueFrom(journal.close(), { defaultValue: undefined });
    break;
  }
  const next = journal.stats().sampled + 1;
  // One array: an append that failed and got through is not made again.
  const append = journal.append(samplesFrom(next, 1 + Number(samples) + (commit % 7))).pipe(
    retry({
      delay: (error: unknown) => {
        say(`failed ${error instanceof StorageError ? error.code : String(error)}`);
        return timer(RETRY_MS);
      },
    }),
  );
  const { frame } = await lastValueFrom(append);
  say(`durable ${frame.lastSeq}`);
  if (commit % 16 === 0) await lastValueFrom(journal.compact([])).catch(() => null);
  if (commit % 50 === 0) {
    const contiguous = Math.floor(frame.lastSeq / 2);
    say(`releasing ${contiguous}`);
    await lastValueFrom(journal.release({ contiguous, ranges: [] })).catch(() => null);
  }
}
// The end of the process is as good as a crash: the images are of what was before.
