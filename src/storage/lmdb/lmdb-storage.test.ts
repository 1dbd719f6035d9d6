import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../platform/clock.ts';
import { readInUse, writeInUse } from '../directory/data-directory.ts';
import { isDirectoryInUse } from '../directory/directory-lock.ts';
import { describeStorageContract } from '../storage.contract.ts';
import type { Damage, Storage } from '../storage.ts';
import { salvageDataFile } from './inspect-file.ts';
import { openLmdbStorage } from './lmdb-storage.ts';

const clock = createSystemClock();
const temporary = () => mkdtempSync(join(tmpdir(), 'holdfast-lmdb-'));
const open = (directory: string) => lastValueFrom(openLmdbStorage({ directory, clock }));
const close = (storage: Storage) => lastValueFrom(storage.close(), { defaultValue: undefined });
const put = (storage: Storage, key: string, value: string) =>
  lastValueFrom(storage.commit((writer) => writer.put(Buffer.from(key), Buffer.from(value))));

describeStorageContract('LMDB', () => {
  const directory = temporary();
  return {
    open: () => open(directory),
    damage: () => {
      const path = join(directory, 'data.mdb');
      const data = readFileSync(path);
      let at = data.indexOf('zebra');
      while (at >= 0) {
        data[at] = 'Z'.charCodeAt(0);
        at = data.indexOf('zebra');
      }
      writeFileSync(path, data);
    },
    dispose: () => rmSync(directory, { recursive: true }),
  };
});

describe('LMDB storage', () => {
  let directory: string;
  beforeEach(() => {
    directory = temporary();
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('keeps its files to its owner', async () => {
    const storage = await open(join(directory, 'deep', 'data'));
    await put(storage, 'a', '1');
    const modes = readdirSync(join(directory, 'deep', 'data')).map((name) =>
      (statSync(join(directory, 'deep', 'data', name)).mode & 0o777).toString(8),
    );
    expect(new Set(modes)).toEqual(new Set(['600']));
    expect((statSync(join(directory, 'deep', 'data')).mode & 0o777).toString(8)).toBe('700');
    await close(storage);
  });

  it('refuses a directory that is open already, naming it, and takes it once it is closed', async () => {
    const storage = await open(directory);
    const refusal = open(directory);
    await expect(refusal).rejects.toMatchObject({ code: 'locked' });
    await expect(refusal).rejects.toThrow(directory);
    await close(storage);
    await close(await open(directory));
  });

  // A hole in it is filled through a memory map: on a full disk that ends the process.
  it('leaves no hole in the lock file of LMDB, whether it is new or was cut off', async () => {
    const path = join(directory, 'data.mdb-lock');
    for (const damage of [() => {}, () => truncateSync(path, 100), () => rmSync(path)]) {
      damage();
      const storage = await open(directory);
      await put(storage, 'a', '1');
      const { size, blocks } = statSync(path);
      expect(size).toBe(8_272);
      expect(blocks * 512).toBeGreaterThanOrEqual(size);
      await close(storage);
      expect(readdirSync(directory)).not.toContain('data.mdb.room');
    }
  });

  it.each([
    [0x6969, 'NFS'],
    [0x01021997, '9p'],
  ])('refuses file system %i (%s)', async (type, name) => {
    const opening = lastValueFrom(openLmdbStorage({ directory, clock, statFileSystem: () => ({ type }) }));
    await expect(opening).rejects.toMatchObject({ code: 'unsupported_filesystem' });
    await expect(opening).rejects.toThrow(name);
  });

  // Node's own recursive mkdir never comes back from this.
  it('closes, and lets the directory go, where its mark cannot be removed', async () => {
    const storage = await open(directory);
    await put(storage, 'a', '1');
    const mark = join(directory, 'in-use.json');
    rmSync(mark);
    mkdirSync(mark);
    await close(storage);
    rmSync(mark, { recursive: true });
    await close(await open(directory));
  });

  it('says so when the directory cannot be created', async () => {
    const opening = open('/proc/holdfast-test/x');
    await expect(opening).rejects.toMatchObject({ code: 'io' });
    await expect(opening).rejects.toThrow('Cannot create the data directory /proc/holdfast-test/x');
  });

  it('tells of a file that was emptied, but not of one that its first user could not begin', async () => {
    const first = await open(directory);
    await put(first, 'a', '1');
    await close(first);
    const file = join(directory, 'data.mdb');
    truncateSync(file);
    const emptied = await open(directory);
    expect(await firstValueFrom(emptied.damage$)).toMatchObject({
      what: 'file',
      detail: expect.stringContaining('empty'),
    });
    await put(emptied, 'a', '1');
    await close(emptied);
    truncateSync(file);
    writeInUse(directory, { bootId: clock.bootId, uncleanEnds: 0, suspect: false, fruitless: 1 });
    const begun = await open(directory);
    const told: unknown[] = [];
    begun.damage$.subscribe((damage) => told.push(damage));
    await put(begun, 'b', '2');
    expect(told).toEqual([]);
    await close(begun);
  });

  it('does not trust a file whose users end before their first commit, time and again, and keeps what it holds', async () => {
    const first = await open(directory);
    await put(first, 'a', '1');
    await close(first);
    const quarantined = () => readdirSync(directory).some((name) => name.startsWith('quarantine-'));
    const leaveBehind = (fruitless: number) =>
      writeInUse(directory, { bootId: clock.bootId, uncleanEnds: 0, suspect: false, fruitless });
    leaveBehind(1);
    const storage = await open(directory);
    expect(quarantined()).toBe(false);
    expect(readInUse(directory)).toMatchObject({ fruitless: 2 });
    await put(storage, 'b', '2');
    expect(readInUse(directory)).toMatchObject({ fruitless: 0 });
    await close(storage);
    leaveBehind(2);
    const dataFile = join(directory, 'data.mdb');
    const { ino } = statSync(dataFile);
    const rescued = await open(directory);
    expect(statSync(dataFile).ino, 'a copy is in its place').not.toBe(ino);
    const values = rescued.read((reader) => ['a', 'b'].map((key) => reader.get(Buffer.from(key))));
    expect(values.map((value) => Buffer.from(value ?? []).toString())).toEqual(['1', '2']);
    const told: unknown[] = [];
    rescued.damage$.subscribe((damage) => told.push(damage));
    await put(rescued, 'c', '3');
    await close(rescued);
    expect(told, 'nothing was lost').toEqual([]);
    expect(quarantined()).toBe(false);
  });

  it('puts a file aside that LMDB refused, and says so, although every record of it could be copied', async () => {
    const storage = await open(directory);
    await put(storage, 'a', '1');
    await close(storage);
    const { damage } = await lastValueFrom(salvageDataFile({ directory, now: clock.now() }, 'MDB_CORRUPTED'));
    expect(damage).toMatchObject([{ what: 'file', quarantine: expect.stringContaining('quarantine-') }]);
    const again = await open(directory);
    expect(Buffer.from(again.read((reader) => reader.get(Buffer.from('a'))) ?? []).toString()).toBe('1');
    await close(again);
  });

  it('refuses a directory of a newer format', async () => {
    const marked = (identity: object) =>
      writeFileSync(join(directory, 'identity.json'), JSON.stringify(identity));
    for (const newer of [{ format: 3 }, { format: 3, role: 'hq' }, { format: 2, role: 'agent' }]) {
      marked({ ...newer, createdTs: 0 });
      await expect(open(directory)).rejects.toMatchObject({ code: 'configuration' });
    }
    marked({ format: 1, createdTs: 0 });
    await close(await open(directory));
  });

  describe('of a role', () => {
    const openAs = (role: 'agent' | 'hq') => lastValueFrom(openLmdbStorage({ directory, clock, role }));
    const identity = (): unknown => JSON.parse(readFileSync(join(directory, 'identity.json'), 'utf8'));
    /** As versions did that knew no roles. */
    const fillUnknown = async (...keys: readonly string[]) => {
      const storage = await open(directory);
      for (const key of keys) await put(storage, key, 'value');
      await close(storage);
      expect(identity()).toEqual({ format: 1, createdTs: expect.any(Number) });
    };
    const [ofAgent, ofHq] = ['\u0001', 'V'];

    it.each([
      ['agent', 'hq', /belongs to an agent and cannot be that of HQ too. Give HQ another --data-dir/],
      ['hq', 'agent', /belongs to HQ and cannot be that of an agent too. Give the agent another --data-dir/],
    ] as const)('%s, refuses %s, and leaves no trace of it', async (role, other, message) => {
      const storage = await openAs(role);
      await expect(openAs(other), 'while it is in use').rejects.toThrow(message);
      await close(storage);
      const before = readdirSync(directory).sort();
      await expect(openAs(other)).rejects.toThrow(message);
      await expect(openAs(other)).rejects.toMatchObject({ code: 'configuration' });
      expect(readdirSync(directory).sort()).toEqual(before);
      await close(await openAs(role));
      expect(identity()).toMatchObject({ format: role === 'hq' ? 2 : 1, role });
    });

    it.each([
      [ofAgent, 'agent', 'hq'],
      [ofHq, 'hq', 'agent'],
    ] as const)(
      'from before there were roles: record %j says that it is of %s, and %s is refused',
      async (key, role, other) => {
        await fillUnknown(key);
        await expect(openAs(other)).rejects.toThrow(/another --data-dir/);
        expect(readInUse(directory), 'closed again').toBeNull();
        expect(identity()).toMatchObject({ format: 1, role });
        const storage = await openAs(role);
        expect(identity()).toMatchObject({ format: role === 'hq' ? 2 : 1, role });
        expect(storage.read((reader) => reader.get(Buffer.from(key)))).toBeDefined();
        await close(storage);
      },
    );

    it.each([[[]], [[ofAgent, ofHq]]])(
      'from before there were roles: records %j do not say whose it is, so the next who opens has it',
      async (keys) => {
        await fillUnknown(...keys);
        await close(await openAs('hq'));
        expect(identity()).toMatchObject({ role: 'hq' });
        await expect(openAs('agent')).rejects.toThrow(/another --data-dir/);
      },
    );

    it('that no version of today knows is as good as none', async () => {
      writeFileSync(join(directory, 'identity.json'), '{"format":1,"createdTs":0,"role":"relay"}');
      await close(await openAs('agent'));
      expect(identity()).toEqual({ format: 1, createdTs: 0, role: 'agent' });
    });
  });

  it('clears away what a process left that ended while it wrote', async () => {
    await close(await open(directory));
    for (const name of ['identity.json.new', 'in-use.json.new']) writeFileSync(join(directory, name), '');
    const storage = await open(directory);
    expect(readdirSync(directory).filter((name) => name.endsWith('.new'))).toEqual([]);
    await close(storage);
  });

  it('starts on an identity file of rubbish', async () => {
    writeFileSync(join(directory, 'identity.json'), 'rubbish');
    await close(await open(directory));
  });

  it('moves aside a file that is no LMDB file, says so until the first commit, then no more', async () => {
    writeFileSync(join(directory, 'data.mdb'), Buffer.alloc(40_000, 7));
    let storage = await open(directory);
    expect(await firstValueFrom(storage.damage$)).toMatchObject({ what: 'file', key: null });
    expect(readdirSync(directory).some((name) => name.startsWith('quarantine-'))).toBe(true);
    await close(storage);
    storage = await open(directory);
    expect(await firstValueFrom(storage.damage$)).toMatchObject({ what: 'file', key: null });
    await put(storage, 'a', '1');
    await close(storage);
    storage = await open(directory);
    const damage: unknown[] = [];
    storage.damage$.subscribe((one) => damage.push(one));
    expect(damage).toEqual([]);
    await close(storage);
  });
});

describe('a data directory of which files were deleted', () => {
  let directory: string;
  beforeEach(() => {
    directory = temporary();
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const openAs = (role: 'agent' | 'hq') => lastValueFrom(openLmdbStorage({ directory, clock, role }));
  const usedBefore = async (role: 'agent' | 'hq') => {
    const storage = await openAs(role);
    await put(storage, role === 'hq' ? 'A' : '\u0001', '1');
    await close(storage);
  };
  const told = (storage: Storage) => {
    const damages: Damage[] = [];
    storage.damage$.subscribe((damage) => damages.push(damage));
    return damages;
  };

  it('keeps a second process out although lock.sqlite is gone', async () => {
    const storage = await open(directory);
    rmSync(join(directory, 'lock.sqlite'));
    await expect(open(directory)).rejects.toMatchObject({ code: 'locked' });
    expect(isDirectoryInUse(directory)).toBe(true);
    await put(storage, 'a', '1');
    await close(storage);
    expect(isDirectoryInUse(directory)).toBe(false);
  });

  describe('where there is no flock', () => {
    const { PATH } = process.env;
    beforeEach(() => {
      process.env.PATH = '/nonexistent';
    });
    afterEach(() => {
      process.env.PATH = PATH;
    });

    it('takes the lock again before it commits', async () => {
      const storage = await open(directory);
      rmSync(join(directory, 'lock.sqlite'));
      await put(storage, 'a', '1');
      await expect(open(directory)).rejects.toMatchObject({ code: 'locked' });
      await close(storage);
    });

    it('writes no more, and says so, once another has come in', async () => {
      const storage = await open(directory);
      const fatal = firstValueFrom(storage.fatal$);
      rmSync(join(directory, 'lock.sqlite'));
      const second = await open(directory);
      await expect(put(storage, 'a', '1')).rejects.toMatchObject({ code: 'unusable' });
      expect((await fatal).message).toContain('lock.sqlite was removed');
      await put(second, 'b', '1');
      await close(second);
      await close(storage);
    });
  });

  it.each([
    ['hq', 'in use by HQ'],
    ['agent', 'in use by an agent since'],
  ] as const)('tells that data.mdb of %s is gone, once', async (role, owner) => {
    await usedBefore(role);
    rmSync(join(directory, 'data.mdb'));
    const storage = await openAs(role);
    expect(told(storage)).toMatchObject([{ what: 'missing', detail: expect.stringContaining(owner) }]);
    await put(storage, role === 'hq' ? 'B' : '\u0002', '1');
    await close(storage);
    const next = await openAs(role);
    expect(told(next)).toEqual([]);
    await close(next);
  });

  it.each([
    ['the lock file of LMDB', ['data.mdb', 'identity.json', 'in-use.json']],
    ['the marker of its use', ['data.mdb', 'identity.json', 'data.mdb-lock']],
  ])('is told by %s, too', async (_what, names) => {
    const first = await openAs('hq');
    await put(first, 'A', '1');
    const marker = readInUse(directory);
    await close(first);
    if (marker !== null) writeInUse(directory, marker);
    for (const name of names) rmSync(join(directory, name));
    const storage = await openAs('hq');
    expect(told(storage)).toMatchObject([{ what: 'missing' }]);
    await close(storage);
  });

  it('is new where nothing but an attempt to begin it is left', async () => {
    writeInUse(directory, { bootId: clock.bootId, uncleanEnds: 0, suspect: false, fruitless: 1 });
    writeFileSync(join(directory, 'data.mdb-lock'), Buffer.alloc(8_272));
    const storage = await open(directory);
    expect(told(storage)).toEqual([]);
    await close(storage);
  });
});
