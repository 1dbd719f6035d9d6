/** A clock whose time moves only when the test says so. */
import { VirtualTimeScheduler } from 'rxjs';
import type { Clock } from '../../../src/platform/clock.ts';

export const START = Date.UTC(2026, 0, 1);

export type VirtualClock = Clock & {
  /** Runs everything that is due within the next `ms`. */
  readonly pass: (ms: number) => void;
};

export function virtualClock(): VirtualClock {
  const scheduler = new VirtualTimeScheduler(undefined, 0);
  let time = 0;
  return {
    now: () => START + scheduler.frame,
    mono: () => scheduler.frame,
    precise: () => scheduler.frame,
    bootId: 'virtual',
    scheduler,
    pass: (ms) => {
      time += ms;
      scheduler.maxFrames = time;
      scheduler.flush();
      scheduler.frame = time;
    },
  };
}
