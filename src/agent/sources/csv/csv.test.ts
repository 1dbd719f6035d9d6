import { join } from 'node:path';
import fc from 'fast-check';
import { BehaviorSubject, lastValueFrom, of, take, tap, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/support/temporary.ts';
import { until } from '../../../../tests/support/wait.ts';
import { createSystemClock } from '../../../platform/clock.ts';
import { systemRandom } from '../../../platform/random.ts';
import { unfold } from '../../../protocol/codec/testing/blocks.ts';
import { seriesKey } from '../../../protocol/series-key.ts';
import { createSource } from '../registry.ts';
import { MAX_BLOCK_ROWS, type RawRows, type RawSample } from '../source.ts';
import { parseSourceSpec } from '../spec.ts';
import { file, replay } from './testing/replays.ts';

async function readAll(text: string, options = 'speed=max') {
  const { samples$, events } = replay(file(text), options);
  return { samples: await lastValueFrom(samples$.pipe(toArray())), events };
}
const keys = (sample: RawSample | undefined) => sample?.schema.series.map(seriesKey);

describe('a CSV file at full speed', () => {
  it('gives one sample a row, in order, with the times and values of the file', async () => {
    const { samples } = await readAll('time,temp,hum\n1700000000,20.5,40\n1700000001,20.6,\n');
    expect(samples.map(({ ts, values }) => ({ ts, values }))).toEqual([
      { ts: 1_700_000_000_000, values: [20.5, 40] },
      { ts: 1_700_000_001_000, values: [20.6, null] },
    ]);
    expect(keys(samples[0])).toEqual(['temp', 'hum']);
    expect(samples[1]?.schema).toBe(samples[0]?.schema);
    expect(samples[0]?.schema.boot).toBe(createSystemClock().bootId);
  });

  it('keeps every row of any file bit for bit', async () => {
    const row = fc.tuple(fc.double({ noDefaultInfinity: true, noNaN: true }), fc.maxSafeInteger());
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 50 }),
        fc.constantFrom('\n', '\r\n'),
        async (rows, eol) => {
          const lines = rows.map(([a, b], index) => `${1_700_000_000_000 + index},${a},"${b}"`);
          const { samples } = await readAll(['timestamp,a,b', ...lines].join(eol));
          expect(samples.map(({ values }) => values)).toEqual(rows.map(([a, b]) => [Number(`${a}`), b]));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('reads BOM, CRLF, other delimiters, quoted headers and series with attributes', async () => {
    const { samples } = await readAll(
      '\uFEFFtime;"system.network.io{device=eth0,direction=receive}";"a ""b"""\r\n2024-01-01T00:00:00Z;1;2\r\n',
    );
    expect(keys(samples[0])).toEqual(['system.network.io{device=eth0,direction=receive}', 'a "b"']);
    expect(samples[0]).toMatchObject({ ts: Date.UTC(2024, 0, 1), values: [1, 2] });
  });

  it('tells columns of the same name apart and names nameless ones', async () => {
    const { samples } = await readAll('x,x,,Date\n1,2,3,1700000000\n');
    expect(keys(samples[0])).toEqual(['x', 'x_2', 'column_3']);
  });

  it('counts and skips bad rows with their line numbers', async () => {
    const { samples, events } = await readAll(
      'time,a\n1700000000,1\n1700000001\n\nyesterday,3\n1700000003,four\n1700000004,5\n"1700000005"x,6\n1700000006,7\n',
    );
    expect(samples.map(({ values }) => values[0])).toEqual([1, null, 5, 7]);
    const skipped = events.filter(({ type }) => type === 'csv_row_skipped');
    expect(skipped.map(({ line, reason }) => `${line}: ${reason}`)).toEqual([
      '3: has 1 cells, the header has 2',
      '5: `yesterday` in column `time` is no time',
      '8: text after a closing quote',
    ]);
    expect(events.filter(({ type }) => type === 'csv_rows_skipped')).toHaveLength(3);
    expect(events).toContainEqual({
      type: 'csv_pass_ended',
      source: 'csv',
      rows: 4,
      skipped: 3,
      again: false,
    });
  });

  it('logs only the first bad rows and counts all', async () => {
    const { samples, events } = await readAll(`time,a\n1700000000,1\n${'x,2\n'.repeat(500)}`);
    expect(samples).toHaveLength(1);
    expect(events.filter(({ type }) => type === 'csv_rows_skipped')).toHaveLength(500);
    const logged = events.filter(({ type }) => type === 'csv_row_skipped');
    expect(logged).toHaveLength(10);
    expect(logged.at(-1)?.reason).toContain('further ones');
  });

  it('leaves columns of text out and says so', async () => {
    const { samples, events } = await readAll('time,room,temp\n1700000000,kitchen,20\n1700000001,hall,21\n');
    expect(keys(samples[0])).toEqual(['temp']);
    expect(samples.map(({ values }) => values)).toEqual([[20], [21]]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'csv_columns_ignored', columns: ['room'] }),
    );
  });

  it('survives a line of 20 MB', async () => {
    const { samples, events } = await readAll(
      `time,a\n1700000001,1\n1700000002,${'9'.repeat(20_000_000)}\n1700000003,3\n`,
    );
    expect(samples.map(({ values }) => values[0])).toEqual([1, 3]);
    expect(events).toContainEqual(expect.objectContaining({ type: 'csv_row_skipped', line: 3 }));
  });

  it('loses one value to a cell that cannot be read, and counts it by column', async () => {
    const bad = ['ERR', 'unavailable', '"1,234.5"', '12.5 C', 'true', '1_000'];
    const rows = ['1', ...bad, '2'].map((cell, row) => `${1_700_000_000 + row},${row},${cell},${100 + row}`);
    const { samples, events } = await readAll(`time,a,b,c\n${rows.join('\n')}\n`);
    expect(samples.map(({ values }) => values)).toEqual(
      rows.map((_, row) => [row, row === 0 ? 1 : row === bad.length + 1 ? 2 : null, 100 + row]),
    );
    const counted = events.filter(({ type }) => type === 'csv_cells_unreadable');
    expect(counted.every(({ column }) => column === 'b')).toBe(true);
    expect(counted.reduce((sum, { count }) => sum + Number(count), 0)).toBe(bad.length);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'csv_cell_unreadable',
        line: 3,
        column: 'b',
        reason: '`ERR` is no number',
      }),
    );
  });

  it('logs only the first unreadable cells and counts all', async () => {
    const rows = Array.from(
      { length: 500 },
      (_, row) => `${1_700_000_000 + row},${row},${row === 0 ? 1 : 'x'}\n`,
    );
    const { samples, events } = await readAll(`time,a,b\n${rows.join('')}`);
    expect(samples).toHaveLength(500);
    const logged = events.filter(({ type }) => type === 'csv_cell_unreadable');
    expect(logged).toHaveLength(10);
    expect(logged.at(-1)?.reason).toContain('further ones');
    const counts = events
      .filter(({ type }) => type === 'csv_cells_unreadable')
      .map(({ count }) => Number(count));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(499);
  });

  it('gives nothing for a file with only a header', async () => {
    expect((await readAll('time,a\n')).samples).toEqual([]);
    expect((await readAll('time,a')).samples).toEqual([]);
  });

  it.each([
    ['', 'the file is empty'],
    ['a,b\n1,2\n', 'name the time column with `time=`'],
    ['time\n1\n', 'nothing else'],
    ['time,a\n1,x\n', 'no column of numbers'],
  ])('fails with a reason for the file %j', async (text, reason) => {
    await expect(readAll(text)).rejects.toThrow(reason);
  });

  it('fails for a file that is not there', async () => {
    const { samples$ } = replay(join(temporaryFolder(), 'none.csv'), 'speed=max');
    await expect(lastValueFrom(samples$)).rejects.toThrow('ENOENT');
  });

  it('finds the time column that was named', async () => {
    const { samples } = await readAll('when,a\n1700000000,1\n', 'speed=max,time=When');
    expect(samples[0]).toMatchObject({ ts: 1_700_000_000_000, values: [1] });
  });

  it('continues its times from pass to pass in a loop', async () => {
    const { samples$ } = replay(file('time,a\n1000,1\n1002,2\n'), 'speed=max,loop,timeFormat=s');
    const samples = await lastValueFrom(samples$.pipe(take(5), toArray()));
    expect(samples.map(({ values }) => values[0])).toEqual([1, 2, 1, 2, 1]);
    expect(samples.map(({ ts }) => ts)).toEqual([1_000_000, 1_002_000, 1_004_000, 1_006_000, 1_008_000]);
    expect(new Set(samples.map(({ schema }) => schema)).size).toBe(1);
  });

  it('does not spin over a file without a good row', async () => {
    const { samples$ } = replay(file('time,a\nx,1\n'), 'speed=max,loop');
    await expect(lastValueFrom(samples$)).rejects.toThrow('no good row');
  });

  it('lays rows where recycled ones were', async () => {
    const rows = 20_000;
    const path = file(
      `time,a,b\n${Array.from({ length: rows }, (_, row) => `${row},${row},${row % 7 === 0 ? '' : -row}\n`).join('')}`,
    );
    const env = { clock: createSystemClock(), random: systemRandom, emit: () => {} };
    const source = createSource(parseSourceSpec(`csv:path="${path}",speed=max,timeFormat=s`), env);
    const memory = new Set<unknown>();
    const seen: (readonly (number | null)[])[] = [];
    const keep = tap((all: RawRows) => {
      if (!('columns' in all)) return;
      memory.add(all.ts.buffer);
      seen.push(...unfold({ ...all, notes: [] }).map(({ values }) => values));
      all.recycle?.();
      all.recycle?.();
    });
    await lastValueFrom(source.samples(of(true)).pipe(keep));
    expect(seen).toEqual(
      Array.from({ length: rows - 1 }, (_, row) => [row + 1, (row + 1) % 7 === 0 ? null : -row - 1]),
    );
    expect(memory.size).toBe(1);
  });

  it('stops reading while the pipeline has no room, and loses nothing', async () => {
    const rows = 50_000;
    const path = file(`time,a\n${Array.from({ length: rows }, (_, row) => `${row},${row}\n`).join('')}`);
    const demand$ = new BehaviorSubject(true);
    const { samples$ } = replay(path, 'speed=max,timeFormat=s', { demand$ });
    const got: number[] = [];
    let ended = false;
    samples$.subscribe({
      next: ({ values }) => {
        got.push(values[0] ?? -1);
        if (got.length % 10_000 === 0) demand$.next(false);
      },
      complete: () => {
        ended = true;
      },
    });
    while (!ended) {
      await until('the source to pause or end', () => ended || !demand$.value);
      // What was read already comes whole.
      if (!ended) expect(got.length % 10_000).toBeLessThan(MAX_BLOCK_ROWS);
      demand$.next(true);
    }
    expect(got).toEqual(Array.from({ length: rows }, (_, row) => row));
  });
});

describe('a CSV file in its own rhythm', () => {
  it('waits as its rows did and tells the time of the replay', async () => {
    const clock = createSystemClock();
    const before = clock.now();
    const { samples$, source } = replay(file('time,a\n0,1\n0.1,2\n0.2,3\n'), 'speed=2x,timeFormat=s');
    const samples = await lastValueFrom(samples$.pipe(toArray()));
    expect(source.time).toBe('clock');
    expect(samples.map(({ values }) => values[0])).toEqual([1, 2, 3]);
    expect(samples[0]?.ts).toBeGreaterThanOrEqual(before);
    const waited = (samples[2]?.mono ?? 0) - (samples[0]?.mono ?? 0);
    expect(waited).toBeGreaterThanOrEqual(95);
  });

  it('keeps the times of the rows when asked to', async () => {
    const { samples, events } = await readAll('time,a\n5,1\n5.01,2\n', 'speed=1x,ts=row,timeFormat=s');
    expect(samples.map(({ ts }) => ts)).toEqual([5000, 5010]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'csv_opened', series: 1, timeColumn: 'time' }),
    );
  });

  it('is let go when nobody listens any more', async () => {
    const { samples$ } = replay(file('time,a\n0,1\n100000,2\n'), 'speed=1x,timeFormat=s');
    expect(await lastValueFrom(samples$.pipe(take(1)))).toMatchObject({ values: [1] });
  });
});

describe('what programs write', () => {
  it.each([
    ['pandas without a name for its index', ',a\n2023-11-14 22:13:20,1\n', 'time=column_1'],
    ['a header that begins as a comment', '# Time,a\n1700000000,1\n', 'skip=0'],
    ['rows that end with a delimiter', 'time,a\n1700000000,1,\n1700000001,2, \n', 'skip=0'],
  ])('is read: %s', async (_what, text, options) => {
    const { samples } = await readAll(text, `speed=max,${options}`);
    expect(samples[0]).toMatchObject({ ts: 1_700_000_000_000, values: [1] });
    expect(samples).toHaveLength(text.split('\n').length - 2);
  });

  it.each([
    ['2023-11-14,22:13:20', 'skip=0'],
    ['45244,0.925925926', 'timeFormat=excel'],
    ['14/11/2023,22:13:20', 'timeFormat=dd/MM/yyyy HH:mm:ss'],
  ])('is read of dates and times in two columns: %s', async (cells, options) => {
    const { samples } = await readAll(`date,time,a\n${cells},1\n`, `speed=max,${options}`);
    expect(samples).toEqual([expect.objectContaining({ ts: 1_700_000_000_000, values: [1] })]);
  });

  it('is named in the error as it can be named in the option', async () => {
    await expect(readAll(',a\n2023-11-14 22:13:20,1\n')).rejects.toThrow('one of column_1, a');
  });

  it('is skipped with a cell too many', async () => {
    const { events } = await readAll('time,a\n1700000000,1,7\n1700000001,1\n');
    expect(events).toContainEqual(expect.objectContaining({ reason: 'has 3 cells, the header has 2' }));
  });
});

describe('cells that another option would read', () => {
  it('do not name decimal=comma for thousands without saying what it would do', async () => {
    await expect(readAll('time,a\n1700000000,"1,234"\n')).rejects.toThrow('thousands are not read');
  });

  it('name it, in the log and in the error', async () => {
    const rows = (cells: readonly string[]) =>
      cells.map((cell, row) => `${1_700_000_000 + row};${cell};1\n`).join('');
    const few = await readAll(`time;a;b\n${rows(['1', '2,5'])}`);
    expect(few.events).toContainEqual(
      expect.objectContaining({
        type: 'csv_cell_unreadable',
        reason: expect.stringContaining('decimal=comma'),
      }),
    );
    const all = await readAll(`time;a;b\n${rows(['1,5', '2,5'])}`);
    expect(all.events).toContainEqual(
      expect.objectContaining({
        type: 'csv_columns_ignored',
        reason: expect.stringContaining('decimal=comma'),
      }),
    );
    await expect(readAll('time;a\n1700000000;1,5\n')).rejects.toThrow('decimal=comma');
  });
});

describe('a column that begins with text', () => {
  it('is one of numbers when some of what has come are', async () => {
    const rows = Array.from(
      { length: 100 },
      (_, row) => `${1_700_000_000 + row},${row < 60 ? 'warming' : row},1\n`,
    );
    const { samples, events } = await readAll(`time,a,b\n${rows.join('')}`);
    expect(samples.map(({ values }) => values[0])).toEqual(rows.map((_, row) => (row < 60 ? null : row)));
    const counted = events.filter(({ type }) => type === 'csv_cells_unreadable');
    expect(counted.every(({ column }) => column === 'a')).toBe(true);
    expect(counted.reduce((sum, { count }) => sum + Number(count), 0)).toBe(60);
  });
});
