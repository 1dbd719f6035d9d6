/**
 * Compact messages of protocol 2 from agent to HQ: frames and heartbeats. docs/protocol.md, section 8, has the layout.
 *
 * Invariants:
 * - decoding throws a CompactError, and nothing else, on bytes that are no valid message;
 * - it allocates in proportion to the bytes given, whatever lengths they claim;
 * - a frame needs nothing but the epoch of the connection to be understood; a heartbeat names the one that it builds
 *   on.
 */
import { ByteWriter } from '../codec/bytes.ts';
import { LANES, type Lane } from '../events.ts';
import type { Epoch } from '../sample.ts';
import { CompactError } from './compact-error.ts';
import { readBounded, readWhole } from './fields.ts';
import { type Leaves, NO_LEAVES, readChanges, writeChanges } from './heartbeat-delta.ts';

/** Requests are numbered below it and around again; far more than ever wait for an answer. */
export const REQUEST_NUMBERS = 2 ** 14;

/** A heartbeat that both ends know, by the number of its request. */
export type KnownHeartbeat = { readonly request: number; readonly leaves: Leaves };

export type UpMessage =
  | { readonly type: 'frame'; readonly request: number; readonly lane: Lane; readonly frame: Uint8Array }
  | ({ readonly type: 'heartbeat' } & KnownHeartbeat);

/** What a connection of protocol 2 has agreed on, and the last heartbeat that came over it. */
export type UpContext = { readonly epoch: Epoch; readonly heartbeat: KnownHeartbeat | null };

/** Low half of the first byte. A frame's type is the number of its lane. */
const HEARTBEAT = 0x08;
const DELTA = 0x09;
const TYPE_BITS = 0x0f;
/** A frame without the bytes that are the same in all frames of the connection. */
const HEADLESS = 0x10;

/** Of a frame: magic and version, one byte of flags, the epoch. */
const MAGIC = [0x48, 0x46, 0x01] as const;
const FLAGS_AT = 3;
const HEAD_BYTES = 10;
/** Larger frames keep their head: giving it back costs a copy. */
const MAX_HEADLESS_BYTES = 4096;

const scratch = new ByteWriter();

export function encodeFrameMessage(
  request: number,
  { lane, frame, epoch }: { readonly lane: Lane; readonly frame: Uint8Array; readonly epoch: Epoch },
): Uint8Array {
  const headless = frame.length <= MAX_HEADLESS_BYTES && hasHead(frame, headOf(epoch));
  const writer = scratch.reset();
  writer.u8(LANES.indexOf(lane) + (headless ? HEADLESS : 0));
  writer.varint(request);
  if (headless) writer.u8(frame[FLAGS_AT] ?? 0);
  writer.raw(headless ? frame.subarray(HEAD_BYTES) : frame);
  return writer.view().slice();
}

/** `base`: a heartbeat that HQ has answered; null writes all of it. */
export function encodeHeartbeatMessage(
  { request, leaves }: KnownHeartbeat,
  base: KnownHeartbeat | null,
): Uint8Array {
  const writer = scratch.reset();
  writer.u8(base === null ? HEARTBEAT : DELTA);
  writer.varint(request);
  if (base !== null) writer.varint(base.request);
  writeChanges(writer, base?.leaves ?? NO_LEAVES, leaves);
  return writer.view().slice();
}

export function decodeUp(bytes: Uint8Array, { epoch, heartbeat }: UpContext): UpMessage {
  return readWhole(bytes, (reader): UpMessage => {
    const head = reader.u8('type');
    const request = readBounded(reader, REQUEST_NUMBERS - 1, 'number of the request');
    const lane = LANES[head & TYPE_BITS];
    if (lane !== undefined && (head & ~(TYPE_BITS | HEADLESS)) === 0) {
      const rest = bytes.subarray(reader.skip(reader.remaining, 'frame'));
      return { type: 'frame', request, lane, frame: head & HEADLESS ? withHead(rest, epoch) : rest };
    }
    if (head === HEARTBEAT) return { type: 'heartbeat', request, leaves: readChanges(reader, NO_LEAVES) };
    if (head !== DELTA) throw new CompactError('unknown_type', `a message of type ${head}`);
    const base = reader.varint('number of an earlier heartbeat');
    // A message that came twice: what it builds on has been replaced by what it says.
    if (heartbeat?.request === request) {
      reader.skip(reader.remaining, 'changes');
      return { type: 'heartbeat', ...heartbeat };
    }
    if (heartbeat?.request !== base)
      throw new CompactError('malformed', `a heartbeat that builds on ${base}, which was not the last`);
    return { type: 'heartbeat', request, leaves: readChanges(reader, heartbeat.leaves) };
  });
}

/** Its byte of flags is zero. */
function headOf(epoch: Epoch): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  head.set(MAGIC);
  for (let index = 0; index < 6; index += 1)
    head[FLAGS_AT + 1 + index] = Number.parseInt(epoch.slice(2 * index, 2 * index + 2), 16);
  return head;
}

function hasHead(frame: Uint8Array, head: Uint8Array): boolean {
  return frame.length >= HEAD_BYTES && head.every((byte, at) => at === FLAGS_AT || frame[at] === byte);
}

function withHead(rest: Uint8Array, epoch: Epoch): Uint8Array {
  const [flags] = rest;
  if (flags === undefined) throw new CompactError('truncated', 'a frame without its flags');
  if (rest.length > MAX_HEADLESS_BYTES)
    throw new CompactError('too_large', `a frame of ${rest.length} bytes without its head`);
  const frame = new Uint8Array(HEAD_BYTES - 1 + rest.length);
  frame.set(headOf(epoch));
  frame[FLAGS_AT] = flags;
  frame.set(rest.subarray(1), HEAD_BYTES);
  return frame;
}
