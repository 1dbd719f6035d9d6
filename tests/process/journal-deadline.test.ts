import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../src/platform/clock.ts';
import { type LmdbStorage, openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';

const clock = createSystemClock();
const LMDB = createRequire(import.meta.url).resolve('lmdb');
/** Opens the data file behind the storage's back and holds LMDB's one write transaction until it is killed. */
const HOLDER = `
  const { open } = require(${JSON.stringify(LMDB)});
  const db = open({ path: process.argv[1], noSubdir: true, overlappingSync: false, keyEncoding: 'binary', encoding: 'binary' });
  db.transactionSync(() => {
    require('node:fs').writeSync(1, 'held');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60000);
  });
`;

describe('a disk that hangs', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-lmdb-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const open = (commitDeadlineMs: number) =>
    lastValueFrom(openLmdbStorage({ directory, clock, commitDeadlineMs }));
  const put = (storage: LmdbStorage, key: number) =>
    lastValueFrom(storage.commit((writer) => writer.put(Uint8Array.of(key), Uint8Array.of(key))));
  const close = (storage: LmdbStorage) => lastValueFrom(storage.close(), { defaultValue: undefined });

  it('turns a commit that hangs into an error, refuses further ones, still reads, and tells its owner to end', async () => {
    const storage = await open(300);
    await put(storage, 1);
    const holder = spawn(process.execPath, ['-e', HOLDER, join(directory, 'data.mdb')], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = new Promise((resolve) => holder.once('close', resolve));
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const fatal = firstValueFrom(storage.fatal$);
    await expect(put(storage, 2)).rejects.toMatchObject({ code: 'deadline' });
    expect(await fatal).toMatchObject({ code: 'deadline' });
    await expect(put(storage, 3)).rejects.toMatchObject({ code: 'deadline' });
    expect(storage.read((reader) => reader.get(Uint8Array.of(1)))?.[0]).toBe(1);
    await expect(close(storage)).rejects.toMatchObject({ code: 'deadline' });
    holder.kill('SIGKILL');
    await ended;
  });
});
