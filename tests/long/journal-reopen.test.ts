import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEditor } from '../../src/journal/editor.ts';
import { TEST_SCHEMA } from '../../src/journal/testing/test-samples.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { encodeGroups, readHeader } from '../../src/protocol/frame-codec.ts';
import { root } from '../support/holdfast.ts';

// As shipped: a process that looks through the file takes three times as long to start from the sources.
const shipped = (path: string) => import(join(root, 'dist', path));
const { openLmdbStorage }: typeof import('../../src/storage/lmdb/lmdb-storage.ts') = await shipped(
  'storage/lmdb/lmdb-storage.js',
);
const { openJournal }: typeof import('../../src/journal/journal.ts') = await shipped('journal/journal.js');

const clock = createSystemClock();
const FRAMES = 2442;
const FRAME_SAMPLES = 4096;
const SAMPLES = FRAMES * FRAME_SAMPLES;

const BOUND_MS = 500;
/** Until one is not disturbed by what else the machine does. */
const ATTEMPTS = 5;

describe('a journal with 10 million pending samples', () => {
  let directory: string;
  const open = async () => {
    const before = clock.precise();
    const storage = await lastValueFrom(openLmdbStorage({ directory, clock }));
    const options = { storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 32 } as const;
    const journal = await lastValueFrom(openJournal(options));
    return { storage, journal, tookMs: clock.precise() - before };
  };
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-reopen-'));
    const { storage, journal } = await open();
    const { epoch } = journal;
    for (let first = 0; first < FRAMES; first += 100) {
      await lastValueFrom(
        storage.commit((writer) => {
          const editor = createEditor(writer, clock.now());
          for (let index = first; index < Math.min(first + 100, FRAMES); index += 1) {
            const bytes = largeFrame(epoch, index * FRAME_SAMPLES + 1);
            editor.addFrame(bytes, readHeader(bytes), false);
          }
          const sampled = Math.min(first + 100, FRAMES) * FRAME_SAMPLES;
          editor.countPending('data', sampled - editor.ledger.sampled);
          editor.count({ sampled });
          editor.finish();
        }),
      );
    }
    await lastValueFrom(journal.close(), { defaultValue: undefined });
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const fastestOf = async (attempts: number, prepare: () => Promise<void>) => {
    const took: number[] = [];
    for (let attempt = 0; attempt < attempts && !took.some((ms) => ms < BOUND_MS); attempt += 1) {
      await prepare();
      const { journal, tookMs } = await open();
      expect(journal.stats()).toMatchObject({ sampled: SAMPLES, pending: SAMPLES, pendingFrames: FRAMES });
      took.push(tookMs);
      await lastValueFrom(journal.close(), { defaultValue: undefined });
    }
    return Math.min(...took);
  };

  it('opens within 500 ms when it was closed cleanly', async () => {
    expect(await fastestOf(ATTEMPTS, async () => {})).toBeLessThan(BOUND_MS);
  });

  it('opens within 500 ms after kill -9', async () => {
    const killed = async () => {
      const script = fileURLToPath(new URL('../process/journal-child.ts', import.meta.url));
      const child = spawn(process.execPath, [script, 'hold', directory], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
    };
    expect(await fastestOf(ATTEMPTS, killed)).toBeLessThan(BOUND_MS);
  });
});

/** One series that climbs by one a sample. */
function largeFrame(epoch: string, firstSeq: number): Uint8Array {
  const rows = (value: (index: number) => number) =>
    Float64Array.from({ length: FRAME_SAMPLES }, (_, index) => value(index));
  const seqs = rows((index) => firstSeq + index);
  const columns = [{ values: seqs, present: null }];
  const group = { schemaRef: TEST_SCHEMA.ref, seqs, ts: seqs, mono: seqs, columns, notes: [] };
  return encodeGroups({ epoch, firstSeq, count: FRAME_SAMPLES, groups: [group] });
}
