/**
 * One direction of a slow link: a modem with a bounded queue, a line of so many bytes a second, and a delay behind it.
 *
 * It keeps no time. It is told what time it is, and computes when the last byte of each packet leaves from when the
 * line became free, so that a late timer moves no packet and costs no rate. Times are ms, sizes are bytes on the wire.
 */

/** What IPv4 and TCP add to each packet, options included. */
export const HEADER_BYTES = 52;
/** What one packet carries at most. */
export const MAX_PAYLOAD_BYTES = 1400;

export type LineOptions = {
  /** Bytes a second, headers included. */
  readonly bytesPerSecond: number;
  /** From one end to the other. */
  readonly delayMs: number;
  /** How long what waits in the modem may take to leave; a packet is let in while less than that waits. */
  readonly queueMs: number;
};

export type PacketKind = 'open' | 'data' | 'end' | 'reset' | 'ack';
export type Packet<Owner> = {
  readonly owner: Owner;
  readonly kind: PacketKind;
  /** Empty unless it is data. */
  readonly payload: Buffer;
};

/** What a line has carried so far. */
export type Carried = {
  readonly payloadBytes: number;
  readonly wireBytes: number;
  readonly packets: number;
  /** How long it was sending. */
  readonly busyMs: number;
  /** How long it was there. */
  readonly upMs: number;
  /** What it could have carried in that time at the rates it had. */
  readonly capacityBytes: number;
};

export type Line<Owner> = {
  /** Puts a packet behind all others, also beyond the bound. */
  readonly push: (packet: Packet<Owner>, now: number) => void;
  /** Whether the modem lets another packet in. */
  readonly hasRoom: () => boolean;
  /** When the next packet leaves, or arrives; infinity when none does. */
  readonly nextDeparture: () => number;
  readonly nextArrival: () => number;
  /** Moves the next packet off the line, at the time that `nextDeparture` tells. */
  readonly depart: () => void;
  /** Takes the next packet that arrives. */
  readonly arrive: () => Packet<Owner>;
  readonly change: (options: Partial<LineOptions> & { readonly isUp?: boolean }, now: number) => void;
  /** Drops what waits and what is on the way. */
  readonly clear: (now: number) => void;
  readonly queuedBytes: () => number;
  readonly carried: (now: number) => Carried;
};

const wireBytesOf = ({ payload }: Packet<unknown>) => payload.length + HEADER_BYTES;

export function createLine<Owner>(initial: LineOptions, start: number): Line<Owner> {
  let options = initial;
  let isUp = true;
  const queue: Packet<Owner>[] = [];
  let queued = 0;
  const flying: { readonly packet: Packet<Owner>; readonly at: number }[] = [];
  let lastArrival = Number.NEGATIVE_INFINITY;
  /** Bytes of the first packet of the queue that were still to be sent at `headFrom`. */
  let headBytes = 0;
  let headFrom = start;
  let accountedTo = start;
  const total = { payloadBytes: 0, wireBytes: 0, packets: 0, busyMs: 0, upMs: 0, capacityBytes: 0 };

  const headLeaves = () =>
    queue.length === 0 || !isUp
      ? Number.POSITIVE_INFINITY
      : headFrom + (headBytes * 1000) / options.bytesPerSecond;
  const begin = (now: number) => {
    const head = queue[0];
    headFrom = now;
    headBytes = head === undefined ? 0 : wireBytesOf(head);
  };
  /** The head is sent, and time counts, up to now at the rate that holds until now. */
  const account = (now: number) => {
    if (isUp) {
      const span = now - accountedTo;
      total.upMs += span;
      total.capacityBytes += (span * options.bytesPerSecond) / 1000;
      if (queue.length > 0) {
        total.busyMs += span;
        headBytes -= ((now - headFrom) * options.bytesPerSecond) / 1000;
        headFrom = now;
      }
    }
    accountedTo = now;
  };

  return {
    push: (packet, now) => {
      account(now);
      queue.push(packet);
      queued += wireBytesOf(packet);
      if (queue.length === 1) begin(now);
    },
    hasRoom: () => queued < (options.bytesPerSecond * options.queueMs) / 1000,
    nextDeparture: headLeaves,
    nextArrival: () => flying[0]?.at ?? Number.POSITIVE_INFINITY,
    depart: () => {
      const at = headLeaves();
      account(at);
      const packet = queue.shift();
      if (packet === undefined) throw new Error('nothing leaves');
      const bytes = wireBytesOf(packet);
      queued -= bytes;
      total.packets += 1;
      total.wireBytes += bytes;
      total.payloadBytes += packet.payload.length;
      // A delay that became shorter lets no packet pass another.
      lastArrival = Math.max(lastArrival, at + options.delayMs);
      flying.push({ packet, at: lastArrival });
      begin(at);
    },
    arrive: () => {
      const first = flying.shift();
      if (first === undefined) throw new Error('nothing arrives');
      return first.packet;
    },
    change: ({ isUp: willBeUp = isUp, ...changed }, now) => {
      account(now);
      if (willBeUp && !isUp) headFrom = now;
      isUp = willBeUp;
      options = { ...options, ...changed };
    },
    clear: (now) => {
      account(now);
      queue.length = 0;
      queued = 0;
      flying.length = 0;
    },
    queuedBytes: () => queued,
    carried: (now) => {
      account(now);
      return { ...total };
    },
  };
}
