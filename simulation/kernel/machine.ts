/** A simulated machine: its wall clock, which may go wrong, and the processes that live and die on it. */
import type { Clock } from '../../src/platform/clock.ts';
import { schedulerOn, type Timeline } from './timeline.ts';

/** One life of a process. What a dead one does has no effect: it gets no time, no messages, no disk. */
export type Life = {
  readonly clock: Clock;
  readonly isAlive: () => boolean;
  readonly end: () => void;
};

export type Machine = {
  readonly name: string;
  readonly wall: () => number;
  /** Moves the wall clock by so many ms. */
  readonly jump: (ms: number) => void;
  /** From now on the wall clock runs at this rate: 1 is right, 0 stands still. */
  readonly setRate: (rate: number) => void;
  /** A new boot: monotonic time starts again, under another boot id. */
  readonly reboot: () => void;
  readonly begin: () => Life;
};

/** Year 2030, so that ten years either way are dates as well. */
const WALL_AT_ZERO = Date.UTC(2030, 0, 1);

export function createMachine(timeline: Timeline, name: string): Machine {
  let boot = { number: 1, at: 0 };
  let wallAt = { time: 0, wall: WALL_AT_ZERO, rate: 1 };
  const exactWall = () => wallAt.wall + (timeline.now() - wallAt.time) * wallAt.rate;
  const setWall = (wall: number, rate: number) => {
    wallAt = { time: timeline.now(), wall, rate };
  };
  return {
    name,
    wall: () => Math.floor(exactWall()),
    jump: (ms) => setWall(exactWall() + ms, wallAt.rate),
    setRate: (rate) => setWall(exactWall(), rate),
    reboot: () => {
      boot = { number: boot.number + 1, at: timeline.now() };
    },
    begin: () => {
      let alive = true;
      const isAlive = () => alive;
      const { number, at } = boot;
      return {
        isAlive,
        end: () => {
          alive = false;
        },
        clock: {
          now: () => Math.floor(exactWall()),
          mono: () => Math.floor(timeline.now() - at),
          precise: timeline.now,
          bootId: `${name}-boot-${number}`,
          scheduler: schedulerOn(timeline, isAlive),
        },
      };
    },
  };
}
