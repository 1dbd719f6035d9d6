/**
 * What passes a link upward, message by message: live frames, frames of the backlog, and everything else.
 *
 * It looks for frames in WebSocket messages, wherever in a message one begins, so that it need not know how a version
 * of the protocol wraps them. A frame is live when its newest sample was taken after `liveFrom`.
 */
import { createReader, OPCODE } from '../../benchmarks/support/websocket.ts';
import { decodeUp } from '../../src/protocol/compact/up.ts';
import { FrameError, type FrameHeader } from '../../src/protocol/frame.ts';
import { readHeader } from '../../src/protocol/frame-codec.ts';
import { HEADER_BYTES, MAX_PAYLOAD_BYTES } from './link-line.ts';

export type SeenFrame = {
  /** When it had arrived at the far end; `performance.now()`. */
  readonly at: number;
  readonly isLive: boolean;
  readonly firstSeq: number;
  readonly count: number;
  readonly frameBytes: number;
  /** Of the messages that brought it, WebSocket framing included. */
  readonly messageBytes: number;
  /** Of them, with a header for each packet that they need at least. */
  readonly wireBytes: number;
  /** Seqs that no earlier frame had brought. */
  readonly newSeqs: number;
};

const MAGIC = Buffer.from('HF\x01', 'latin1');
/** The text of Socket.IO that announces a binary message, with its number of attachments. */
const ANNOUNCEMENT = /^45\d+-/;
/** A hello, with the epoch of the frames that follow. */
const HELLO = /\["hello",.*"epoch":"([0-9a-f]{12})"/;
const MASK_BYTES = 4;

/** Gives a function that takes the bytes of each connection as they arrive. */
export function watchFrames(
  liveFrom: number,
  onFrame: (frame: SeenFrame) => void,
): (connection: number, bytes: Buffer) => void {
  const seen = new Map<string, Set<number>>();
  const readers = new Map<number, (bytes: Buffer) => void>();

  const newSeqsOf = ({ epoch, firstSeq, count }: FrameHeader): number => {
    const known = seen.get(epoch) ?? new Set();
    seen.set(epoch, known);
    const before = known.size;
    for (let seq = firstSeq; seq < firstSeq + count; seq += 1) known.add(seq);
    return known.size - before;
  };
  const reader = () => {
    const read = createReader(true);
    let announced = 0;
    let epoch = '';
    return (bytes: Buffer) => {
      for (const { opcode, payload } of read(bytes)) {
        const size = messageBytes(payload.length);
        if (opcode === OPCODE.text) {
          const text = payload.toString();
          announced = ANNOUNCEMENT.test(text) ? size : 0;
          epoch = HELLO.exec(text)?.[1] ?? epoch;
        }
        const header = opcode === OPCODE.binary ? headerIn(wholeFrame(payload, epoch)) : null;
        if (header === null) continue;
        const whole = size + announced;
        announced = 0;
        onFrame({
          at: performance.now(),
          isLive: header.tsMax >= liveFrom,
          firstSeq: header.firstSeq,
          count: header.count,
          frameBytes: payload.length,
          messageBytes: whole,
          wireBytes: whole + Math.ceil(whole / MAX_PAYLOAD_BYTES) * HEADER_BYTES,
          newSeqs: newSeqsOf(header),
        });
      }
    };
  };
  return (connection, bytes) => {
    const read = readers.get(connection) ?? reader();
    readers.set(connection, read);
    read(bytes);
  };
}

/** Of a client: payload, its mask, and two bytes and more for its length. */
function messageBytes(payload: number): number {
  return payload + MASK_BYTES + (payload < 126 ? 2 : payload < 2 ** 16 ? 4 : 10);
}

/** Compact messages leave out what is the same in all frames of a connection; other messages stay as they are. */
function wholeFrame(message: Buffer, epoch: string): Uint8Array {
  if (message[0] !== 0x10 && message[0] !== 0x11) return message;
  const compact = decodeUp(message, { epoch, heartbeat: null });
  return compact.type === 'frame' ? compact.frame : message;
}

function headerIn(message: Uint8Array): FrameHeader | null {
  const at = Buffer.from(message.buffer, message.byteOffset, message.length).indexOf(MAGIC);
  if (at < 0) return null;
  try {
    return readHeader(message.subarray(at));
  } catch (error) {
    if (error instanceof FrameError) return null;
    throw error;
  }
}
