import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTextFile } from './text-file.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-text-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const MAX = 4 * 1024;
const written = (content: string | Uint8Array): string => {
  const path = join(folder, 'file');
  writeFileSync(path, content);
  return path;
};
const problemOf = (path: string): string => {
  const read = readTextFile(path, MAX);
  return read.ok ? `read ${read.text.length} characters` : read.problem;
};

describe('a file that the settings name', () => {
  it.each([
    ['', ''],
    ['id: a\n', 'id: a\n'],
    ['\ufeffid: ä', 'id: ä'],
    ['x'.repeat(MAX), 'x'.repeat(MAX)],
  ])('is read: %j', (content, text) => {
    expect(readTextFile(written(content), MAX)).toEqual({ ok: true, text });
  });

  it('is read where its size says nothing', () => {
    expect(problemOf('/proc/self/status')).toMatch(/^read \d/);
  });

  it.each(['/dev/zero', '/dev/null', '/dev/random'])('is no device: %s', (path) => {
    expect(problemOf(path)).toContain('it is a device');
  });

  it('is no pipe, whether anybody writes to it or not', () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    expect(problemOf(path)).toContain('it is a pipe');
  });

  it('is no socket', async () => {
    const path = join(folder, 'socket');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    expect(problemOf(path)).toContain('it is a socket');
    await new Promise((resolve) => server.close(resolve));
  });

  it('is no directory', () => {
    const path = join(folder, 'folder');
    mkdirSync(path);
    expect(problemOf(path)).toContain('it is a directory');
  });

  it('is bounded, however little of it is on the disk', () => {
    expect(problemOf(written('x'.repeat(MAX + 1)))).toContain('larger than 4 KiB');
    const sparse = written('');
    truncateSync(sparse, 2 ** 30);
    expect(problemOf(sparse)).toContain('larger than 4 KiB');
    expect(problemOf('/proc/kallsyms')).toContain('larger than 4 KiB');
  });

  it('is there, and may be read', () => {
    expect(problemOf(join(folder, 'nothing'))).toBe('there is no such file');
    expect(problemOf(join(written('x'), 'below'))).toContain('there is no such file');
    const loop = join(folder, 'loop');
    symlinkSync(loop, loop);
    expect(problemOf(loop)).toContain('circle');
  });

  it('is text', () => {
    expect(problemOf(written(Buffer.from('id: a\n', 'utf16le')))).toMatch(/^read/);
    expect(
      problemOf(written(Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from('id', 'utf16le')]))),
    ).toContain('UTF-8');
  });
});
