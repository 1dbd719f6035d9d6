/**
 * One direction of an agent's line: bytes a second, and one queue for all that goes over it, also of connections that
 * have ended.
 *
 * Messages go as packets, each with headers. Of what waits the modem holds so many bytes; the rest is still with the
 * sender, as TCP would keep it, and goes when its connection is given up.
 */
import type { Timeline } from './timeline.ts';

export type LineOptions = {
  readonly timeline: Pick<Timeline, 'now' | 'after'>;
  /** Bytes that the modem holds. */
  readonly queueBytes: number;
};

export type Line = {
  /** `passed` is called for each packet with its bytes, headers left out; `last` with the last one. */
  readonly send: (sender: object, bytes: number, passed: (bytes: number, last: boolean) => void) => void;
  /** Bytes per ms; infinite: nothing waits. */
  readonly setRate: (rate: number) => void;
  readonly rate: () => number;
  /** Bytes of this sender that wait, and of those that the modem has not taken yet. */
  readonly waiting: (sender: object) => { readonly bytes: number; readonly unsent: number };
  /** The connection of this sender has ended: what the modem has not taken is gone. */
  readonly abandon: (sender: object) => void;
};

type Packet = {
  readonly sender: object;
  readonly bytes: number;
  /** Of it and its headers, to be sent yet. */
  left: number;
  readonly passed: () => void;
};

const SEGMENT_BYTES = 1_400;
const HEADER_BYTES = 52;

export function createLine({ timeline, queueBytes }: LineOptions): Line {
  let rate = Number.POSITIVE_INFINITY;
  const queue: Packet[] = [];
  let startedAt = 0;
  let cancel: (() => void) | null = null;

  const pass = () => {
    cancel = null;
    queue.shift()?.passed();
    begin();
  };
  const begin = () => {
    const [head] = queue;
    if (head === undefined || cancel !== null) return;
    startedAt = timeline.now();
    cancel = timeline.after(head.left / rate, pass);
  };
  /** What of the first packet has gone until now is done. */
  const pause = () => {
    const [head] = queue;
    if (head === undefined || cancel === null) return;
    cancel();
    cancel = null;
    const elapsed = timeline.now() - startedAt;
    if (elapsed > 0) head.left = Math.max(0, head.left - elapsed * rate);
  };
  const isFree = () => rate === Number.POSITIVE_INFINITY && queue.length === 0;

  return {
    send: (sender, bytes, passed) => {
      if (isFree()) {
        passed(bytes, true);
        return;
      }
      for (let rest = bytes; rest > 0; rest -= SEGMENT_BYTES) {
        const part = Math.min(rest, SEGMENT_BYTES);
        const last = rest <= SEGMENT_BYTES;
        queue.push({ sender, bytes: part, left: part + HEADER_BYTES, passed: () => passed(part, last) });
      }
      begin();
    },
    rate: () => rate,
    setRate: (next) => {
      if (next === rate) return;
      pause();
      rate = next;
      begin();
    },
    waiting: (sender) => {
      let total = 0;
      let mine = 0;
      let unsent = 0;
      for (const one of queue) {
        total += one.bytes;
        if (one.sender !== sender) continue;
        mine += one.bytes;
        if (total > queueBytes) unsent += one.bytes;
      }
      return { bytes: mine, unsent };
    },
    abandon: (sender) => {
      let total = 0;
      const kept = queue.filter((one, index) => {
        total += one.bytes;
        // The first one is on its way.
        return index === 0 || one.sender !== sender || total <= queueBytes;
      });
      queue.splice(0, queue.length, ...kept);
    },
  };
}
