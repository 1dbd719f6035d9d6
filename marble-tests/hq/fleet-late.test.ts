/** The fleet over a store that answers late, or cannot just now. */
import { defer, delay, throwError } from 'rxjs';
import { expect, it } from 'vitest';
import { dataFrame } from '../../src/hq/store/testing/frames.ts';
import { lateStore } from '../../src/hq/store/testing/late-store.ts';
import { StorageError } from '../../src/storage/storage.ts';
import { createFleetRig } from './support/fleet-rig.ts';

/** `delays`: of the next answers about numbers, ms; then they come at once. */
function rigOf() {
  const control = { delays: [] as number[], fails: false };
  const rig = createFleetRig((store, clock) => ({
    ...store,
    numbers: (agents) =>
      defer(() =>
        control.fails ? throwError(() => new StorageError('io', 'not just now')) : store.numbers(agents),
      ).pipe(delay(control.delays.shift() ?? 0, clock.scheduler)),
  }));
  rig.clock.pass(1_000);
  rig.connect();
  rig.clock.pass(1_000);
  rig.deltas.length = 0;
  const told = () => rig.deltas.flatMap(({ agents }) => agents).map(({ stored }) => stored);
  return { rig, control, told };
}

it('begins once the store has said what it knows', () => {
  const rig = createFleetRig((store, clock) =>
    lateStore(store, { scheduler: clock.scheduler, delayMs: () => 100 }),
  );
  rig.clock.pass(1_000);
  rig.connect();
  rig.append(dataFrame(1, 7));
  rig.restart();
  expect(() => rig.fleet).toThrow('not said yet');
  rig.clock.pass(1_000);
  const seen: unknown[] = [];
  rig.fleet.summaries().subscribe((summaries) => seen.push(...summaries));
  rig.clock.pass(1_000);
  expect(seen).toMatchObject([{ id: 'a1', state: 'offline', stored: 7 }]);
});

it('tells what has changed while it was asking in the next delta', () => {
  const { rig, control, told } = rigOf();
  control.delays = [600];
  rig.append(dataFrame(1, 1, { lane: 'live' }));
  rig.clock.pass(500);
  rig.append(dataFrame(2, 5, { lane: 'live' }));
  rig.clock.pass(2_000);
  expect(told().slice(0, 2)).toEqual([1, 5]);
  expect(rig.deltas.at(-1)?.totals.stored).toBe(5);
});

it('shows the later of two answers, whichever comes first', () => {
  const { rig, control } = rigOf();
  const seen: [string, number | undefined][] = [];
  const ask = (name: string) =>
    rig.fleet.summary('a1').subscribe((summary) => seen.push([name, summary?.stored]));
  rig.append(dataFrame(1, 1));
  control.delays = [200, 100];
  ask('first');
  rig.append(dataFrame(2, 3));
  ask('second');
  rig.clock.pass(240);
  expect(seen).toEqual([
    ['second', 3],
    ['first', 3],
  ]);
  rig.clock.pass(1_000);
  expect(rig.deltas.at(-1)?.totals.stored).toBe(3);
});

it('keeps what has changed until the store can say again', () => {
  const { rig, control, told } = rigOf();
  control.fails = true;
  rig.append(dataFrame(1, 4));
  rig.clock.pass(2_000);
  expect(rig.deltas).toEqual([]);
  const errors: unknown[] = [];
  rig.fleet.snapshot().subscribe({ error: (error: unknown) => void errors.push(error) });
  expect(errors).toEqual([expect.any(StorageError)]);
  control.fails = false;
  rig.clock.pass(300);
  expect(told()).toEqual([4]);
  expect(rig.deltas[0]?.ingest.length, 'the points of the seconds between, too').toBeGreaterThanOrEqual(2);
});
