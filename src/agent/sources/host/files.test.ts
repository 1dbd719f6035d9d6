import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/support/temporary.ts';
import { createHostFiles } from './files.ts';

const FUSE = 0x65735546;
const PROC = 0x9fa0;

function machine(type: number) {
  const root = temporaryFolder();
  mkdirSync(join(root, 'proc'));
  const write = (text: string) => writeFileSync(join(root, 'proc/stat'), text);
  write('first');
  const files = createHostFiles(root, (_, done) => done(null, { type }));
  const fetch = async () => {
    const waiting = files.fetch(['/proc/stat']);
    if (waiting !== null) await lastValueFrom(waiting);
    return waiting !== null;
  };
  return { root, write, files, fetch };
}

describe('files of a machine', () => {
  it('that the kernel makes are read at once, after one look at where they lie', async () => {
    const { files, write, fetch } = machine(PROC);
    expect(await fetch()).toBe(true);
    expect(await fetch()).toBe(false);
    write('second');
    expect(files.read('/proc/stat')).toBe('second');
  });

  it('are the same for all who read them in a round', () => {
    const { files, write } = machine(PROC);
    expect(files.read('/proc/stat')).toBe('first');
    write('second');
    expect(files.read('/proc/stat')).toBe('first');
    files.beginRound();
    expect(files.read('/proc/stat')).toBe('second');
  });

  it('that a program answers for are fetched each time, and never read at once', async () => {
    const { root, files, write, fetch } = machine(FUSE);
    expect(await fetch()).toBe(true);
    write('second');
    files.beginRound();
    expect(files.read('/proc/stat')).toBe('first');
    expect(await fetch()).toBe(true);
    expect(files.read('/proc/stat')).toBe('second');
    rmSync(join(root, 'proc/stat'));
    await fetch();
    expect(() => files.read('/proc/stat')).toThrow('ENOENT');
    expect(files.readOptional('/proc/stat')).toBeNull();
  });

  it('that are not there are null or empty, until they come', () => {
    const { root, files } = machine(PROC);
    expect([files.readOptional('/proc/x'), files.readOptional('/proc/x')]).toEqual([null, null]);
    expect(files.list('/proc/y')).toEqual([]);
    writeFileSync(join(root, 'proc/x'), 'here');
    expect(files.readOptional('/proc/x')).toBe('here');
  });
});
