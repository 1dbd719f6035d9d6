/**
 * Socket.IO's parser with one addition: a bare binary message, which the stock parser refuses, is a compact message.
 *
 * It comes out as the event `compact` of the namespace `/agents`, and that event with nothing but bytes is written as
 * such a message: no text header, no second WebSocket message. Names are read as they are written (json-text.ts).
 * Everything else is as with the stock parser. Who has not
 * joined `/agents` is closed for it by Socket.IO, as for every packet of a namespace that was not joined.
 */

import { type Packet, PacketType, Decoder as StockDecoder, Encoder as StockEncoder } from 'socket.io-parser';
import { parseJsonText } from '../json-text.ts';

export const COMPACT_EVENT = 'compact';
const NAMESPACE = '/agents';

class Encoder extends StockEncoder {
  override encode(packet: Packet): unknown[] {
    const bytes = compactBytes(packet);
    return bytes === null ? super.encode(packet) : [bytes];
  }
}

class Decoder extends StockDecoder {
  /** A text message has come whose attachments have not: what is binary belongs to it. */
  #incomplete = false;

  constructor() {
    super();
    this.on('decoded', () => {
      this.#incomplete = false;
    });
  }

  override add(chunk: unknown): void {
    const bytes = this.#incomplete ? null : bytesOf(chunk);
    if (bytes !== null) {
      this.emitReserved('decoded', { type: PacketType.EVENT, nsp: NAMESPACE, data: [COMPACT_EVENT, bytes] });
      return;
    }
    this.#incomplete = true;
    super.add(chunk);
  }
}

/**
 * What the stock parser reads payloads by, which its types keep to itself: JSON.parse may take names of attributes for
 * others. `false`: it is no JSON.
 */
Object.defineProperty(Decoder.prototype, 'tryParse', {
  value: (text: string): unknown => {
    try {
      return parseJsonText(text);
    } catch {
      return false;
    }
  },
});

/** For the option `parser` of server and client. */
export const compactParser = { Encoder, Decoder };

function compactBytes({ type, nsp, id, data }: Packet): Uint8Array | null {
  if (type !== PacketType.EVENT || nsp !== NAMESPACE || id !== undefined) return null;
  if (!Array.isArray(data) || data.length !== 2 || data[0] !== COMPACT_EVENT) return null;
  return data[1] instanceof Uint8Array ? data[1] : null;
}

function bytesOf(chunk: unknown): Uint8Array | null {
  if (chunk instanceof Uint8Array) return chunk;
  return chunk instanceof ArrayBuffer ? new Uint8Array(chunk) : null;
}
