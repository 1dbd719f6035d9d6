import { setFlagsFromString } from 'node:v8';
import { switchCompilers } from './compilers.ts';

/**
 * V8 reads these each time they matter, so that they can be set in a process that runs, however it was started.
 * docs/decisions.md has what each of them saves.
 */
const SPARING = [
  // Collects garbage sooner.
  '--optimize-for-size',
  // New objects never get more room than they begin with (1 MB); it would grow to 16 MB and stay.
  '--semi-space-growth-factor=1',
];

const LOOK_MS = 5_000;
/** Share of one core from which on speed is worth more than memory. */
const BUSY = 0.5;

let favourSpeed = (): void => {};

/**
 * Says that this process is about to be busy for long: its code is optimized from now on. Nothing happens unless memory
 * is spared.
 */
export function expectWork(): void {
  favourSpeed();
}

/**
 * Trades speed for memory, for a process that lives long and mostly waits: its code is not optimized until it
 * has been busy for some seconds, or says that it will be. Call it before anything large is loaded.
 */
export function spareMemory(): void {
  for (const flag of SPARING) setFlagsFromString(flag);
  // They take more than what they make: they are pages of Node that nobody else needs.
  switchCompilers('off');
  // Libraries look for it as they load, which would load all of undici (3 MB); none of them needs it here.
  Reflect.deleteProperty(globalThis, 'WebSocket');

  // Starting is work too, and does not count.
  let before: NodeJS.CpuUsage | undefined;
  const timer = setInterval(() => {
    const used = before === undefined ? null : process.cpuUsage(before);
    before = process.cpuUsage();
    if (used !== null && (used.user + used.system) / 1000 >= BUSY * LOOK_MS) expectWork();
  }, LOOK_MS);
  favourSpeed = () => {
    switchCompilers('on');
    clearInterval(timer);
    favourSpeed = () => {};
  };
  timer.unref();
}
