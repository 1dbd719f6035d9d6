import { VirtualTimeScheduler } from 'rxjs';
import { expect, it } from 'vitest';
import { createReadThrottle } from './read-throttle.ts';

function rig() {
  const scheduler = new VirtualTimeScheduler();
  const seen: [at: number, reading: boolean][] = [];
  let held = 0;
  const line = createReadThrottle({
    setReading: (reading) => seen.push([scheduler.now(), reading]),
    scheduler,
    onHeld: () => {
      held += 1;
    },
  });
  return { scheduler, seen, line, held: () => held };
}

it('reads on after the time, at the latest after a quarter of a second', () => {
  const { scheduler, seen, line, held } = rig();
  line.throttle(40);
  line.throttle(40);
  scheduler.flush();
  line.throttle(60_000);
  scheduler.flush();
  expect(seen).toEqual([
    [0, false],
    [40, true],
    [40, false],
    [290, true],
  ]);
  expect(held()).toBe(2);
});

it('lets a connection that ends while it is held back see its end', () => {
  const { scheduler, seen, line } = rig();
  line.throttle(40);
  line.end();
  line.end();
  scheduler.flush();
  expect(seen).toEqual([
    [0, false],
    [0, true],
  ]);
});
