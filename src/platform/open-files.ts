/** How many files, connections included, this process may open at once. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { devNull } from 'node:os';

const LIMIT = /^Max open files +(\d+)/m;

/** What the system allows; null where it does not say (other systems than Linux), or where there is no limit. */
export function fileLimit(): number | null {
  try {
    const limit = LIMIT.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? null : Number(limit);
  } catch {
    return null;
  }
}

/** How many more it can open now, looked for up to `atMost`. */
export function spareFiles(atMost: number): number {
  const opened: number[] = [];
  try {
    while (opened.length < atMost) opened.push(openSync(devNull, 'r'));
  } catch {
    // That is the answer.
  }
  for (const fd of opened) closeSync(fd);
  return opened.length;
}
