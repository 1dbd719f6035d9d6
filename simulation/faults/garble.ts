/**
 * An agent whose encoder has a bug: now and then a frame of several samples arrives with a right checksum and a column
 * that cannot be decoded. Only who decodes all of it finds that out. Sent again, it is whole: the bug comes and goes.
 */
import { crc32 } from 'node:zlib';
import { decodeData, readHeader } from '../../src/protocol/frame-codec.ts';
import type { Chance } from '../kernel/chance.ts';

export type Garbler = {
  /** Whether frames of this wire are ever garbled. */
  readonly troubles: (wire: string) => boolean;
  /** What comes of a frame. */
  readonly pass: (wire: string, frame: Uint8Array) => Uint8Array;
};

export type GarblerOptions = {
  /** Until then, ms of virtual time. */
  readonly until: number;
  readonly now: () => number;
  readonly note: (line: string) => void;
};

const WORLD_SHARE = 0.15;
const FRAME_SHARE = 0.2;
const TRIES = 40;

export function createGarbler(chance: Chance, { until, now, note }: GarblerOptions): Garbler {
  const isGarbling = chance.chance(WORLD_SHARE);
  const troubles = (wire: string) => isGarbling && wire === 'agent-1';
  return {
    troubles,
    pass: (wire, frame) => {
      if (!troubles(wire) || now() >= until || !chance.chance(FRAME_SHARE)) return frame;
      const garbled = garble(frame, chance);
      if (garbled === null) return frame;
      note(`${wire} garbled a frame`);
      return garbled;
    },
  };
}

/** Null where no single byte does it: frames of one sample, gaps, compressed and downsampled frames. */
function garble(frame: Uint8Array, chance: Chance): Uint8Array | null {
  const { kind, count, compression, headerLength } = readHeader(frame);
  if (kind !== 'data' || count < 2 || compression !== 'none') return null;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const bytes = Uint8Array.from(frame);
    bytes[chance.whole(headerLength, bytes.length - 1)] = chance.whole(0, 255);
    const crc = crc32(bytes.subarray(headerLength), crc32(bytes.subarray(0, headerLength - 4)));
    new DataView(bytes.buffer).setUint32(headerLength - 4, crc, true);
    if (isSound(() => decodeData(bytes, { columns: () => 'none' })) && !isSound(() => decodeData(bytes)))
      return bytes;
  }
  return null;
}

function isSound(decode: () => unknown): boolean {
  try {
    decode();
    return true;
  } catch {
    return false;
  }
}
