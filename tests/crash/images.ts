/**
 * Images of a data file as a crash may leave it, made from what the shim recorded.
 *
 * An image is cut at a random point of the record. What was synced before it is there. Of every later write each sector
 * of 512 bytes is there or not, by chance: a write can be lost whole, appear although later ones are lost, or be torn.
 * A synchronous write (O_DSYNC) is there once it has ended; the one that the cut falls into may be torn.
 */
import type { Random } from '../../src/platform/random.ts';

export type Operation =
  | { readonly kind: 'write'; readonly synced: boolean; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'sync' }
  | { readonly kind: 'truncate'; readonly length: number }
  /** The process said so itself. */
  | { readonly kind: 'said'; readonly text: string };

const HEAD_BYTES = 13;
const SECTOR = 512;

export function parseRecord(record: Buffer): readonly Operation[] {
  const operations: Operation[] = [];
  for (let at = 0; at + HEAD_BYTES <= record.length; ) {
    const op = record.readUInt8(at);
    const offset = Number(record.readBigUInt64LE(at + 1));
    const length = record.readUInt32LE(at + 9);
    const bytes = record.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length);
    at += HEAD_BYTES + length;
    if (op === 1 || op === 2) operations.push({ kind: 'write', synced: op === 2, offset, bytes });
    else if (op === 3) operations.push({ kind: 'sync' });
    else if (op === 4) operations.push({ kind: 'truncate', length: offset });
    else operations.push({ kind: 'said', text: bytes.toString().trim() });
  }
  return operations;
}

export type Image = {
  readonly file: Buffer;
  /** Highest seq that was confirmed before the cut. */
  readonly durable: number;
  /** Seqs up to here may have been released. */
  readonly releasing: number;
  /** Writes of which something is missing. */
  readonly spoiled: number;
};

export function makeImage(operations: readonly Operation[], random: Random): Image {
  const cut = 1 + Math.floor(random.next() * operations.length);
  const before = operations.slice(0, cut);
  const lastSync = before.findLastIndex(({ kind }) => kind === 'sync');
  // All of them alike, or each by itself.
  const share = [0, 0.5, 1, random.next()][Math.floor(random.next() * 4)] ?? 0.5;
  let file = Buffer.alloc(0);
  let spoiled = 0;
  const write = (offset: number, bytes: Buffer) => {
    if (file.length < offset + bytes.length) {
      file = Buffer.concat([file, Buffer.alloc(offset + bytes.length - file.length)]);
    }
    bytes.copy(file, offset);
  };
  before.forEach((operation, index) => {
    if (operation.kind === 'truncate') {
      const { length } = operation;
      file =
        length <= file.length
          ? file.subarray(0, length)
          : Buffer.concat([file, Buffer.alloc(length - file.length)]);
    }
    if (operation.kind !== 'write') return;
    const { offset, bytes, synced } = operation;
    const isSafe = index < lastSync || (synced && index < cut - 1);
    if (isSafe) {
      write(offset, bytes);
      return;
    }
    let missing = false;
    for (let at = 0; at < bytes.length; at += SECTOR) {
      if (random.next() < share) write(offset + at, bytes.subarray(at, at + SECTOR));
      else missing = true;
    }
    if (missing) spoiled += 1;
  });
  return { file, spoiled, ...saidIn(before) };
}

function saidIn(operations: readonly Operation[]): Pick<Image, 'durable' | 'releasing'> {
  const numbers = (word: string) =>
    operations.flatMap((operation) => {
      if (operation.kind !== 'said') return [];
      const [name, number] = operation.text.split(' ');
      return name === word ? [Number(number)] : [];
    });
  return { durable: numbers('durable').at(-1) ?? 0, releasing: numbers('releasing').at(-1) ?? 0 };
}

const PAGE = 4096;
/** Where LMDB keeps the id of the boot in a meta page. */
const BOOT_ID_OFFSET = 24 + 136;

/** As if the machine had restarted since: LMDB then trusts no page that was not synced. */
export function changeBootId(file: Buffer): Buffer {
  const changed = Buffer.from(file);
  for (const page of [0, PAGE]) {
    if (changed.length < page + BOOT_ID_OFFSET + 8) continue;
    const id = changed.readBigUInt64LE(page + BOOT_ID_OFFSET);
    if (id !== 0n) changed.writeBigUInt64LE(id ^ 0x5555_5555_5555n, page + BOOT_ID_OFFSET);
  }
  return changed;
}
