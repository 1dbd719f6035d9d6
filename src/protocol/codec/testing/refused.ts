/** Frames that must be refused: files, each with the code that says why. */
import { readdirSync, readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { FrameErrorCode } from '../../frame.ts';
import type { Epoch } from '../../sample.ts';
import { parseHex } from './golden.ts';

const FOLDER = new URL('../../golden/refused/', import.meta.url);

/** The codes of these frames; each has one at least. */
export const REFUSAL_CODES = [
  'truncated',
  'bad_magic',
  'unsupported_version',
  'unsupported_kind',
  'encrypted',
  'bad_checksum',
  'too_large',
  'malformed',
] as const satisfies readonly FrameErrorCode[];

const documentSchema = z.strictObject({
  about: z.string(),
  code: z.enum(REFUSAL_CODES),
  /** `reader`: nobody can decode it. `hq`: it decodes, and HQ must not take it, as what it says cannot be. */
  refusedBy: z.enum(['reader', 'hq']),
  /** Where its CRC-32 is, which is right; null: it has none, or a wrong one. */
  checksumAt: z.number().nullable(),
});

export type RefusedFrame = z.infer<typeof documentSchema> & {
  readonly name: string;
  readonly bytes: Uint8Array;
};

export function refusedFrames(): RefusedFrame[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => {
      const name = file.slice(0, -'.json'.length);
      const read = (extension: string) => readFileSync(new URL(`${name}.${extension}`, FOLDER), 'utf8');
      return { name, bytes: parseHex(read('hex')), ...documentSchema.parse(JSON.parse(read('json'))) };
    });
}

const EPOCH_AT = 4;
const EPOCH_BYTES = 6;

/** The same frame of another epoch, its checksum right where it was: HQ refuses any frame of a foreign epoch. */
export function ofEpoch({ bytes, checksumAt }: RefusedFrame, epoch: Epoch): Uint8Array {
  const changed = bytes.slice();
  if (changed.length < EPOCH_AT + EPOCH_BYTES) return changed;
  changed.set(Buffer.from(epoch, 'hex'), EPOCH_AT);
  if (checksumAt === null) return changed;
  const crc = crc32(changed.subarray(checksumAt + 4), crc32(changed.subarray(0, checksumAt)));
  new DataView(changed.buffer).setUint32(checksumAt, crc, true);
  return changed;
}
