/**
 * Where a replay stands, as the journal keeps it with the samples that it made: a place in the file that can be gone
 * back to, and how many good rows behind it have been given. The file is known by its first bytes and by those before
 * the place, so that another one of the same name is replayed from its top.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { PaceState } from './pace.ts';
import type { CsvPlace } from './reader.ts';

/** What a file is known by. */
export type FilePrint = {
  /** Of its first bytes: how many, and the beginning of their SHA-256. */
  readonly bytes: number;
  readonly hash: string;
};

export type ReplayPosition = {
  readonly print: FilePrint;
  /** null: the top of the file. */
  readonly place: CsvPlace | null;
  /** At the place. */
  readonly pace: PaceState;
  /** Good rows behind the place that have been given. */
  readonly rows: number;
};

const whole = z.int().min(0);
const ms = z.number();
const positionSchema = z.object({
  print: z.object({ bytes: whole, hash: z.string() }),
  place: z
    .object({
      offset: whole,
      line: z.int().min(1),
      tail: z.codec(z.string().regex(/^[0-9a-f]*$/), z.instanceof(Buffer), {
        decode: (hex) => Buffer.from(hex, 'hex'),
        encode: (bytes) => bytes.toString('hex'),
      }),
    })
    .nullable(),
  pace: z.object({
    origin: ms.nullable(),
    last: ms.nullable(),
    interval: ms,
    shiftMs: ms,
    passShiftMs: ms,
  }),
  rows: whole,
});

export function encodePosition(position: ReplayPosition): string {
  return JSON.stringify(z.encode(positionSchema, position));
}

/** Null when it says nothing, as when a later version wrote it. */
export function decodePosition(text: string | null): ReplayPosition | null {
  if (text === null) return null;
  try {
    return positionSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

export function printOf(head: Buffer): FilePrint {
  return { bytes: head.length, hash: createHash('sha256').update(head).digest('hex').slice(0, 16) };
}

/** Whether a file with these first bytes is the one, grown perhaps. */
export function isSameFile({ bytes, hash }: FilePrint, head: Buffer): boolean {
  return head.length >= bytes && printOf(head.subarray(0, bytes)).hash === hash;
}

/** Follows a replay. */
export type PositionTracker = {
  /** The place of the next row is known. */
  readonly at: (place: CsvPlace | null, pace: PaceState, head: Buffer) => void;
  /** Rows are given; returns where the replay stands after the first `count` of them, as text. */
  readonly giving: (rows: number) => (count: number) => string;
  /** After everything that was given; null before the first row. */
  readonly latest: () => ReplayPosition | null;
  /** Rows that an earlier run gave. */
  readonly passed: (rows: number) => void;
};

export function createPositionTracker(): PositionTracker {
  let anchor: Omit<ReplayPosition, 'rows'> | null = null;
  let rows = 0;
  let printed: Buffer | null = null;
  return {
    at: (place, pace, head) => {
      // The same buffer until more of the head, or another file, is read; others are as long.
      const print = anchor !== null && head === printed ? anchor.print : printOf(head);
      printed = head;
      anchor = { print, place, pace };
      rows = 0;
    },
    giving: (given) => {
      const from = anchor;
      const before = rows;
      rows += given;
      return (count) => (from === null ? '' : encodePosition({ ...from, rows: before + count }));
    },
    latest: () => (anchor === null ? null : { ...anchor, rows }),
    passed: (given) => {
      rows += given;
    },
  };
}
