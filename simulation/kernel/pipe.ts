/**
 * One direction of a connection, over its line: it keeps order, as TCP does, and what a black hole swallows comes once
 * it is gone.
 */
import type { Chance } from './chance.ts';
import type { Line } from './line.ts';
import type { Timeline } from './timeline.ts';

export type PipeOptions = {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly line: Line;
  /** One-way delay, ms. */
  readonly delayMs: () => readonly [least: number, most: number];
  /** Whether nothing gets through now. */
  readonly isLost: () => boolean;
  /** So many bytes have arrived: of a message that is whole then, or not yet. */
  readonly onBytes: (bytes: number) => void;
};

export type Pipe = {
  /** `work` is done when all bytes of the message have arrived. */
  readonly send: (bytes: number, work: () => void) => void;
  readonly healed: () => void;
  /** Its connection has ended at the sender. */
  readonly abandon: () => void;
  readonly waiting: () => { readonly bytes: number; readonly unsent: number };
};

export function createPipe({ timeline, chance, line, delayMs, isLost, onBytes }: PipeOptions): Pipe {
  const sender = {};
  // Whatever is due first, the message that was sent first is delivered.
  const queue: (() => void)[] = [];
  let stuck = 0;
  let free = 0;
  const schedule = () => {
    free = Math.max(free, timeline.now() + chance.between(...delayMs()));
    timeline.after(free - timeline.now(), () => {
      if (isLost()) stuck += 1;
      else queue.shift()?.();
    });
  };
  return {
    send: (bytes, work) =>
      line.send(sender, bytes, (passed, last) => {
        queue.push(() => {
          onBytes(passed);
          if (last) work();
        });
        schedule();
      }),
    healed: () => {
      if (isLost()) return;
      for (; stuck > 0; stuck -= 1) schedule();
    },
    abandon: () => line.abandon(sender),
    waiting: () => line.waiting(sender),
  };
}
