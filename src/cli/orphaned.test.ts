import { VirtualTimeScheduler } from 'rxjs';
import { expect, it } from 'vitest';
import { isRunByNpm, orphaned } from './orphaned.ts';

it('tells within a second that the parent is another one, once', () => {
  const scheduler = new VirtualTimeScheduler();
  const told: (readonly [number, number])[] = [];
  const parent = () => (scheduler.frame < 4_500 ? 77 : 1);
  orphaned(parent, scheduler).subscribe((pid) => told.push([scheduler.frame, pid]));
  scheduler.flush();
  expect(told).toEqual([[5_000, 1]]);
});

it('knows what npm has started', () => {
  expect(isRunByNpm({ npm_command: 'run-script' })).toBe(true);
  expect(isRunByNpm({ npm_command: 'exec' })).toBe(true);
  expect(isRunByNpm({ PATH: '/bin' })).toBe(false);
});
