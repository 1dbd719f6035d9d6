/** A replay that is ended anywhere goes on where its durable samples end: each row is sampled once. */
import { appendFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createMemoryDisk } from '../../../storage/memory/memory-storage.ts';
import { contents, live } from './testing/lives.ts';
import { file, replay } from './testing/replays.ts';

const HEADER = 'a title,\n\ntime,a,b\n';
/** Plain rows, quoted ones over two lines, and rows that cannot be read. */
const lineOf = (row: number) => {
  const time = 1_700_000_000 + row;
  if (row % 97 === 5) return `${time},"${row}\n",${row % 2}\n`;
  if (row % 89 === 7) return `no time,${row},0\n${time},${row},${row % 2}\n`;
  return `${time},${row},${row % 2}\n`;
};
const rowsOf = (count: number) =>
  Array.from({ length: count }, (_, row) => [(1_700_000_000 + row) * 1000, row, row % 2]);
const textOf = (count: number) =>
  `${HEADER}${Array.from({ length: count }, (_, row) => lineOf(row)).join('')}`;

describe('a replay that is ended and begun again', () => {
  it('samples each row once, wherever it is ended and however its blocks are committed', async () => {
    const total = 9000;
    const path = file(textOf(total));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 6 }),
        fc.constantFrom(7, 100, 1000, 4096),
        async (ends, commitMaxCount) => {
          const disk = createMemoryDisk();
          const life = { path, options: 'speed=max', disk, commitMaxCount };
          for (const endAfter of ends) await live({ ...life, endAfter });
          const { journal } = await live({ ...life, endAfter: Number.POSITIVE_INFINITY });
          expect(await contents(journal)).toEqual(rowsOf(total));
        },
      ),
      { numRuns: 8 },
    );
  });

  it('samples nothing again after its end, and what the file has grown by', async () => {
    const disk = createMemoryDisk();
    const path = file(textOf(50));
    const life = {
      path,
      options: 'speed=max',
      disk,
      commitMaxCount: 4096,
      endAfter: Number.POSITIVE_INFINITY,
    };
    await live(life);
    const { events } = await live(life);
    expect(events.map(({ type }) => type)).toEqual(['csv_resumed', 'csv_opened', 'csv_pass_ended']);
    appendFileSync(path, Array.from({ length: 20 }, (_, row) => lineOf(50 + row)).join(''));
    const { journal } = await live(life);
    expect(await contents(journal)).toEqual(rowsOf(70));
  });

  it('begins another file of the same name at its top, as it does one that was cut', async () => {
    const disk = createMemoryDisk();
    const path = file(textOf(3000));
    const life = {
      path,
      options: 'speed=max',
      disk,
      commitMaxCount: 4096,
      endAfter: Number.POSITIVE_INFINITY,
    };
    await live(life);
    writeFileSync(path, textOf(100));
    const cut = await live(life);
    expect(cut.events).toContainEqual(expect.objectContaining({ type: 'csv_started_over' }));
    writeFileSync(path, 'time,a,b\n1600000000,1,2\n');
    const other = await live(life);
    expect(other.events).toContainEqual(expect.objectContaining({ type: 'csv_started_over' }));
    expect((await contents(other.journal)).slice(3000)).toEqual([...rowsOf(100), [1_600_000_000_000, 1, 2]]);
  });

  it('goes on with the times of its pass in a loop', async () => {
    const disk = createMemoryDisk();
    const path = file('time,a\n1700000000,1\n1700000002,2\n1700000004,3\n');
    const life = { path, options: 'speed=max,loop', disk, commitMaxCount: 1 };
    for (const endAfter of [1, 1, 3, 2]) await live({ ...life, endAfter });
    const { journal } = await live({ ...life, endAfter: 4 });
    const all = await contents(journal);
    expect(all.map(([ts]) => ts)).toEqual(all.map((_, index) => 1_700_000_000_000 + index * 2000));
    expect(all.map(([, value]) => value)).toEqual(all.map((_, index) => (index % 3) + 1));
    expect(all.length).toBeGreaterThanOrEqual(11);
  });

  it('begins at the top each time when it is told to', async () => {
    const disk = createMemoryDisk();
    const path = file(textOf(10));
    const life = { path, options: 'speed=max,resume=false', disk, commitMaxCount: 4096 };
    await live({ ...life, endAfter: Number.POSITIVE_INFINITY });
    const { journal } = await live({ ...life, endAfter: Number.POSITIVE_INFINITY });
    expect(await contents(journal)).toEqual([...rowsOf(10), ...rowsOf(10)]);
  });

  it('takes a position that it cannot read for none', async () => {
    const position = () => '{"version":9}';
    const { samples$ } = replay(file(textOf(5)), 'speed=max', { position });
    expect(await lastValueFrom(samples$.pipe(toArray()))).toHaveLength(5);
  });
});

describe('a replay that fails', () => {
  it('goes on behind what it has given', async () => {
    const path = file('time,a\n1700000000,1\n1700000001,2\n');
    const { samples$ } = replay(path, 'speed=max');
    const read = async () => (await lastValueFrom(samples$.pipe(toArray()))).map(({ values }) => values[0]);
    expect(await read()).toEqual([1, 2]);
    appendFileSync(path, '1700000002,3\n');
    // As its supervisor starts it again.
    expect(await read()).toEqual([3]);
  });
});
