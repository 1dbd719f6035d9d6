/** A file that is followed: it grows, is rotated, or cut, and every row is sampled once. */
import { appendFileSync, copyFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { Subject } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../../../tests/support/wait.ts';
import { file, replay } from './testing/replays.ts';

const START = 1_700_000_000;
const line = (row: number) => `${START + row},${row}\n`;

function follow(path: string, options = 'speed=max') {
  const { samples$, events } = replay(path, `${options},follow`);
  const values: (number | null | undefined)[] = [];
  let ended = false;
  const running = samples$.subscribe({
    next: ({ values: cells }) => values.push(cells[0]),
    complete: () => {
      ended = true;
    },
  });
  onTestFinished(() => running.unsubscribe());
  const have = (count: number) => until(`${count} rows`, () => values.length >= count);
  return { values, events, have, isEnded: () => ended };
}

describe('a file that is followed', () => {
  it('gives rows as they are written, whole ones only', async () => {
    const path = file(`time,a\n${line(0)}${line(1)}`);
    const { values, have, isEnded } = follow(path);
    await have(2);
    appendFileSync(path, `${line(2)}${START + 3},`);
    await have(3);
    appendFileSync(path, `3\n${line(4)}`);
    await have(5);
    expect(values).toEqual([0, 1, 2, 3, 4]);
    expect(isEnded()).toBe(false);
  });

  it('gives them as fast as they come, with their own times, unless that is said otherwise', async () => {
    const path = file(`time,a\n${[0, 1, 2, 3_000_000].map(line).join('')}`);
    const times: number[] = [];
    const running = replay(path, 'follow').samples$.subscribe(({ ts }) => times.push(ts));
    onTestFinished(() => running.unsubscribe());
    await until('all rows', () => times.length === 4);
    expect(times).toEqual([0, 1, 2, 3_000_000].map((row) => (START + row) * 1000));
  });

  it('is waited for while it is empty or has no more than a header', async () => {
    const path = file('');
    const { values, have } = follow(path);
    appendFileSync(path, 'time,');
    appendFileSync(path, 'a\n');
    appendFileSync(path, line(0));
    await have(1);
    expect(values).toEqual([0]);
  });

  it('is read to its end when another takes its name, and then that one', async () => {
    const path = file(`time,a\n${line(0)}`);
    const { values, have, events } = follow(path);
    await have(1);
    renameSync(path, `${path}.1`);
    appendFileSync(`${path}.1`, line(1));
    writeFileSync(path, `time,a\n${line(2)}`);
    await have(3);
    appendFileSync(path, line(3));
    await have(4);
    expect(values).toEqual([0, 1, 2, 3]);
    expect(events.map(({ type }) => type)).toContain('csv_rotated');
  });

  it('is read from its top when it was cut', async () => {
    const path = file(`time,a\n${line(0)}${line(1)}${line(2)}`);
    const { values, have } = follow(path);
    await have(3);
    truncateSync(path);
    appendFileSync(path, `time,a\n${line(3)}`);
    await have(4);
    expect(values).toEqual([0, 1, 2, 3]);
  });

  it('is read from its top when it was cut and has grown beyond what was read before anybody looked', async () => {
    const path = file(`time,a\n${line(0)}${line(1)}`);
    const { values, have } = follow(path);
    await have(2);
    writeFileSync(path, `time,a\n${[2, 3, 4, 5].map(line).join('')}`);
    await have(6);
    expect(values).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('is read to its end in the copy that was made before it was cut', async () => {
    const path = file(`time,a\n${line(0)}`);
    const { values, have } = follow(path);
    await have(1);
    appendFileSync(path, line(1));
    copyFileSync(path, `${path}.1`);
    writeFileSync(path, `time,a\n${line(2)}`);
    await have(3);
    expect(values).toEqual([0, 1, 2]);
  });

  it('may have no name for a while', async () => {
    const path = file(`time,a\n${line(0)}`);
    const { values, have, isEnded } = follow(path);
    await have(1);
    rmSync(path);
    writeFileSync(`${path}.new`, `time,a\n${line(1)}`);
    renameSync(`${path}.new`, path);
    await have(2);
    expect(values).toEqual([0, 1]);
    expect(isEnded()).toBe(false);
  });

  it('takes nothing while the pipeline has no room', async () => {
    const demand$ = new Subject<boolean>();
    const path = file(`time,a\n${line(0)}`);
    const values: unknown[] = [];
    const running = replay(path, 'speed=max,follow', { demand$ }).samples$.subscribe(({ values: cells }) => {
      values.push(cells[0]);
    });
    onTestFinished(() => running.unsubscribe());
    await until('the first row', () => values.length === 1);
    demand$.next(false);
    appendFileSync(path, line(1));
    const other = follow(path);
    await other.have(2);
    expect(values).toEqual([0]);
    demand$.next(true);
    await until('the second row', () => values.length === 2);
  });
});
