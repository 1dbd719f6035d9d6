/** A followed file that was rotated while nobody looked: what was left of it is read first, and nothing twice. */
import { appendFileSync, copyFileSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { of, type SchedulerLike } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../../../tests/support/wait.ts';
import { createSystemClock } from '../../../platform/clock.ts';
import { file, replay } from './testing/replays.ts';

const START = 1_700_000_000;
const line = (row: number) => `${START + row},${row}\n`;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => line(from + index)).join('');
/** Longer than what a file is known by: all files of a set begin alike. */
const WIDE = `time,a,"${'w'.repeat(2000)}"\n`;
const wide = (text: string) => text.replaceAll('\n', ',0\n');

/** A file is looked at more often than once a second. */
const clock = createSystemClock();
const quick: SchedulerLike = Object.assign(Object.create(clock.scheduler), {
  schedule: (...[work, delay = 0, state]: Parameters<SchedulerLike['schedule']>) =>
    clock.scheduler.schedule(work, delay / 50, state),
});

/** Follows until `count` rows have come; returns them and the position that a journal would hold. */
async function run(
  path: string,
  count: number,
  from: string | null,
  options = 'speed=max',
  onGiven: (count: number) => void = () => {},
) {
  const { source, events } = replay(path, `${options},follow`, {
    position: () => from,
    clock: { ...clock, scheduler: quick },
  });
  const values: unknown[] = [];
  let position = from;
  const running = source.samples(of(true)).subscribe((rows) => {
    if ('columns' in rows) values.push(...(rows.columns[0]?.values ?? []));
    else values.push(rows.values[0]);
    position = rows.position?.('columns' in rows ? rows.ts.length : 1) ?? position;
    onGiven(values.length);
  });
  onTestFinished(() => running.unsubscribe());
  await until(`${count} rows`, () => values.length >= count);
  running.unsubscribe();
  return { values, position, events };
}
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe.each([
  ['short', 'time,a\n', (text: string) => text],
  ['wide', WIDE, wide],
])('a followed file with a %s header', (_what, header, rowsOf) => {
  it('that was renamed while the agent was stopped is read to its end, then the new one', async () => {
    const path = file(`${header}${rowsOf(lines(0, 50))}`);
    const { position } = await run(path, 50, null);
    appendFileSync(path, rowsOf(lines(50, 60)));
    renameSync(path, `${path}.1`);
    writeFileSync(path, `${header}${rowsOf(lines(60, 200))}`);
    const { values, position: later } = await run(path, 150, position);
    expect(values).toEqual(numbers(50, 200));
    appendFileSync(path, rowsOf(line(200)));
    expect((await run(path, 1, later)).values).toEqual([200]);
  });

  it.each(['.1', '-20260309'])(
    'that was renamed and compressed (%s.gz) meanwhile is read on',
    async (suffix) => {
      const path = file(`${header}${rowsOf(lines(0, 3000))}`);
      const { values: first, position } = await run(path, 2000, null, 'speed=max');
      appendFileSync(path, rowsOf(lines(3000, 3010)));
      writeFileSync(`${path}${suffix}.gz`, gzipSync(readFileSync(path)));
      writeFileSync(path, `${header}${rowsOf(lines(3010, 3020))}`);
      const { values, position: later } = await run(path, 3020 - first.length, position);
      expect([...first, ...values]).toEqual(numbers(0, 3020));
      appendFileSync(path, rowsOf(line(3020)));
      expect((await run(path, 1, later)).values).toEqual([3020]);
    },
  );

  it('that was copied and cut meanwhile is read in the copy first', async () => {
    const path = file(`${header}${rowsOf(lines(0, 50))}`);
    const { position } = await run(path, 50, null);
    appendFileSync(path, rowsOf(lines(50, 60)));
    copyFileSync(path, `${path}-20260309`);
    writeFileSync(path, `${header}${rowsOf(lines(60, 70))}`);
    expect((await run(path, 20, position)).values).toEqual(numbers(50, 70));
  });

  it('that was rotated several times meanwhile is read through all of them', async () => {
    const path = file(`${header}${rowsOf(lines(0, 50))}`);
    const { position } = await run(path, 50, null);
    appendFileSync(path, rowsOf(lines(50, 55)));
    renameSync(path, `${path}.3`);
    writeFileSync(`${path}.2`, `${header}${rowsOf(lines(55, 300))}`);
    writeFileSync(`${path}.1`, `${header}${rowsOf(lines(300, 310))}`);
    writeFileSync(path, `${header}${rowsOf(lines(310, 320))}`);
    for (const [index, name] of [`${path}.3`, `${path}.2`, `${path}.1`].entries())
      utimesSync(name, START + index, START + index);
    const { values, position: middle } = await run(path, 100, position);
    expect(values.slice(0, 100)).toEqual(numbers(50, 150));
    // Ended in the midst of the second.
    const rest = await run(path, 320 - 50 - values.length, middle);
    expect([...values, ...rest.values]).toEqual(numbers(50, 320));
  });

  it('whose old contents are nowhere begins at its top, and says so', async () => {
    const path = file(`${header}${rowsOf(lines(0, 50))}`);
    const { position } = await run(path, 50, null);
    writeFileSync(path, `${header}${rowsOf(lines(60, 200))}`);
    const { values, events } = await run(path, 140, position);
    expect(values).toEqual(numbers(60, 200));
    expect(events).toContainEqual(expect.objectContaining({ type: 'csv_started_over' }));
  });
});

describe('a file that is not followed', () => {
  it('and holds other rows where the last run stopped begins at its top', async () => {
    const path = file(`${WIDE}${wide(lines(0, 50))}`);
    const { position } = await run(path, 50, null);
    writeFileSync(path, `${WIDE}${wide(lines(100, 160))}`);
    const { samples$, events } = replay(path, 'speed=max', { position: () => position });
    const values: unknown[] = [];
    await samples$.forEach((sample) => void values.push(sample.values[0]));
    expect(values).toEqual(numbers(100, 160));
    expect(events).toContainEqual(expect.objectContaining({ type: 'csv_started_over' }));
  });
});

it.each([
  ['short', 10, 40],
  ['longer than what a file is known by', 1_000, 4_000],
])(
  'a followed file that gives way to one as long, %s, is not read again after a restart',
  async (_what, first, rows) => {
    const [middle, end] = [first + rows, first + 2 * rows];
    const path = file(`time,a\n${lines(first, middle)}`);
    let given = 0;
    const running = run(path, 2 * rows, null, 'speed=max', (count) => {
      given = count;
    });
    await until('the first file to be read', () => given === rows);
    renameSync(path, `${path}.1`);
    writeFileSync(path, `time,a\n${lines(middle, end)}`);
    const { values, position } = await running;
    expect(values).toEqual(numbers(first, end));
    appendFileSync(path, line(end));
    const { values: more, events } = await run(path, 1, position);
    expect(more).toEqual([end]);
    expect(events.filter(({ type }) => type === 'csv_started_over')).toEqual([]);
  },
);
