/** Plans what rolling up changes in the storage; writes nothing. */
import { decodeData, decodeDownsampled, readHeader } from '../../protocol/frame-codec.ts';
import type { SchemaRef } from '../../protocol/sample.ts';
import type { Reader, Storage, Writer } from '../../storage/storage.ts';
import type { Resolution } from '../rollups/resolutions.ts';
import { type BlockPart, mergeParts, type RollupRows, rollUp } from '../rollups/roll-up.ts';
import { decodePart, type RollupPart } from '../rollups/rollup-part.ts';
import type { FrameRecord } from './frame-record.ts';
import { parseRollupKey, rollupKey, rollupRange } from './rollup-keys.ts';
import { segmentOf } from './time-index.ts';

/** So many parts of one level become one of the next: each is rewritten once for a factor of as much. */
const PARTS_A_LEVEL = 8;
/** Parts of a block that are looked at; seldom more than twenty. */
const MAX_PARTS = 4_096;

/** A frame, and which of its seqs count; null: all that the record owns. */
export type RollupInput = {
  readonly record: FrameRecord;
  readonly owns: ((seq: number) => boolean) | null;
};

export type NewPart = BlockPart & { readonly ref: SchemaRef };

/** Whether a block is old enough to be left out. */
export type IsKept = (resolution: Resolution, block: number) => boolean;

/** What is to be written and removed. */
export type PartChanges = {
  readonly puts: { readonly key: Uint8Array; readonly value: Uint8Array }[];
  readonly removes: Uint8Array[];
};

/** Parts of what the frames hold. `onBad`: told of a frame that does not decode; it is left out. */
export function* rollRecords(
  inputs: readonly RollupInput[],
  isKept: IsKept,
  onBad: (input: RollupInput, error: unknown) => void,
): Generator<void, readonly NewPart[]> {
  const bySchema = new Map<SchemaRef, RollupRows[]>();
  for (const input of inputs) {
    try {
      for (const [ref, rows] of rowsOf(input)) {
        const known = bySchema.get(ref);
        if (known === undefined) bySchema.set(ref, [rows]);
        else known.push(rows);
      }
    } catch (error) {
      onBad(input, error);
    }
    yield;
  }
  const parts: NewPart[] = [];
  for (const [ref, rows] of bySchema) {
    for (const part of yield* rollUp(rows, isKept)) parts.push({ ...part, ref });
  }
  return parts;
}

function rowsOf({ record, owns: isWanted }: RollupInput): readonly (readonly [SchemaRef, RollupRows])[] {
  const { frame, segments } = record;
  const { kind, firstSeq, count } = readHeader(frame);
  const [segment] = segments;
  const isWhole =
    segments.length === 1 && segment?.first === firstSeq && segment.last === firstSeq + count - 1;
  const isOwn = isWhole ? null : (seq: number) => segmentOf(record, seq) !== undefined;
  const owns =
    isWanted === null || isOwn === null ? (isWanted ?? isOwn) : (seq: number) => isOwn(seq) && isWanted(seq);
  const { groups } = kind === 'thinned' ? decodeDownsampled(frame) : decodeData(frame);
  return groups.map(({ columns, ...group }) => {
    // Let go of after use: a frame of few bytes may hold many values.
    const left: (typeof columns)[number][] = [...columns];
    const column = (index: number) => {
      const taken = left[index] ?? null;
      left[index] = null;
      return taken;
    };
    return [group.schemaRef, { group, columns: columns.length, column, owns }];
  });
}

/**
 * How the parts join those that an agent has: as they are, or merged with others. A block that one of them begins ends
 * the one before, which becomes one part.
 */
export function* placeParts(
  storage: Storage,
  agent: string,
  parts: readonly NewPart[],
): Generator<void, PartChanges> {
  const changes: PartChanges = { puts: [], removes: [] };
  for (const part of parts) {
    yield* placePart(storage, agent, part, changes);
    yield;
  }
  return changes;
}

type Held = ReturnType<typeof parseRollupKey> & { readonly key: Uint8Array };

function heldParts(
  reader: Reader,
  agent: string,
  { ref, resolution }: NewPart,
  block: number,
): readonly Held[] {
  const range = rollupRange(agent, { ref, resolution: resolution.index, from: block, to: block + 1 });
  return reader.keys({ ...range, limit: MAX_PARTS }).map((key) => ({ ...parseRollupKey(key), key }));
}

function* placePart(
  storage: Storage,
  agent: string,
  part: NewPart,
  { puts, removes }: PartChanges,
): Generator<void, void> {
  const { ref, resolution, block } = part;
  const held = storage.read((reader) => heldParts(reader, agent, part, block));
  const keyOf = (level: number, number: number, of = block) =>
    rollupKey(agent, { ref, resolution: resolution.index, block: of, level, number });
  const number = Math.max(0, ...held.map((one) => one.number)) + 1;
  let { bytes } = part;
  let level = 0;
  for (;;) {
    const same = held.filter((one) => one.level === level);
    if (same.length + 1 < PARTS_A_LEVEL) break;
    bytes = yield* mergeParts([...readParts(storage, same), decodePart(bytes)], resolution);
    for (const { key } of same) removes.push(key);
    level += 1;
  }
  puts.push({ key: keyOf(level, number), value: bytes });
  if (held.length > 0) return;
  const before = storage.read((reader) => heldParts(reader, agent, part, block - 1));
  if (before.length < 2) return;
  const whole = yield* mergeParts(readParts(storage, before), resolution);
  const highest = Math.max(...before.map((one) => one.level));
  const last = Math.max(...before.map((one) => one.number));
  for (const { key } of before) removes.push(key);
  puts.push({ key: keyOf(highest + 1, last, block - 1), value: whole });
}

function readParts(storage: Storage, held: readonly Held[]): readonly RollupPart[] {
  return held.flatMap(({ key }) => {
    const value = storage.read((reader) => reader.get(key));
    // A damaged one is reported by the storage.
    return value === undefined ? [] : [decodePart(value)];
  });
}

export function writeParts(writer: Writer, { puts, removes }: PartChanges): void {
  for (const key of removes) writer.remove(key);
  for (const { key, value } of puts) writer.put(key, value);
}
