/**
 * The mark of an agent (`M`): how far its frames are in the index, and what they take there.
 *
 *     number u48 · bytes u48; without bytes: they are not counted yet
 */
import type { FrameRecord } from './frame-record.ts';
import { asBuffer } from './keys.ts';

export type FiledMark = {
  /** Entries of the log up to this number are in the index; 0: none. */
  readonly number: number;
  /** What the agent's frames take in the index, roughly; null: not counted yet. */
  readonly bytes: number | null;
};

const NUMBER_BYTES = 6;
/** What a frame takes besides its bytes, roughly: its envelope, its keys, and where it is listed. */
const RECORD_BYTES = 200;

export const recordBytes = ({ frame }: Pick<FrameRecord, 'frame'>): number => frame.length + RECORD_BYTES;

export function encodeMark({ number, bytes }: FiledMark): Uint8Array {
  const value = Buffer.allocUnsafe(bytes === null ? NUMBER_BYTES : 2 * NUMBER_BYTES);
  value.writeUIntBE(number, 0, NUMBER_BYTES);
  if (bytes !== null) value.writeUIntBE(bytes, NUMBER_BYTES, NUMBER_BYTES);
  return value;
}

/** Undefined when absent or unreadable. */
export function decodeMark(value: Uint8Array | undefined): FiledMark | undefined {
  if (value?.length !== NUMBER_BYTES && value?.length !== 2 * NUMBER_BYTES) return undefined;
  const bytes = asBuffer(value);
  return {
    number: bytes.readUIntBE(0, NUMBER_BYTES),
    bytes: value.length === NUMBER_BYTES ? null : bytes.readUIntBE(NUMBER_BYTES, NUMBER_BYTES),
  };
}
