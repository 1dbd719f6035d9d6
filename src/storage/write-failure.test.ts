import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { StorageError } from './storage.ts';
import { writeFailure } from './write-failure.ts';

const failed = (code: string) => Object.assign(new Error(`${code}: as the system says it`), { code });

it.each([
  ['ENOSPC', 'full', 'the disk is full. Free some space on it, or choose another data directory.'],
  ['EDQUOT', 'full', 'the disk is full. Free some space on it, or choose another data directory.'],
  ['EROFS', 'io', 'its file system is read-only. Make it writable, or choose another data directory.'],
  ['EACCES', 'io', 'this user may not write there. Give it the right to, or choose another data directory.'],
  ['EIO', 'io', 'EIO: as the system says it. Check the disk.'],
])('%s is told as what it is, with the path and what to do', (code, kind, told) => {
  const cause = failed(code);
  expect(writeFailure('Cannot write /data/x', tmpdir(), cause)).toMatchObject({
    name: 'StorageError',
    code: kind,
    message: `Cannot write /data/x: ${told}`,
    cause,
  });
});

it('what has been told already is told as it was', () => {
  const error = new StorageError('locked', 'in use');
  expect(writeFailure('Cannot write /data/x', tmpdir(), error)).toBe(error);
});
