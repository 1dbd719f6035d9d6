/**
 * The journal on LMDB against what disks do: images of every moment of a recorded load, with what was not synced lost,
 * reordered or torn; and a disk that fills up, fails, slows down or turns read-only under a running journal.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { openJournal } from '../../src/journal/journal.ts';
import { noisySamples } from '../../src/journal/testing/test-samples.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { decodeData, decodeGap } from '../../src/protocol/frame-codec.ts';
import { openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';
import { node } from '../support/holdfast.ts';
import { sized } from '../support/long.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';
import { buildShim, haveCompiler } from './build-shim.ts';
import { parseRecord } from './images.ts';

const here = import.meta.dirname;
const IMAGES = sized(200, 2_000);
const PROCESSES = 2;

const foundSchema = z.union([
  z.object({ seed: z.number(), error: z.string() }),
  z.object({
    seed: z.number(),
    lost: z.number(),
    exact: z.boolean(),
    goesOn: z.boolean(),
    behind: z.boolean(),
    spoiled: z.number(),
    otherBoot: z.boolean(),
  }),
]);
type Found = z.infer<typeof foundSchema>;

type Recording = ReturnType<typeof record>;
type RecordOptions = {
  readonly commits: number;
  readonly strength: 'strong' | 'weak';
  /** How many a commit has more than usual. */
  readonly samples?: number;
};

function record(folder: string, { commits, strength, samples = 0 }: RecordOptions) {
  const shim = buildShim(folder);
  const directory = join(folder, 'journal');
  const [log, acks, fault] = [join(folder, 'log'), join(folder, 'acks'), join(folder, 'fault')];
  mkdirSync(directory);
  writeFileSync(acks, '');
  const args = [join(here, 'recorder-child.ts'), directory, acks, String(commits), strength, String(samples)];
  const child = spawn(node, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      LD_PRELOAD: shim,
      CRASH_SHIM_DATA: join(directory, 'data.mdb'),
      CRASH_SHIM_ACKS: acks,
      CRASH_SHIM_LOG: log,
      CRASH_SHIM_FAULT: fault,
    },
  });
  const ended = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => resolve(signal ?? code ?? 'unknown'));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    directory,
    log,
    ended,
    stop: async () => {
      child.kill('SIGTERM');
      return ended;
    },
    kill: async () => {
      child.kill('SIGKILL');
      return ended;
    },
    said: () =>
      readFileSync(acks, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    setFault: (what: string) => (what === '' ? rmSync(fault, { force: true }) : writeFileSync(fault, what)),
  };
}

async function openImages(log: string, folder: string, images: number): Promise<readonly Found[]> {
  const shares = Array.from({ length: PROCESSES }, (_, index) =>
    [index, index + 1].map((part) => 1 + Math.floor((images * part) / PROCESSES)),
  );
  const all = await Promise.all(
    shares.map(async ([first = 0, last = 0]) => {
      const args = [join(here, 'images-child.ts'), log, folder, String(first), String(last)];
      const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      const end = await new Promise((resolve) =>
        child.on('close', (code, signal) => resolve(signal ?? code)),
      );
      const found = text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => foundSchema.parse(JSON.parse(line)));
      if (end === 0) return found;
      const seed = (found.at(-1)?.seed ?? first - 1) + 1;
      return [...found, { seed, error: `the process ended (${String(end)})` }];
    }),
  );
  return all.flat();
}

const isBad = (found: Found): boolean =>
  'error' in found || found.lost > 0 || !found.exact || !found.goesOn || found.behind;

/** The first value of a large sample; that of others is the seq. */
const tsOf = (seq: number) => noisySamples(seq, 1)[0]?.ts;

/** Every seq that the journal holds, with the content that it must have, and those that its policy gave up. */
async function seqsIn(
  directory: string,
): Promise<{ held: ReadonlySet<number>; givenUp: ReadonlySet<number> }> {
  const clock = createSystemClock();
  const storage = await firstValueFrom(openLmdbStorage({ directory, clock }));
  const journal = await firstValueFrom(
    openJournal({ storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 24 }),
  );
  const frames = await lastValueFrom(
    journal.pending({ order: 'oldest', limit: Number.POSITIVE_INFINITY }).pipe(toArray()),
  );
  const [held, givenUp] = [new Set<number>(), new Set<number>()];
  for (const { kind, bytes } of frames) {
    if (kind === 'gap') {
      const { firstSeq, count, reason } = decodeGap(bytes);
      if (reason !== 'overflow_oldest') continue;
      for (let seq = firstSeq; seq < firstSeq + count; seq += 1) givenUp.add(seq);
    }
    if (kind !== 'data') continue;
    for (const { seqs: own, columns } of decodeData(bytes).groups) {
      own.forEach((seq, row) => {
        expect([seq, tsOf(seq)]).toContain(columns[0]?.values[row]);
        held.add(seq);
      });
    }
  }
  await lastValueFrom(journal.close(), { defaultValue: undefined });
  return { held, givenUp };
}

const lastOf = (said: readonly string[], word: string): number =>
  Number(said.findLast((line) => line.startsWith(`${word} `))?.split(' ')[1] ?? 0);

/**
 * Seqs that were confirmed, were not released, and are not in the journal; and how many of them it says it has given
 * up.
 */
async function missingIn({ said, directory }: Recording) {
  const lines = said();
  const { held, givenUp } = await seqsIn(directory);
  const missing: number[] = [];
  for (let seq = lastOf(lines, 'releasing') + 1; seq <= lastOf(lines, 'durable'); seq += 1) {
    if (!held.has(seq)) missing.push(seq);
  }
  return { silently: missing.filter((seq) => !givenUp.has(seq)), givenUp: missing.length };
}
const NOTHING = { silently: [], givenUp: 0 };

describe.skipIf(!haveCompiler)(`crash images${haveCompiler ? '' : ' (skipped: needs cc)'}`, () => {
  it(`of ${IMAGES} moments all open, hold every confirmed record and go on`, async () => {
    const folder = temporaryFolder();
    const recording: Recording = record(folder, { commits: 300, strength: 'strong' });
    expect(await recording.ended).toBe(0);
    const operations = parseRecord(readFileSync(recording.log));
    // What the shim saw is what is on the disk: it misses no call.
    const writes = operations.filter(({ kind }) => kind === 'write').length;
    const syncs = operations.filter(({ kind }) => kind === 'sync').length;
    expect(writes).toBeGreaterThan(600);
    expect(syncs).toBeGreaterThan(300);

    const found = await openImages(recording.log, folder, IMAGES);
    expect(found.filter(isBad)).toEqual([]);
    expect(found).toHaveLength(IMAGES);
    const spoiled = found.filter((one) => 'spoiled' in one && one.spoiled > 0);
    expect(spoiled.length, 'images that lack something').toBeGreaterThan(IMAGES / 5);
    const otherBoots = found.filter((one) => 'otherBoot' in one && one.otherBoot).length;
    expect(otherBoots).toBeGreaterThan(IMAGES / 3);
  });

  it("notice LMDB's default of syncing later, which loses confirmed records", async () => {
    const folder = temporaryFolder();
    const recording = record(folder, { commits: 200, strength: 'weak' });
    expect(await recording.ended).toBe(0);
    const found = await openImages(recording.log, folder, 200);
    expect(found.some((one) => 'lost' in one && one.lost > 0)).toBe(true);
  });
});

describe.skipIf(!haveCompiler)(`a failing disk${haveCompiler ? '' : ' (skipped: needs cc)'}`, () => {
  it.each([
    ['that takes nothing of what is written', 'short', 'io'],
    ['that has turned read-only', 'readonly', 'io'],
    ['that is full when a meta page is written', 'enospc-meta', 'full'],
    ['that fails to write a meta page', 'eio-meta', 'io'],
    ['that says so although it has written a meta page', 'eio-meta-written', 'io'],
    ['that has turned read-only before a meta page is written', 'readonly-meta', 'io'],
  ])(
    '%s fails commits, and they succeed once it is well again; nothing confirmed is lost, and it can be closed',
    async (_, fault, code) => {
      const recording = record(temporaryFolder(), { commits: 1_000_000, strength: 'strong' });
      await until('commits', () => lastOf(recording.said(), 'durable') > 50);
      recording.setFault(fault);
      await until('a failure', () => recording.said().some((line) => line === `failed ${code}`));
      const before = lastOf(recording.said(), 'durable');
      recording.setFault('');
      await until('commits again', () => lastOf(recording.said(), 'durable') > before + 20);
      expect(await recording.stop()).toBe(0);
      expect(recording.said().filter((line) => line.startsWith('damaged'))).toEqual([]);
      expect(await missingIn(recording)).toEqual(NOTHING);
    },
  );

  it('that is full is lived on: the oldest are given up and told, and what is new is confirmed', async () => {
    const recording = record(temporaryFolder(), { commits: 1_000_000, strength: 'strong', samples: 50 });
    await until('commits', () => lastOf(recording.said(), 'durable') > 1_000);
    recording.setFault('enospc');
    await until('a failure', () => recording.said().includes('failed full'));
    const before = lastOf(recording.said(), 'durable');
    await until('commits all the same', () => lastOf(recording.said(), 'durable') > before + 20_000);
    recording.setFault('');
    expect(await recording.stop()).toBe(0);
    expect(recording.said().filter((line) => /^damaged|^failed (?!full)/.test(line))).toEqual([]);
    const missing = await missingIn(recording);
    expect(missing.silently).toEqual([]);
    expect(missing.givenUp).toBeGreaterThan(0);
  });

  it('that fails to sync confirms nothing any more, and loses nothing that it confirmed', async () => {
    const recording = record(temporaryFolder(), { commits: 1_000_000, strength: 'strong' });
    await until('commits', () => lastOf(recording.said(), 'durable') > 50);
    recording.setFault('eio-sync');
    await until('a failure', () => recording.said().some((line) => line.startsWith('failed ')));
    await recording.kill();
    expect(await missingIn(recording)).toEqual(NOTHING);
  });

  it('that is slow only makes commits slow', async () => {
    const recording = record(temporaryFolder(), { commits: 1_000_000, strength: 'strong' });
    await until('commits', () => lastOf(recording.said(), 'durable') > 50);
    recording.setFault('slow 200');
    const before = lastOf(recording.said(), 'durable');
    await until('commits all the same', () => lastOf(recording.said(), 'durable') > before + 5);
    expect(recording.said().filter((line) => line.startsWith('failed'))).toEqual([]);
    await recording.kill();
  });
});
