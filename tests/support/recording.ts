/** CSV recordings whose every cell is known, so that what HQ stored can be compared with what was sampled. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { seededRandom } from '../../src/platform/random.ts';
import type { SampleDocument } from '../../src/protocol/api.ts';

export type Recording = {
  /** Source name, as samples show it. */
  readonly source: string;
  readonly path: string;
  /** `rows[n].row === n + 1`; the other cells are what the file says. */
  readonly rows: readonly Readonly<Record<string, number>>[];
};

/** Writes `count` rows of one row number and three values of different kinds, `stepMs` apart. */
export function writeRecording(
  folder: string,
  { source, count, stepMs, seed }: { source: string; count: number; stepMs: number; seed: number },
): Recording {
  const random = seededRandom(seed);
  const start = Date.parse('2026-01-01T00:00:00Z');
  const rows = Array.from({ length: count }, (_, index) => ({
    row: index + 1,
    decimal: Math.round(random.next() * 1e4) / 100,
    integer: Math.floor(random.next() * 1e9),
    float: (random.next() - 0.5) * 10 ** Math.floor(random.next() * 20 - 10),
  }));
  const lines = rows.map((row, index) =>
    [start + index * stepMs, row.row, row.decimal, row.integer, row.float].join(','),
  );
  const path = join(folder, `${source}.csv`);
  writeFileSync(path, `time,row,decimal,integer,float\n${lines.join('\n')}\n`);
  return { source, path, rows };
}

/**
 * Holds what HQ stored of one epoch against the recordings. Per source the row numbers must be runs of 1, 2, 3 …
 * without a hole, each row's cells equal to the file's, bit for bit. Returns how many runs were seen: one a recording,
 * however often the agent was started again.
 */
export function expectExactly(samples: readonly SampleDocument[], recordings: readonly Recording[]): number {
  const bySeq = [...samples].sort((a, b) => a.seq - b.seq);
  expect(new Set(bySeq.map((sample) => sample.seq)).size, 'each seq once').toBe(bySeq.length);
  let runs = 0;
  for (const recording of recordings) {
    let previous = 0;
    for (const sample of bySeq) {
      if (sample.source !== recording.source) continue;
      const row = Number(sample.values.row);
      if (row === 1) runs += 1;
      else if (row !== previous + 1) {
        throw new Error(`${recording.source}: row ${row} follows row ${previous} at seq ${sample.seq}`);
      }
      const expected = recording.rows[row - 1];
      for (const [name, value] of Object.entries(expected ?? {})) {
        if (!Object.is(sample.values[name], value)) {
          throw new Error(
            `${recording.source} row ${row}: ${name} is ${sample.values[name]}, sampled was ${value}`,
          );
        }
      }
      previous = row;
    }
  }
  return runs;
}
