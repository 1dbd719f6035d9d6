/** GPUs by what a stand-in for nvidia-smi prints. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { of } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../../../tests/support/temporary.ts';
import { until } from '../../../../tests/support/wait.ts';
import { createSystemClock } from '../../../platform/clock.ts';
import { systemRandom } from '../../../platform/random.ts';
import { seriesKey } from '../../../protocol/series-key.ts';
import { createSource } from '../registry.ts';
import type { RawSample } from '../source.ts';
import { parseSourceSpec } from '../spec.ts';
import { parseValue } from './parse-output.ts';
import { standIn } from './testing/stand-in.ts';

type Told = { readonly type: string; readonly [field: string]: unknown };

const A100 = {
  ...{ index: 0, uuid: 'GPU-a', name: 'NVIDIA A100', 'utilization.gpu': 45, 'memory.used': 1024 },
  ...{ 'memory.total': 40960, 'temperature.gpu': 61, 'power.draw': 123.45, 'clocks.sm': 1410 },
};
const SECOND = { ...A100, index: 1, uuid: 'GPU-b', 'utilization.gpu': 7 };
const OF_A = 'gpu_id=0,modelName=NVIDIA A100,uuid=GPU-a';

function watch(path: string, options = '') {
  const samples: RawSample[] = [];
  const events: Told[] = [];
  let failure: Error | null = null;
  const source = createSource(parseSourceSpec(`gpu:every=100ms,path="${path}"${options}`), {
    clock: createSystemClock(),
    random: systemRandom,
    emit: (event: Told) => void events.push(event),
  });
  const start = () =>
    source.samples(of(true)).subscribe({
      next: (rows) => {
        if (!('columns' in rows)) samples.push(rows);
      },
      error: (error: Error) => {
        failure = error;
      },
    });
  const running = start();
  onTestFinished(() => running.unsubscribe());
  const latest = () => samples.at(-1);
  return {
    ...{ samples, events, source, running, start },
    failure: () => failure,
    /** The next sample of which this is true. */
    sample: (what: string, isIt: (values: Record<string, number | null>, sample: RawSample) => boolean) =>
      until(what, () => {
        const sample = latest();
        return sample !== undefined && isIt(valuesOf(sample), sample) ? sample : undefined;
      }),
    failed: () => until('the failure', () => failure ?? undefined),
  };
}

function valuesOf({ schema, values }: RawSample): Record<string, number | null> {
  return Object.fromEntries(schema.series.map((one, index) => [seriesKey(one), values[index] ?? null]));
}
const gone = (pid: number) => !existsSync(`/proc/${pid}`);

describe('the source gpu', () => {
  it('gives what each GPU says, in base units, and no series for what it does not have', async () => {
    const program = standIn();
    program.gpus(A100, SECOND);
    const { sample, samples, source } = watch(program.path);
    const found = await sample('a sample', () => true);
    expect(valuesOf(found)).toMatchObject({
      [`hw.gpu.utilization{${OF_A}}`]: 0.45,
      [`hw.gpu.memory.usage{${OF_A}}`]: 1024 ** 3,
      [`hw.gpu.memory.limit{${OF_A}}`]: 40 * 1024 ** 3,
      [`hw.temperature{${OF_A}}`]: 61,
      [`hw.power{${OF_A}}`]: 123.45,
      [`hw.gpu.clock{clock=sm,${OF_A}}`]: 1.41e9,
      'hw.gpu.utilization{gpu_id=1,modelName=NVIDIA A100,uuid=GPU-b}': 0.07,
    });
    expect(found.schema.series).toHaveLength(12);
    expect(found.schema.series.find(({ name }) => name === 'hw.gpu.memory.usage')?.unit).toBe('By');
    await until('another sample', () => samples.length > 1);
    expect(samples[1]?.schema).toBe(samples[0]?.schema);
    const errors = { name: 'hw.errors', attributes: {}, unit: '{error}' };
    expect(source.traits(errors)).toEqual({ cumulative: true });
  });

  it.each([
    [{ 'utilization.gpu': '[Unknown Error]' }, 'GPU 0 says `[Unknown Error]` in place of utilization.gpu'],
    [{ 'utilization.gpu': 'ERR!' }, 'GPU 0 says `ERR!` in place of utilization.gpu'],
    [{ 'mig.mode.current': 'Enabled' }, 'GPU 0 is in MIG mode: nvidia-smi says nothing of the load'],
  ])('says what it cannot tell of a GPU: %j', async (odd, text) => {
    const program = standIn();
    program.gpus({ ...A100, ...odd });
    const { events, samples, sample } = watch(program.path);
    await sample(
      'a sample',
      (values) => !(`hw.gpu.utilization{${OF_A}}` in values) || 'mig.mode.current' in odd,
    );
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'collector_limited', reason: expect.stringContaining(text) }),
    );
    expect(samples[0]?.diagnostics?.[0]?.detail).toContain(text);
    program.gpus(A100);
    await until('the end of it', () => events.some(({ type }) => type === 'collector_complete'));
  });

  it('keeps a series whose value cannot be told any more, and takes [N/A] for none', async () => {
    const program = standIn();
    program.gpus(A100);
    const { sample, events } = watch(program.path);
    const key = `hw.power{${OF_A}}`;
    await sample('a value', (values) => values[key] === 123.45);
    program.gpus({ ...A100, 'power.draw': '[N/A]' });
    const without = await sample('none', (values) => values[key] === null);
    expect(without.diagnostics).toEqual([]);
    expect(events).toEqual([]);
  });

  it('asks a driver for the fields that it knows', async () => {
    const program = standIn();
    program.gpus(A100);
    program.knowsNo('power.limit', 'ecc.errors.corrected.volatile.total');
    const { sample, events } = watch(program.path);
    await sample('a sample', (values) => values[`hw.power{${OF_A}}`] === 123.45);
    expect(events.map(({ reason }) => reason)).toEqual([
      'this driver knows no power.limit',
      'this driver knows no ecc.errors.corrected.volatile.total',
    ]);
  });

  it('tells of a GPU that is no longer listed, and goes on with the others', async () => {
    const program = standIn();
    program.gpus(A100, SECOND);
    const { sample, events } = watch(program.path);
    await sample('both', (_, { schema }) => schema.series.length === 12);
    program.gpus(A100);
    await sample('one', (_, { schema }) => schema.series.length === 6);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'collector_limited', reason: 'GPU 1 (GPU-b) is no longer listed' }),
    );
  });

  it.each([
    [
      'NVIDIA-SMI has failed because it couldn’t communicate with the driver',
      9,
      'ends with code 9: `NVIDIA-SMI has',
    ],
    ['No devices were found\n', 6, 'ends with code 6: `No devices were found`'],
    ['', 0, 'other columns than it was asked for: it prints nothing'],
    ['index, uuid\n0, GPU-a\n', 0, 'other columns than it was asked for: `index, uuid 0, GPU-a`'],
    [`${'x'.repeat(2_000_000)}`, 0, 'it prints more than 1048576 bytes'],
  ])('fails at the start where it cannot be asked: %.20s', async (text, code, problem) => {
    const program = standIn();
    program.prints(text, code);
    const { failed, samples } = watch(program.path);
    expect((await failed()).message).toContain(problem);
    expect(samples).toEqual([]);
  });

  it('says what to do when there is no such program, or none that may be run', async () => {
    const missing = watch(join(temporaryFolder(), 'nvidia-smi'));
    expect((await missing.failed()).message).toContain('there is no such program: install the driver');
    const folder = watch(temporaryFolder());
    expect((await folder.failed()).message).toContain('this user may not run it');
  });

  it('kills one that hangs at the start, and says so', async () => {
    const program = standIn();
    program.hangs();
    const { failed } = watch(program.path, ',timeout=2s');
    expect((await failed()).message).toContain('no answer within 2000 ms');
    const pid = Number(readFileSync(program.pidsFile, 'utf8'));
    await until('its end', () => gone(pid));
  });

  it('kills one that hangs later, gives the values of no moment meanwhile, and goes on after it', async () => {
    const program = standIn();
    program.gpus(A100);
    const { sample, events } = watch(program.path, ',timeout=2s');
    const key = `hw.temperature{${OF_A}}`;
    await sample('a value', (values) => values[key] === 61);
    program.hangs();
    await sample('none', (values) => values[key] === null);
    const failed = events.filter(({ type }) => type === 'collector_failed');
    expect(failed).toEqual([
      expect.objectContaining({
        collector: 'nvidia-smi',
        reason: expect.stringContaining('no answer within 2000 ms'),
      }),
    ]);
    program.works();
    await sample('a value again', (values) => values[key] === 61);
    expect(events.at(-1)).toMatchObject({ type: 'collector_recovered' });
    const pids = readFileSync(program.pidsFile, 'utf8').trim().split('\n').map(Number);
    await until('the end of those that hung', () => pids.every(gone));
  });

  it('kills the program that it waits for when it is stopped', async () => {
    const program = standIn();
    program.hangs();
    const { running } = watch(program.path);
    await until(
      'the program',
      () => existsSync(program.pidsFile) && readFileSync(program.pidsFile, 'utf8') !== '',
    );
    running.unsubscribe();
    const pid = Number(readFileSync(program.pidsFile, 'utf8'));
    await until('its end', () => gone(pid));
  });
});

describe('a value of nvidia-smi', () => {
  it.each([
    ['45', 45],
    ['-3.50', -3.5],
    ['[N/A]', null],
    ['N/A', null],
    ['[Not Supported]', null],
    ['[Unknown Error]', undefined],
    ['[GPU requires reset]', undefined],
    ['45 %', undefined],
    ['', undefined],
  ])('%s', (cell, value) => {
    expect(parseValue(cell)).toBe(value);
  });
});
