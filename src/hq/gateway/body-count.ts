/**
 * How many bytes of HTTP bodies HQ holds: those that are here of each request, until it is answered.
 *
 * Node hands each piece of a body to `push`, which is where they are counted: nothing is read that would not be read
 * anyway. When it is too much, the address that holds the most gives way, with the largest of its requests that is not
 * here whole.
 */
import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

export type BodyCount = {
  /** For the server, in place of Node's. */
  readonly CountedRequest: typeof IncomingMessage;
  /** Frees what a request has had; to be called when it has been answered. */
  readonly release: (request: IncomingMessage) => void;
  /** Ends a request that has to give way; it is not counted any more. */
  onTooMuch: (victim: IncomingMessage) => void;
};

export function countBodies(mostBytes: number): BodyCount {
  let all = 0;
  const held = new Map<IncomingMessage, number>();
  const release = (request: IncomingMessage) => {
    all -= held.get(request) ?? 0;
    held.delete(request);
  };
  const giveWay = () => {
    const victim = largestOfLargest(held);
    if (victim === null) return;
    release(victim);
    count.onTooMuch(victim);
  };
  class CountedRequest extends IncomingMessage {
    // Node calls it with the connection.
    constructor(socket: Socket) {
      super(socket);
      held.set(this, 0);
    }
    override push(chunk: unknown, encoding?: BufferEncoding): boolean {
      const before = held.get(this);
      if (before !== undefined && chunk instanceof Uint8Array) {
        held.set(this, before + chunk.length);
        all += chunk.length;
        if (all > mostBytes) giveWay();
      }
      return super.push(chunk, encoding);
    }
  }
  const count: BodyCount = { CountedRequest, release, onTooMuch: () => {} };
  return count;
}

function largestOfLargest(held: ReadonlyMap<IncomingMessage, number>): IncomingMessage | null {
  const sums = new Map<string, number>();
  const addressOf = ({ socket }: IncomingMessage) => socket.remoteAddress ?? '';
  for (const [request, bytes] of held)
    sums.set(addressOf(request), (sums.get(addressOf(request)) ?? 0) + bytes);
  let victim: IncomingMessage | null = null;
  const size = (request: IncomingMessage) =>
    [sums.get(addressOf(request)) ?? 0, held.get(request) ?? 0] as const;
  for (const request of held.keys()) {
    if (request.complete) continue;
    const [sum, bytes] = size(request);
    const [most, largest] = victim === null ? [-1, -1] : size(victim);
    if (sum > most || (sum === most && bytes > largest)) victim = request;
  }
  return victim;
}
