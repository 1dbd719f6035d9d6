import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSystemClock } from '../../platform/clock.ts';
import { createFileTail, type PageUsage } from './file-tail.ts';
import { openLmdbStorage } from './lmdb-storage.ts';

/** What the disk answers to the next writes. */
const disk = vi.hoisted(() => ({ code: '' }));
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  const writeSync = (fd: number, bytes: Uint8Array, offset: number, length: number, position: number) => {
    if (disk.code !== '') throw Object.assign(new Error(`${disk.code}: write`), { code: disk.code });
    return fs.writeSync(fd, bytes, offset, length, position);
  };
  return { ...fs, writeSync };
});
function answerWrites(code: string): void {
  disk.code = code;
  onTestFinished(() => {
    disk.code = '';
  });
}

const PAGE = 4096;
const USAGE: PageUsage = { pageBytes: PAGE, pages: 10, index: 6, depth: 2, listing: 1, free: 0 };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-tail-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function tailOf(usage: PageUsage = USAGE) {
  const path = join(folder(), 'data.mdb');
  writeFileSync(path, Buffer.alloc(usage.pages * PAGE, 7));
  const tail = createFileTail({ path, usage: () => usage });
  onTestFinished(tail.close);
  return { path, tail };
}

const put = (bytes: number) => ({ key: new Uint8Array(8), value: new Uint8Array(bytes) });

describe('the tail of a data file', () => {
  it('has room for all that a commit writes, and for one that makes room after it', () => {
    const { path, tail } = tailOf();
    tail.prepare([put(100_000), put(10)]);
    const { size } = statSync(path);
    expect(size - USAGE.pages * PAGE).toBeGreaterThan(100_000 + 80 * 1024);
    expect(size - USAGE.pages * PAGE).toBeLessThan(100_000 + 80 * 1024 + 20 * PAGE);
    expect(readFileSync(path).subarray(0, USAGE.pages * PAGE)).toEqual(Buffer.alloc(USAGE.pages * PAGE, 7));
  });

  it('is left alone while it suffices', () => {
    const { path, tail } = tailOf();
    tail.prepare([put(100_000)]);
    const { size } = statSync(path);
    tail.prepare([put(50_000)]);
    tail.prepare([put(99_000)]);
    expect(statSync(path).size).toBe(size);
  });

  it('is written to before a commit that follows a failure, and nothing before the tail is', () => {
    const { path, tail } = tailOf();
    tail.prepare([put(10)]);
    const end = statSync(path).size;
    writeFileSync(path, Buffer.alloc(end, 7));
    tail.prepare([put(10)]);
    expect(readFileSync(path)).toEqual(Buffer.alloc(end, 7));
    tail.noteWritten(false);
    tail.prepare([put(10)]);
    const written = readFileSync(path);
    expect(written.subarray(0, USAGE.pages * PAGE)).toEqual(Buffer.alloc(USAGE.pages * PAGE, 7));
    expect(written.subarray(USAGE.pages * PAGE, (USAGE.pages + 1) * PAGE)).toEqual(Buffer.alloc(PAGE));
  });

  describe('that cannot grow, where free pages are enough', () => {
    const freePages = { ...USAGE, pages: 200, free: 100 };
    it.each(['ENOSPC', 'EDQUOT', 'EFBIG'])('lets the commit through when there is no room (%s)', (code) => {
      const { tail } = tailOf(freePages);
      answerWrites(code);
      expect(() => tail.prepare([put(10)])).not.toThrow();
    });

    it.each(['EIO', 'EROFS', 'ENODEV'])(
      'stops it when the disk fails (%s), one that removes, too',
      (code) => {
        const { path, tail } = tailOf(freePages);
        const { size } = statSync(path);
        answerWrites(code);
        const failure = expect.objectContaining({ code });
        expect(() => tail.prepare([put(10)])).toThrow(failure);
        expect(() => tail.prepare([{ key: new Uint8Array(8), value: null }])).toThrow(failure);
        expect(statSync(path).size).toBe(size);
        disk.code = '';
        tail.prepare([put(10)]);
        expect(statSync(path).size).toBeGreaterThan(size);
      },
    );
  });

  it.each([
    { what: 'small records', count: 400, bytes: 40 },
    { what: 'large records', count: 30, bytes: 40_000 },
    { what: 'records of all sizes', count: 200, bytes: 0 },
  ])('is never short of what LMDB takes for $what', async ({ count, bytes }) => {
    const directory = folder();
    const storage = await firstValueFrom(openLmdbStorage({ directory, clock: createSystemClock() }));
    const path = join(directory, 'data.mdb');
    const key = (n: number) => Buffer.from([n % 7, n % 251, (n * 31) % 256, n >> 8]);
    let size = 0;
    for (let round = 0; round < 40; round += 1) {
      const before = size;
      await lastValueFrom(
        storage.commit((writer) => {
          for (let n = 0; n < count; n += 1) {
            const length = bytes === 0 ? ((n * 7919 + round * 104_729) % 9_000) + 1 : bytes;
            if ((n + round) % 5 === 0) writer.remove(key(n));
            else writer.put(key(n), Buffer.alloc(length, n));
          }
        }),
      );
      size = statSync(path).size;
      // Grown by whole steps of ours, never page by page by LMDB.
      const meta = readFileSync(path).subarray(0, 2 * PAGE);
      const lastPage = Math.max(...[0, PAGE].map((at) => Number(meta.readBigUInt64LE(at + 24 + 120))));
      expect(
        size - (lastPage + 1) * PAGE,
        `round ${round}, grown by ${size - before}`,
      ).toBeGreaterThanOrEqual(0);
      expect(size - (lastPage + 1) * PAGE).toBeGreaterThan(48 * 1024);
    }
    await lastValueFrom(storage.close(), { defaultValue: undefined });
  });
});
