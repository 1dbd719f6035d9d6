import { defer, EMPTY, lastValueFrom, type Observable, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../platform/random.ts';
import type { Anomaly } from '../../protocol/sample.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import type { RawSample } from '../sources/source.ts';
import { DEFAULT_PIPELINE_SETTINGS } from '../testing/pipeline-settings.ts';
import type { DetectionOptions, DetectionSettings } from './detect.ts';
import { createDetectionMemory, type DetectionStore } from './detection-memory.ts';

const MINUTE_MS = 60_000;
const schemaOf = (boot: string) =>
  internSchema({
    source: 's',
    boot,
    series: ['a', 'b', 'c'].map((name) => ({ name, attributes: {}, unit: '' })),
  });

/** A process after the other on one record; each judges a part of the same samples. */
function rig(
  options: { readonly maxStateBytes?: number; readonly source?: DetectionOptions['source'] } = {},
) {
  const { maxStateBytes = 100_000, source = { name: 's', meanOf: 5 } } = options;
  let record: Uint8Array | undefined;
  let failure: Error | null = null;
  const events: string[] = [];
  const clock = { at: 1.7e12, now: () => clock.at };
  const store: DetectionStore = {
    keptState: () => record,
    keepState: (bytes): Observable<void> =>
      defer(() => {
        if (failure !== null) return throwError(() => failure);
        record = bytes;
        return of(undefined);
      }),
    maxStateBytes,
  };
  const start = (settings: Partial<DetectionSettings> = {}, boot = 'boot') => {
    const emit = (event: { type: string }) => void events.push(event.type);
    const memory = createDetectionMemory({ store, clock, emit });
    const detection = memory.begin({
      settings: { ...DEFAULT_PIPELINE_SETTINGS.detection, ...settings },
      source,
      traitsOf: (_, index) => (index === 2 ? { cumulative: true } : {}),
    });
    const schema = schemaOf(boot);
    const judge = (ts: number, values: readonly number[]): Omit<Anomaly, 'series'>[] => {
      const rows: RawSample = { schema, ts, mono: ts, values };
      const detectors = detection.detectorsFor(rows);
      return values.flatMap((value, index) => detectors[index]?.next(ts, value) ?? []);
    };
    const keep = () => lastValueFrom(memory.keep(), { defaultValue: undefined });
    return { judge, keep };
  };
  return {
    start,
    clock,
    events,
    fail: (error: Error | null) => {
      failure = error;
    },
    record: () => record,
  };
}

/** Noise with a step in one of the series now and then. */
function samples(count: number): (readonly number[])[] {
  const { next } = seededRandom(11);
  return Array.from({ length: count }, (_, index) => [
    next() + next() + (index % 900 > 820 ? 20 : 0),
    next() + next() + (index % 700 > 600 ? 20 : 0),
    index,
  ]);
}

describe('what detection has learned', () => {
  it.each([{}, { method: 'zscore' as const }, { method: 'adaptive' as const }])(
    'outlives the process: the same anomalies with restarts at any time (%o)',
    async (settings) => {
      const all = samples(6000);
      const single = rig().start(settings);
      const expected = all.flatMap((values, index) => single.judge(index, values));
      expect(expected.length).toBeGreaterThan(3);

      const machine = rig();
      const { next } = seededRandom(2);
      let process = machine.start(settings);
      const found: unknown[] = [];
      for (const [index, values] of all.entries()) {
        if (next() < 0.01) {
          await process.keep();
          machine.clock.at += MINUTE_MS;
          process = machine.start(settings);
        }
        found.push(...process.judge(index, values));
      }
      expect(found).toEqual(expected);
    },
  );

  const noticesAfter = async (
    change: (machine: ReturnType<typeof rig>) => { settings?: Partial<DetectionSettings>; boot?: string },
    options?: Parameters<typeof rig>[0],
  ) => {
    const machine = rig(options);
    const before = machine.start();
    for (let index = 0; index < 3000; index += 1) before.judge(index, [index % 2, index % 3, index]);
    await before.keep();
    const { settings, boot } = change(machine);
    const after = machine.start(settings, boot);
    return Array.from({ length: 5 }, (_, index) => after.judge(3000 + index, [9, 9, 0])).flat().length;
  };

  it('counts when the next process starts soon, also after a reboot', async () => {
    expect(await noticesAfter(() => ({}))).toBe(2);
    expect(await noticesAfter(() => ({ boot: 'next' }))).toBe(2);
  });

  it('does not count an hour later, by a clock that was set, under other settings, or after a boot that changes it', async () => {
    const at = (ms: number) => (machine: ReturnType<typeof rig>) => {
      machine.clock.at += ms;
      return {};
    };
    expect(await noticesAfter(at(61 * MINUTE_MS))).toBe(0);
    expect(await noticesAfter(at(-61 * MINUTE_MS))).toBe(0);
    expect(await noticesAfter(() => ({ settings: { meanThreshold: 5 } }))).toBe(0);
    const host = { source: { name: 's', meanOf: 5, beginsWith: 'boot' as const } };
    expect(await noticesAfter(() => ({}), host)).toBe(2);
    expect(await noticesAfter(() => ({ boot: 'next' }), host)).toBe(0);
  });

  it('is not kept of a source that begins again with its process', async () => {
    const simulated = { source: { name: 's', meanOf: 5, beginsWith: 'process' as const } };
    expect(await noticesAfter(() => ({}), simulated)).toBe(0);
  });

  it('is bounded; what finds no room is told once', async () => {
    const machine = rig({ maxStateBytes: 4000 });
    const process = machine.start({ method: 'zscore' });
    for (const [index, values] of samples(1000).entries()) process.judge(index, values);
    await process.keep();
    await process.keep();
    expect(machine.record()?.length).toBeLessThanOrEqual(4000);
    expect(machine.events).toEqual(['detection_not_kept_whole']);
  });

  it('may be lost: that is told once an episode, and disturbs nothing', async () => {
    const machine = rig();
    const process = machine.start();
    process.judge(0, [1, 2, 3]);
    machine.fail(new Error('no disk'));
    await process.keep();
    await process.keep();
    expect(machine.events).toEqual(['detection_not_kept']);
    machine.fail(null);
    await process.keep();
    machine.fail(new Error('no disk'));
    await process.keep();
    expect(machine.events).toEqual(['detection_not_kept', 'detection_not_kept']);
  });

  it('is not kept before there is something, nor where there is no store', async () => {
    const machine = rig();
    await machine.start().keep();
    expect(machine.record()).toBeUndefined();
    const { keep } = createDetectionMemory({ store: undefined, clock: machine.clock, emit: () => {} });
    expect(keep()).toBe(EMPTY);
  });

  it('begins again where the record is damaged', () => {
    const emit = () => {};
    const store = {
      keptState: () => Uint8Array.of(1, 2, 3, 4, 5),
      keepState: () => EMPTY,
      maxStateBytes: 1000,
    };
    expect(() => createDetectionMemory({ store, clock: { now: () => 0 }, emit })).not.toThrow();
  });
});
