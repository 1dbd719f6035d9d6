import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lastValueFrom, map, of, take, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { temporaryFolder } from '../../../../tests/support/temporary.ts';
import { createSystemClock } from '../../../platform/clock.ts';
import { systemRandom } from '../../../platform/random.ts';
import { seriesKey } from '../../../protocol/series-key.ts';
import { eachSample } from '../../testing/each-sample.ts';
import { createSource } from '../registry.ts';
import { readSource } from '../spec.ts';

/**
 * Files of a machine, what changes in them for a second sample, and that sample as release 0.1 read it. `measured`
 * stands for values that depend on the machine that the test runs on.
 */
const recorded = z
  .object({
    files: z.record(z.string(), z.string()),
    next: z.record(z.string(), z.string()),
    series: z.array(
      z.tuple([z.string(), z.string(), z.union([z.number(), z.null(), z.literal('measured')])]),
    ),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, 'testing/recorded-machine.json'), 'utf8')));

describe('a recorded machine', () => {
  it('gives the series, units and values of release 0.1, in their order', async () => {
    const root = temporaryFolder();
    const write = (files: Readonly<Record<string, string>>) => {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), text);
      }
    };
    write(recorded.files);
    const events: unknown[] = [];
    const source = createSource(readSource({ kind: 'host', every: 50, root }), {
      clock: createSystemClock(),
      random: systemRandom,
      emit: (event) => void events.push(event),
    });
    const [, second] = await lastValueFrom(
      source.samples(of(true)).pipe(
        eachSample(),
        take(2),
        map((sample, index) => {
          if (index === 0) write(recorded.next);
          return sample;
        }),
        toArray(),
      ),
    );
    const measured = new Map(recorded.series.map(([key, , value]) => [key, value === 'measured']));
    const series = second?.schema.series.map((one, index) => {
      const key = seriesKey(one);
      return [key, one.unit, measured.get(key) === true ? 'measured' : second.values[index]];
    });
    expect(series).toEqual(recorded.series);
    expect(events).toEqual([]);
  });
});
