/** Disks of their own for tests: a tmpfs of a few megabytes. Mounting needs root. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const mount = (...args: readonly string[]) => execFileSync('mount', args, { stdio: 'ignore' });
/** Lazily: a process that hangs must not keep the test from tidying up. */
const unmount = (path: string) => execFileSync('umount', ['-l', path], { stdio: 'ignore' });

/** Found out once, by doing it. In CI a machine that forbids it is a failure, elsewhere a reason to skip. */
export const canMount = (() => {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-mount-'));
  try {
    mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path);
    unmount(path);
    return true;
  } catch {
    return process.env.CI === 'true';
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
})();

export type SmallDisk = {
  readonly path: string;
  readonly freeBytes: () => number;
  /** Puts a file there that leaves so much room. */
  readonly fill: (leaveBytes: number) => void;
  /** Puts another one there, as large as there is room. */
  readonly fillUp: () => void;
  /** Removes them. */
  readonly free: () => void;
  /** Nothing may have a file of it open for writing. */
  readonly remount: (mode: 'ro' | 'rw') => void;
};

/** Mounted below `folder`; gone when the test ends. Call it before the processes that use it are started. */
export function mountSmallDisk(folder: string, bytes: number): SmallDisk {
  const path = join(folder, 'disk');
  mkdirSync(path);
  mount('-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path);
  onTestFinished(() => void unmount(path));
  const [filler, rest] = [join(path, 'filler'), join(path, 'filler-2')];
  const freeBytes = () => {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  };
  return {
    path,
    freeBytes,
    fill: (leaveBytes) => writeFileSync(filler, Buffer.alloc(Math.max(0, freeBytes() - leaveBytes), 1)),
    fillUp: () => {
      try {
        writeFileSync(rest, Buffer.alloc(freeBytes(), 1));
      } catch (error) {
        // Somebody else took a part of it first: it is full all the same.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    free: () => {
      for (const file of [filler, rest]) rmSync(file, { force: true });
    },
    remount: (mode) => mount('-o', `remount,${mode}`, path),
  };
}
