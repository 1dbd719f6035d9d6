/**
 * `traffic.json` in the data directory: what a metered link has carried, over restarts and kills.
 *
 * Replaced as a whole: written next to it, flushed, renamed. One line of JSON, see `recordSchema`. With a budget its
 * figures run ahead of what has been spent (data-meter.ts), so that a process that is killed has counted too much
 * rather than too little.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { defer, ignoreElements, type Observable } from 'rxjs';
import { z } from 'zod';
import { errorText } from '../../../platform/error-text.ts';

/** Chunks of a budget were once fractions. */
const bytes = z.number().min(0).max(Number.MAX_SAFE_INTEGER).transform(Math.ceil);
const instantSchema = z.object({ wall: z.number(), uptime: z.number(), boot: z.string().max(100) });
const tallySchema = z.object({ key: z.string().max(16), used: bytes, unsure: bytes });
const recordSchema = z.object({
  format: z.literal(1),
  at: instantSchema,
  day: tallySchema,
  month: tallySchema,
  liveRate: z.number().min(0),
  seenMs: z.number().min(0),
  /** When HQ was last told that nothing goes; null: not since the link was open. */
  helloAt: instantSchema.nullable(),
});
export type TrafficRecord = Omit<z.infer<typeof recordSchema>, 'format'>;

export type TrafficFile = {
  /** Emits and completes. Errors when the disk does. */
  readonly write: (record: TrafficRecord) => Observable<never>;
};

export type TrafficRead =
  | { readonly kind: 'read'; readonly record: TrafficRecord }
  | { readonly kind: 'missing' }
  | { readonly kind: 'damaged'; readonly detail: string };

/** Never rejects. */
export async function readTrafficFile(path: string): Promise<TrafficRead> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { kind: 'missing' };
    return { kind: 'damaged', detail: errorText(error) };
  }
  try {
    return { kind: 'read', record: recordSchema.parse(JSON.parse(text)) };
  } catch {
    return { kind: 'damaged', detail: `${path} does not hold what was written` };
  }
}

export function createTrafficFile(path: string): TrafficFile {
  return { write: (record) => defer(() => replace(path, record)).pipe(ignoreElements()) };
}

async function replace(path: string, record: TrafficRecord): Promise<void> {
  const unfinished = `${path}.new`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await writeDurably(unfinished, `${JSON.stringify({ format: 1, ...record })}\n`);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
