/**
 * Opens images of a journal one after another and says of each what it found. Arguments: record, folder to work in,
 * first and last seed. A process of its own, since an image may end it: the seed after the last one told is then the
 * culprit.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import { openJournal } from '../../src/journal/journal.ts';
import { testSamples } from '../../src/journal/testing/test-samples.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { decodeData } from '../../src/protocol/frame-codec.ts';
import { openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';
import { changeBootId, makeImage, parseRecord } from './images.ts';

const [record = '', folder = '', first = '0', last = '0'] = process.argv.slice(2);
const clock = createSystemClock();
const operations = parseRecord(readFileSync(record));
/**
 * How the directory was left: in use, on this boot or on an earlier one, of which the file is then looked through in a
 * child.
 */
const EARLIER_BOOT_SHARE = 0.04;

const open = async (directory: string) => {
  const storage = await firstValueFrom(openLmdbStorage({ directory, clock }));
  return firstValueFrom(
    openJournal({
      storage,
      clock,
      ids: systemIds,
      policy: 'drop-oldest',
      maxBytes: 2 ** 24,
      compactSamples: 32,
    }),
  );
};

/** Seqs in the journal; throws on a sample that is not the one it was. */
async function seqsIn(journal: Awaited<ReturnType<typeof open>>): Promise<Set<number>> {
  const seqs = new Set<number>();
  const frames = await lastValueFrom(journal.pending({ order: 'oldest', limit: Infinity }).pipe(toArray()));
  for (const { kind, bytes } of frames) {
    if (kind !== 'data') continue;
    for (const group of decodeData(bytes).groups) {
      group.seqs.forEach((seq, row) => {
        if (group.columns[0]?.values[row] !== seq) throw new Error(`seq ${seq} holds another sample`);
        seqs.add(seq);
      });
    }
  }
  return seqs;
}

async function examine(seed: number): Promise<object> {
  const random = seededRandom(seed);
  const image = makeImage(operations, random);
  const otherBoot = random.next() < 0.5;
  const earlierBoot = otherBoot && random.next() < EARLIER_BOOT_SHARE * 2;
  const directory = join(folder, `image-${first}`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  writeFileSync(join(directory, 'data.mdb'), otherBoot ? changeBootId(image.file) : image.file);
  const bootId = earlierBoot ? 'an earlier boot' : clock.bootId;
  const inUse = { bootId, uncleanEnds: 0, suspect: false, fruitless: 0 };
  writeFileSync(join(directory, 'in-use.json'), JSON.stringify(inUse));

  const journal = await open(directory);
  const stats = journal.stats();
  const seqs = await seqsIn(journal);
  const lost: number[] = [];
  for (let seq = image.releasing + 1; seq <= image.durable; seq += 1) if (!seqs.has(seq)) lost.push(seq);
  const { sampled, acked, pending, dropped } = stats;
  const exact = sampled === acked + pending + Object.values(dropped).reduce((sum, count) => sum + count, 0);
  const { frame } = await firstValueFrom(journal.append(testSamples(sampled + 1, 2)));
  const goesOn = frame.firstSeq === sampled + 1 && (await seqsIn(journal)).has(sampled + 2);
  await lastValueFrom(journal.close(), { defaultValue: undefined });
  return {
    seed,
    lost: lost.length,
    exact,
    goesOn,
    behind: sampled < image.durable,
    spoiled: image.spoiled,
    otherBoot,
  };
}

for (let seed = Number(first); seed < Number(last); seed += 1) {
  const found = await examine(seed).catch((error: unknown) => ({ seed, error: String(error) }));
  writeSync(1, `${JSON.stringify(found)}\n`);
}
