/**
 * Heartbeats as what has changed since an earlier one. docs/protocol.md, section 8, has the layout.
 *
 * A heartbeat is seen as its leaves: numbers, texts, words (null, false, true) and empty objects, each under a path of
 * one or two names. Both ends keep the leaves of the last one; a whole heartbeat is a difference from no leaves at all.
 * Numbers that are no integers are rounded to tenths: they are estimates, and a double would cost eight bytes each
 * time.
 *
 * Bounds: 64 leaves a message, 128 a heartbeat, paths of 64 bytes, texts of 1,024.
 */
import type { ByteReader, ByteWriter } from '../codec/bytes.ts';
import { CompactError } from './compact-error.ts';
import { readText, writeText } from './fields.ts';

const EMPTY_OBJECT = Symbol('empty object');
type Leaf = number | string | boolean | null | typeof EMPTY_OBJECT;
export type Leaves = ReadonlyMap<string, Leaf>;

export const NO_LEAVES: Leaves = new Map();

/**
 * Number of a path in messages, from 1; 0 is a path in full. Only ever appended to. The first 15 cost one byte with
 * their kind: those that change all the time.
 */
export const HEARTBEAT_PATHS = [
  'ts',
  'sampled',
  'released',
  'pending',
  'pendingBytes',
  'lagMs',
  'rttMs',
  'link.rate',
  'link.minRttMs',
  'link.queueMs',
  'link.bytesToday',
  'link.bytesMonth',
  'link.budgetLeft',
  'link.caughtUpMs',
  'link.live',
  'link.backlog',
  'link.caughtUpLowMs',
  'link.caughtUpHighMs',
  'link.never',
  'link.paused',
  'link',
  'state',
  'breaker',
  'thinned',
  'disk',
  'dropped',
  'link.pausedUntil',
] as const;
const NUMBER_OF = new Map<string, number>(HEARTBEAT_PATHS.map((path, index) => [path, index + 1]));

/** How a leaf is told; its number stands in the low three bits of its head. */
const REMOVED = 0;
const WORD = 1;
const INTEGER = 2;
const TENTHS = 3;
const TEXT = 4;
const WORDS: readonly Leaf[] = [null, false, true, EMPTY_OBJECT];

const MAX_CHANGES = 64;
const MAX_LEAVES = 128;
const MAX_PATH_BYTES = 64;
const MAX_TEXT_BYTES = 1024;
/** Beyond it tenths would not be exact. */
const MAX_TENTHS = 2 ** 49;

/** The leaves of a heartbeat; what is neither a leaf nor an object of leaves is left out. */
export function leavesOf(heartbeat: object): Leaves {
  const leaves = new Map<string, Leaf>();
  for (const [name, value] of Object.entries(heartbeat)) {
    if (typeof value !== 'object' || value === null) putLeaf(leaves, name, value);
    else {
      leaves.set(name, EMPTY_OBJECT);
      for (const [inner, one] of Object.entries(value)) putLeaf(leaves, `${name}.${inner}`, one);
    }
  }
  return leaves;
}

function putLeaf(leaves: Map<string, Leaf>, path: string, value: unknown): void {
  // As JSON does it.
  if (typeof value === 'number') leaves.set(path, Number.isFinite(value) ? rounded(value) : null);
  else if (typeof value === 'string' || typeof value === 'boolean' || value === null) leaves.set(path, value);
}

function rounded(value: number): number {
  if (Math.abs(value) < MAX_TENTHS) return Math.round(value * 10) / 10;
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Math.round(value)));
}

/** The heartbeat that has these leaves; nobody has looked at it yet. */
export function heartbeatFrom(leaves: Leaves): Record<string, unknown> {
  const objects = new Map<string, [string, unknown][]>();
  const entries: [string, unknown][] = [];
  for (const [path, leaf] of leaves) {
    if (leaf === EMPTY_OBJECT) objects.set(path, objects.get(path) ?? []);
    else if (!path.includes('.')) entries.push([path, leaf]);
    else {
      const [name, inner] = halves(path);
      const object = objects.get(name) ?? [];
      object.push([inner, leaf]);
      objects.set(name, object);
    }
  }
  for (const [name, inner] of objects) entries.push([name, Object.fromEntries(inner)]);
  return Object.fromEntries(entries);
}

function halves(path: string): [name: string, inner: string] {
  const dot = path.indexOf('.');
  return [path.slice(0, dot), path.slice(dot + 1)];
}

/** Writes what turns `base` into `leaves`. */
export function writeChanges(writer: ByteWriter, base: Leaves, leaves: Leaves): void {
  for (const path of base.keys()) if (!leaves.has(path)) writeHead(writer, path, REMOVED);
  for (const [path, leaf] of leaves) {
    const before = base.get(path);
    if (before === leaf) continue;
    if (typeof leaf === 'string') {
      writeHead(writer, path, TEXT);
      writeText(writer, leaf);
    } else if (typeof leaf !== 'number') {
      writeHead(writer, path, WORD);
      writer.u8(WORDS.indexOf(leaf));
    } else if (Number.isSafeInteger(leaf)) {
      const difference = leaf - integerOf(before);
      const fits = Number.isSafeInteger(difference);
      // Without its earlier value, when the difference would be no exact one.
      if (!fits) writeHead(writer, path, REMOVED);
      writeHead(writer, path, INTEGER);
      writer.signed(fits ? difference : leaf);
    } else {
      writeHead(writer, path, TENTHS);
      writer.signed(Math.round(leaf * 10));
    }
  }
}

function writeHead(writer: ByteWriter, path: string, kind: number): void {
  const number = NUMBER_OF.get(path) ?? 0;
  writer.varint(number * 8 + kind);
  if (number === 0) writeText(writer, path);
}

function integerOf(leaf: Leaf | undefined): number {
  return typeof leaf === 'number' && Number.isSafeInteger(leaf) ? leaf : 0;
}

/** Reads changes up to the end and gives what they make of `base`. Throws a CompactError. */
export function readChanges(reader: ByteReader, base: Leaves): Leaves {
  const leaves = new Map(base);
  for (let changes = 0; reader.remaining > 0; changes += 1) {
    if (changes === MAX_CHANGES)
      throw new CompactError('too_large', `a heartbeat with over ${MAX_CHANGES} changes`);
    const head = reader.varint('head of a change');
    const path = pathOf(reader, Math.floor(head / 8));
    const kind = head % 8;
    if (kind === REMOVED) leaves.delete(path);
    else leaves.set(path, readLeaf(reader, kind, leaves.get(path)));
  }
  if (leaves.size > MAX_LEAVES)
    throw new CompactError('too_large', `a heartbeat with over ${MAX_LEAVES} leaves`);
  return leaves;
}

function pathOf(reader: ByteReader, number: number): string {
  if (number === 0) return readText(reader, MAX_PATH_BYTES, 'a path');
  const path = HEARTBEAT_PATHS[number - 1];
  if (path === undefined) throw new CompactError('malformed', `path number ${number} is not known`);
  return path;
}

function readLeaf(reader: ByteReader, kind: number, before: Leaf | undefined): Leaf {
  switch (kind) {
    case WORD: {
      const word = WORDS[reader.u8('a word')];
      if (word === undefined) throw new CompactError('malformed', 'a word that is not known');
      return word;
    }
    case INTEGER: {
      const value = integerOf(before) + reader.signed('a difference');
      if (!Number.isSafeInteger(value)) throw new CompactError('malformed', 'a number that is not exact');
      return value;
    }
    case TENTHS:
      return reader.signed('tenths') / 10;
    case TEXT:
      return readText(reader, MAX_TEXT_BYTES, 'a text');
    default:
      throw new CompactError('malformed', `kind ${kind} of a change is not known`);
  }
}
