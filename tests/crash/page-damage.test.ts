/**
 * Every page of a journal's file, damaged in every way: the journal always starts, and gives up little more than what
 * lay there.
 */
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openJournal } from '../../src/journal/journal.ts';
import { noisySamples } from '../../src/journal/testing/test-samples.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';
import { node } from '../support/holdfast.ts';
import { sized } from '../support/long.ts';
import { temporaryFolder } from '../support/temporary.ts';

const PROCESSES = 2;
/** Every so many pages, one is damaged. */
const STEP = sized(3, 1);
const PAGE = 4096;
const KINDS = 4;

const reportSchema = z.union([
  z.object({ page: z.number(), kind: z.string(), error: z.string() }),
  z.object({
    page: z.number(),
    kind: z.string(),
    elsewhere: z.number(),
    salvaged: z.number(),
    lost: z.number(),
    wrong: z.number(),
    exact: z.boolean(),
    counted: z.number(),
    told: z.number(),
  }),
]);
type Report = z.infer<typeof reportSchema>;

/**
 * Frames of a few hundred bytes, several on a page, and large ones on pages of their own; some commits free pages
 * again.
 */
async function makeJournal(directory: string): Promise<string> {
  const clock = createSystemClock();
  const storage = await firstValueFrom(openLmdbStorage({ directory, clock }));
  const journal = await firstValueFrom(
    openJournal({ storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 24 }),
  );
  for (let frame = 1; frame <= 100; frame += 1) {
    const count = frame % 15 === 0 ? 60 : 4;
    await lastValueFrom(journal.append(noisySamples(journal.stats().sampled + 1, count)));
  }
  await lastValueFrom(journal.close(), { defaultValue: undefined });
  return join(directory, 'data.mdb');
}

async function damageShare(file: string, folder: string, share: number): Promise<readonly Report[]> {
  const script = join(import.meta.dirname, 'pages-child.ts');
  const child = spawn(node, [script, file, folder, String(share), String(PROCESSES), String(STEP)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { out: '', error: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    texts.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    texts.error = (texts.error + chunk.toString()).slice(-2000);
  });
  const end = await new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
  const reports = texts.out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => reportSchema.parse(JSON.parse(line)));
  if (end === 0) return reports;
  const { page = -1, kind = '' } = reports.at(-1) ?? {};
  return [...reports, { page, kind, error: `the process ended (${String(end)}) after this: ${texts.error}` }];
}

describe('a journal with a damaged page', () => {
  it('starts whichever page and however, keeps 99 % of what lies elsewhere, tells the rest, believes nothing wrong', async () => {
    const folder = temporaryFolder();
    const file = await makeJournal(join(folder, 'journal'));
    const pages = statSync(file).size / PAGE;
    expect(pages).toBeGreaterThan(40);
    const reports = (
      await Promise.all(Array.from({ length: PROCESSES }, (_, share) => damageShare(file, folder, share)))
    ).flat();
    const good = reports.flatMap((report) => ('error' in report ? [] : [report]));
    expect(reports.filter((report) => 'error' in report)).toEqual([]);
    const damaged = Math.ceil(pages / STEP);
    expect(good).toHaveLength(damaged * KINDS);
    expect(good.filter(({ wrong, exact }) => wrong > 0 || !exact)).toEqual([]);
    expect(good.filter(({ elsewhere, salvaged }) => salvaged < elsewhere * 0.99)).toEqual([]);
    // Whatever is gone is told: as damage where it was met, and in the ledger.
    const missing = good.filter(({ lost }) => lost > 0);
    expect(missing.filter(({ told }) => told === 0)).toEqual([]);
    // Where nothing at all is left, not even a key says how much there was.
    expect(missing.filter(({ counted, elsewhere }) => counted === 0 && elsewhere > 0)).toEqual([]);
    expect(good.filter(({ lost }) => lost > 0).length).toBeGreaterThan(damaged);
  });
});
