/** Files with one value a row, such as exports of DCGM. */
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../../../../tests/support/wait.ts';
import { seriesKey } from '../../../../protocol/series-key.ts';
import { createMemoryDisk } from '../../../../storage/memory/memory-storage.ts';
import { parseSourceSpec } from '../../spec.ts';
import { live, samplesIn } from '../testing/lives.ts';
import { file, replay } from '../testing/replays.ts';

const DCGM =
  '"timestamp","metric_name","gpu_id","device","uuid","modelName","Hostname","container","pod","namespace","value","labels_raw"';
const T0 = Date.UTC(2025, 6, 18, 20, 42, 34);

type Cell = {
  readonly metric?: string;
  readonly gpu?: number;
  readonly value?: string;
  readonly mig?: string;
};
const at = (second: number) => new Date(T0 + second * 1000).toISOString().replace('.000', '');
function row(second: number, { metric = 'DCGM_FI_DEV_GPU_UTIL', gpu = 0, value = '1', mig = '' }: Cell = {}) {
  const labels = `DCGM_FI_DRIVER_VERSION=""535.129.03"",${mig}UUID=""GPU-${gpu}"",instance=""h:9400""`;
  return `"${at(second)}","${metric}","${gpu}","nvidia${gpu}","GPU-${gpu}","NVIDIA H100","host-1","","","","${value}","${labels}"\n`;
}
const keyOf = (metric: string, gpu: number, more = '') =>
  `${metric}{${more}Hostname=host-1,device=nvidia${gpu},gpu_id=${gpu},modelName=NVIDIA H100,uuid=GPU-${gpu}}`;

type Measured = { readonly ts: number; readonly [series: string]: number | null };
const measured = ({
  ts,
  schema,
  values,
}: {
  readonly ts: number;
  readonly schema: { readonly series: readonly Parameters<typeof seriesKey>[0][] };
  readonly values: readonly (number | null)[];
}): Measured =>
  Object.fromEntries([['ts', ts], ...schema.series.map((one, index) => [seriesKey(one), values[index]])]);
/** Without series that have no value. */
const only = (sample: Parameters<typeof measured>[0]) =>
  Object.fromEntries(Object.entries(measured(sample)).filter(([, value]) => value !== null));

async function readAll(text: string, options = 'layout=long,speed=max') {
  const { samples$, events } = replay(file(text), options);
  return { samples: await lastValueFrom(samples$.pipe(toArray())), events };
}

describe('a CSV file with one value a row', () => {
  it('tells series apart whatever their cells hold', async () => {
    const rows = ['"x\ny",z', 'x,"y\nz"', '"",z', 'z,""'].map(
      (cells, index) => `1700000000,m,${cells},${index}\n`,
    );
    const { samples } = await readAll(`time,metric,a,b,value\n${rows.join('')}`);
    expect(samples).toHaveLength(1);
    const [sample] = samples;
    expect([...(sample?.values ?? [])].sort()).toEqual([0, 1, 2, 3]);
    expect(new Set(sample?.schema.series.map(seriesKey)).size).toBe(4);
  });

  it('gives one sample for the rows of one time, with a series for each metric and GPU', async () => {
    const text = [0, 10].flatMap((second) =>
      ['DCGM_FI_DEV_GPU_UTIL', 'DCGM_FI_DEV_GPU_TEMP'].flatMap((metric, index) =>
        [0, 1].map((gpu) => row(second, { metric, gpu, value: String(second + 2 * index + gpu) })),
      ),
    );
    const { samples, events } = await readAll(`${DCGM}\n${text.join('')}`);
    expect(samples.map(measured)).toEqual(
      [0, 10].map((second) => ({
        ts: T0 + second * 1000,
        [keyOf('DCGM_FI_DEV_GPU_TEMP', 0)]: second + 2,
        [keyOf('DCGM_FI_DEV_GPU_TEMP', 1)]: second + 3,
        [keyOf('DCGM_FI_DEV_GPU_UTIL', 0)]: second,
        [keyOf('DCGM_FI_DEV_GPU_UTIL', 1)]: second + 1,
      })),
    );
    expect(samples[1]?.schema).toBe(samples[0]?.schema);
    expect(events).toContainEqual({
      ...{ type: 'csv_opened', source: 'csv', path: expect.any(String) },
      ...{ series: 4, timeColumn: 'timestamp' },
    });
    expect(events).toContainEqual(expect.objectContaining({ type: 'csv_pass_ended', rows: 8, skipped: 0 }));
  });

  it('tells the instances of a MIG device apart by what labels_raw says', async () => {
    const mig = (id: number) => `GPU_I_ID=""${id}"",GPU_I_PROFILE=""1g.10gb"",`;
    const text = [1, 2].map((id) => row(0, { value: String(id), mig: mig(id) })).join('');
    const { samples } = await readAll(`${DCGM}\n${text}`);
    expect(samples.map(measured)).toEqual([
      {
        ts: T0,
        [keyOf('DCGM_FI_DEV_GPU_UTIL', 0, 'GPU_I_ID=1,GPU_I_PROFILE=1g.10gb,')]: 1,
        [keyOf('DCGM_FI_DEV_GPU_UTIL', 0, 'GPU_I_ID=2,GPU_I_PROFILE=1g.10gb,')]: 2,
      },
    ]);
    const none = await readAll(`${DCGM}\n${text}`, 'layout=long,speed=max,labels=""');
    expect(none.samples.map(measured)).toEqual(
      [1, 2].map((value) => ({ ts: T0, [keyOf('DCGM_FI_DEV_GPU_UTIL', 0)]: value })),
    );
  });

  it('takes any columns for attributes, and says which it misses', async () => {
    const { samples } = await readAll(
      'time,name,room,value\n1700000000,temp,hall,20.5\n1700000000,temp,,3\n',
    );
    expect(samples.map(measured)).toEqual([{ ts: 1_700_000_000_000, 'temp{room=hall}': 20.5, temp: 3 }]);
    const named = await readAll(
      't,what,v\n1700000000,a,1\n',
      'layout=long,speed=max,time=t,metric=what,value=v',
    );
    expect(named.samples.map(measured)).toEqual([{ ts: 1_700_000_000_000, a: 1 }]);
    const missing = [
      ['time,what,value\n1,a,1\n', 'metric_name, metric, name'],
      ['time,name,v\n1,a,1\n', 'value'],
    ] as const;
    for (const [text, column] of missing) {
      const reading = readAll(text);
      await expect(reading).rejects.toThrow(`no column is named ${column}, which layout=long needs`);
    }
    const many = Array.from({ length: 31 }, (_, index) => `c${index}`).join(',');
    await expect(readAll(`time,name,value,${many}\n1700000000,a,1${',x'.repeat(31)}\n`)).rejects.toThrow(
      '31 columns that tell series apart',
    );
  });

  it('loses no value to a second one of its series, to a bad row, or to a cell that cannot be read', async () => {
    const text = [
      row(0, { value: '1' }),
      row(0, { value: '2' }),
      row(0, { gpu: 1, value: 'ERR' }),
      row(0, { metric: ' ' }),
      row(1).replace(at(1), 'yesterday'),
      'too,few\n',
      row(1, { value: '3' }),
      row(1, { gpu: 1, value: 'N/A' }),
      row(2, { value: '4' }),
    ].join('');
    const { samples, events } = await readAll(`${DCGM}\n${text}`);
    const util = keyOf('DCGM_FI_DEV_GPU_UTIL', 0);
    expect(samples.map(only)).toEqual([
      { ts: T0, [util]: 1 },
      { ts: T0, [util]: 2 },
      { ts: T0 + 1000, [util]: 3 },
      { ts: T0 + 2000, [util]: 4 },
    ]);
    const reasons = events.filter(({ type }) => type === 'csv_row_skipped').map(({ reason }) => reason);
    expect(reasons).toEqual([
      'names no metric in column `metric_name`',
      '`yesterday` in column `timestamp` is no time',
      'has 2 cells, the header has 12',
    ]);
    expect(events.filter(({ type }) => type === 'csv_cells_unreadable')).toEqual([
      { type: 'csv_cells_unreadable', source: 'csv', column: 'value', count: 1 },
    ]);
  });

  it('makes a schema of each set of series once, also where a file is ordered by metric', async () => {
    const metrics = Array.from({ length: 200 }, (_, index) => `m${String(index).padStart(3, '0')}`);
    const text = metrics.flatMap((metric) =>
      Array.from({ length: 30 }, (_, second) => row(second, { metric })),
    );
    const { samples } = await readAll(`${DCGM}\n${text.join('')}`);
    expect(samples).toHaveLength(200 * 30);
    const schemas = new Map(samples.map(({ schema }) => [schema.ref, schema.series.length]));
    expect(schemas.size).toBeLessThanOrEqual(200);
    expect(Math.max(...schemas.values())).toBeLessThanOrEqual(32);
  });

  it('keeps its schema while a series is missing, and takes one back that it had', async () => {
    const text = [0, 1, 2, 3].flatMap((second) =>
      [0, 1].flatMap((gpu) => (second === 1 && gpu === 1 ? [] : [row(second, { gpu })])),
    );
    const { samples } = await readAll(`${DCGM}\n${text.join('')}`);
    expect(new Set(samples.map(({ schema }) => schema)).size).toBe(1);
    expect(samples[1]?.values).toEqual([1, null]);
  });

  it('splits what one sample cannot hold', async () => {
    const text = Array.from({ length: 5000 }, (_, index) => `1700000000,m${index},1\n`).join('');
    const { samples } = await readAll(`time,name,value\n${text}`);
    expect(samples.map((sample) => Object.keys(only(sample)).length - 1)).toEqual([4096, 904]);
  });

  it('is named where it is read as a wide one', async () => {
    const { events } = await readAll(`${DCGM}\n${row(0)}`, 'speed=max');
    expect(events).toContainEqual(
      expect.objectContaining({ reason: expect.stringContaining('layout=long') }),
    );
    expect(() => parseSourceSpec('csv:path=f,metric=m')).toThrow('metric and value are for layout=long');
  });

  it('samples each row once, wherever it is ended', async () => {
    const groups = 1500;
    const text = Array.from({ length: groups }, (_, second) =>
      [0, 1, 2]
        .slice(0, (second % 3) + 1)
        .map((gpu) => row(second, { gpu, value: String(second * 10 + gpu) })),
    );
    const path = file(`a title\n\n${DCGM}\n${text.flat().join('')}`);
    const expected = text.map((rows, second) => rows.map((_, gpu) => second * 10 + gpu));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(1, 7, 1000),
        async (ends, commitMaxCount) => {
          const life = { path, options: 'layout=long,speed=max', disk: createMemoryDisk(), commitMaxCount };
          for (const endAfter of ends) await live({ ...life, endAfter });
          const { journal } = await live({ ...life, endAfter: Number.POSITIVE_INFINITY });
          const values = (await samplesIn(journal)).map((sample) => Object.values(only(sample)).slice(1));
          expect(values).toEqual(expected);
        },
      ),
      { numRuns: 5 },
    );
  });
});

describe('one that is followed', () => {
  function follow(path: string) {
    const { samples$, events } = replay(path, 'layout=long,follow');
    const values: number[][] = [];
    const running = samples$.subscribe((sample) => {
      const { ts, ...rest } = only(sample);
      values.push([(Number(ts) - T0) / 1000, ...Object.values(rest).map(Number)]);
    });
    onTestFinished(() => running.unsubscribe());
    return {
      values,
      events,
      have: (count: number) => until(`${count} samples`, () => values.length >= count),
    };
  }

  it('gives a sample once the next one begins, or nothing more has come for a while', async () => {
    const path = file(`${DCGM}\n${row(0)}${row(0, { gpu: 1, value: '2' })}`);
    const { values, have } = follow(path);
    await have(1);
    appendFileSync(path, row(0, { gpu: 2, value: '3' }));
    appendFileSync(path, row(1, { value: '4' }));
    await have(3);
    expect(values).toEqual([
      [0, 1, 2],
      [0, 3],
      [1, 4],
    ]);
    renameSync(path, `${path}.1`);
    writeFileSync(path, `${DCGM}\n${row(2, { value: '5' })}`);
    await have(4);
    expect(values.at(-1)).toEqual([2, 5]);
  });

  it('goes on behind a sample that was given before all of its rows had come', async () => {
    const disk = createMemoryDisk();
    const path = file(`${DCGM}\n${row(0)}`);
    const life = { path, options: 'layout=long,follow', disk, commitMaxCount: 1 };
    await live({ ...life, endAfter: 1 });
    appendFileSync(path, row(0, { gpu: 1, value: '2' }));
    await live({ ...life, endAfter: 1 });
    appendFileSync(path, row(1, { value: '3' }));
    const { journal } = await live({ ...life, endAfter: 1 });
    const all = (await samplesIn(journal)).map((sample) => Object.values(only(sample)).slice(1));
    expect(all).toEqual([[1], [2], [3]]);
  });
});
