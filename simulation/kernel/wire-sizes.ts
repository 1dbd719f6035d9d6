/** What messages of one connection cost on the wire: as the product encodes them, with their framing. */
import { encodeDown } from '../../src/protocol/compact/down.ts';
import { leavesOf } from '../../src/protocol/compact/heartbeat-delta.ts';
import {
  encodeFrameMessage,
  encodeHeartbeatMessage,
  type KnownHeartbeat,
} from '../../src/protocol/compact/up.ts';
import {
  frameMetaSchema,
  frameReplySchema,
  heartbeatReplySchema,
  helloSchema,
} from '../../src/protocol/events.ts';
import type { Epoch } from '../../src/protocol/sample.ts';

export type WireSizes = {
  readonly up: (event: string, args: readonly unknown[]) => number;
  readonly down: (event: string, reply: unknown) => number;
};

/** WebSocket's and Socket.IO's of a compact message; a message that is an event has a name and packet types besides. */
const FRAMING_BYTES = 7;
const EVENT_BYTES = 12;

export function createWireSizes(): WireSizes {
  let epoch: Epoch | null = null;
  let heartbeat: KnownHeartbeat | null = null;
  return {
    up: (event, args) => {
      const [first, frame] = args;
      if (event === 'hello') epoch = helloSchema.safeParse(first).data?.epoch ?? null;
      if (event === 'frame' && epoch !== null && frame instanceof Uint8Array) {
        const { lane } = frameMetaSchema.parse(first);
        return FRAMING_BYTES + encodeFrameMessage(0, { lane, frame, epoch }).length;
      }
      if (event === 'heartbeat' && typeof first === 'object' && first !== null) {
        const next = { request: 0, leaves: leavesOf(first) };
        const { length } = encodeHeartbeatMessage(next, heartbeat);
        heartbeat = next;
        return FRAMING_BYTES + length;
      }
      return plainBytes(event, args);
    },
    down: (event, reply) => {
      if (event === 'frame') {
        const parsed = frameReplySchema.safeParse(reply).data;
        if (parsed?.ok === true)
          return FRAMING_BYTES + encodeDown({ type: 'acked', requests: [0], ...parsed }).length;
      }
      if (event === 'heartbeat') {
        const parsed = heartbeatReplySchema.safeParse(reply).data;
        if (parsed?.ok === true)
          return FRAMING_BYTES + encodeDown({ type: 'heard', request: 0, ...parsed }).length;
      }
      return plainBytes('', [reply]);
    },
  };
}

/** Of an event of Socket.IO. */
export function plainBytes(event: string, args: readonly unknown[]): number {
  return args.reduce<number>(
    (sum, one) => sum + (one instanceof Uint8Array ? one.length : (JSON.stringify(one)?.length ?? 0)),
    EVENT_BYTES + event.length,
  );
}
