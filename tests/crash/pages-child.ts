/**
 * Damages each page of a journal's file in each way and says what opening it then gives. Arguments: file, folder to
 * work in, share of the pages (index, of how many), step (every so many pages, one is damaged). A process of its own: a
 * damaged file may end it, and the case after the last one told is the culprit.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import { openJournal } from '../../src/journal/journal.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { decodeData } from '../../src/protocol/frame-codec.ts';
import {
  checkMetaPages,
  PAGE_FLAG,
  readAt,
  readBranch,
  readLeaf,
  readPageHeader,
} from '../../src/storage/lmdb/lmdb-file.ts';
import { openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';

const [file = '', folder = '', share = '0', shares = '1', step = '1'] = process.argv.slice(2);
const PAGE = 4096;
const OVERFLOW_HEADER = 24;
const FRAME_PREFIX = 0x40;
const clock = createSystemClock();
const original = readFileSync(file);
const pages = original.length / PAGE;

/** Pages that each frame lies on, by its first seq: what the tree reaches, not what old pages still hold. */
function placesOfFrames(): ReadonlyMap<number, ReadonlySet<number>> {
  const fd = openSync(file, 'r');
  const check = checkMetaPages(fd);
  const places = new Map<number, Set<number>>();
  const todo = check.kind === 'good' && check.meta.mainRoot !== null ? [check.meta.mainRoot] : [];
  for (let number = todo.pop(); number !== undefined; number = todo.pop()) {
    const page = readAt(fd, number * PAGE, PAGE);
    const header = page === null ? null : readPageHeader(page, number);
    if (page === null || header === null)
      throw new Error(`page ${number} is broken before anything was damaged`);
    if ((header.flags & PAGE_FLAG.branch) !== 0) {
      todo.push(...readBranch(page));
      continue;
    }
    for (const { key, size, value } of readLeaf(page).nodes) {
      if (key[1] !== FRAME_PREFIX) continue;
      const on = new Set([number]);
      const large = typeof value === 'number' ? Math.ceil((OVERFLOW_HEADER + size) / PAGE) : 0;
      for (let index = 0; index < large; index += 1) on.add(Number(value) + index);
      places.set(key.readUIntBE(2, 6), on);
    }
  }
  closeSync(fd);
  return places;
}

const KINDS = ['zeroed', 'random', 'flipped', 'truncated'] as const;
type Kind = (typeof KINDS)[number];

function damaged(page: number, kind: Kind): Buffer {
  if (kind === 'truncated') return original.subarray(0, page * PAGE);
  const copy = Buffer.from(original);
  const part = copy.subarray(page * PAGE, (page + 1) * PAGE);
  const random = seededRandom(page * KINDS.length + KINDS.indexOf(kind));
  if (kind === 'zeroed') part.fill(0);
  if (kind === 'random') for (let at = 0; at < PAGE; at += 1) part[at] = Math.floor(random.next() * 256);
  if (kind === 'flipped') {
    const at = Math.floor(random.next() * PAGE);
    part[at] = (part[at] ?? 0) ^ (1 << Math.floor(random.next() * 8));
  }
  return copy;
}

const places = placesOfFrames();

async function examine(page: number, kind: Kind): Promise<object> {
  const directory = join(folder, `page-${share}`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  writeFileSync(join(directory, 'data.mdb'), damaged(page, kind));
  const storage = await firstValueFrom(openLmdbStorage({ directory, clock }));
  const told: string[] = [];
  storage.damage$.subscribe(({ what }) => told.push(what));
  const journal = await firstValueFrom(
    openJournal({ storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 24 }),
  );
  const frames = await lastValueFrom(
    journal.pending({ order: 'oldest', limit: Number.POSITIVE_INFINITY }).pipe(toArray()),
  );
  const found = new Set<number>();
  let wrong = 0;
  for (const { kind: of, firstSeq, bytes } of frames) {
    if (of !== 'data') continue;
    found.add(firstSeq);
    for (const { seqs, ts } of decodeData(bytes).groups) {
      seqs.forEach((seq, row) => {
        if (ts[row] !== 1_700_000_000_000 + seq * 1000) wrong += 1;
      });
    }
  }
  const isHit = (on: ReadonlySet<number>) =>
    kind === 'truncated' ? [...on].some((one) => one >= page) : on.has(page);
  const elsewhere = [...places].filter(([, on]) => !isHit(on)).map(([seq]) => seq);
  const { sampled, acked, pending, dropped } = journal.stats();
  const lost = [...places.keys()].filter((seq) => !found.has(seq)).length;
  const exact = sampled === acked + pending + Object.values(dropped).reduce((sum, count) => sum + count, 0);
  await lastValueFrom(journal.close(), { defaultValue: undefined });
  return {
    page,
    kind,
    elsewhere: elsewhere.length,
    salvaged: elsewhere.filter((seq) => found.has(seq)).length,
    lost,
    wrong,
    exact,
    // A lost epoch takes its count along: what is left of it is told by the damage alone.
    counted: dropped.damaged ?? 0,
    told: told.length,
  };
}

for (let page = Number(share) * Number(step); page < pages; page += Number(shares) * Number(step)) {
  for (const kind of KINDS) {
    const report = await examine(page, kind).catch((error: unknown) => ({
      page,
      kind,
      error: String(error),
    }));
    writeSync(1, `${JSON.stringify(report)}\n`);
  }
}
