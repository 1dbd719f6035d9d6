/** Samples as blocks and back, the plain way. */
import type { Sample } from '../../sample.ts';
import type { SampleBlock, SampleRows } from '../../sample-block.ts';

/** At least one sample, all of one schema. */
export function blockOf(samples: readonly Sample[]): SampleBlock {
  const [first] = samples;
  if (first === undefined) throw new Error('a block has at least one sample');
  const columns = first.schema.series.map((_, index) => {
    const cells = samples.map(({ values }) => values[index] ?? null);
    return {
      values: Float64Array.from(cells, (cell) => cell ?? Number.NaN),
      present: cells.includes(null) ? Uint8Array.from(cells, (cell) => (cell === null ? 0 : 1)) : null,
    };
  });
  const notes = samples.flatMap(({ anomalies, diagnostics }, row) =>
    anomalies.length + diagnostics.length > 0 ? [{ row, anomalies, diagnostics }] : [],
  );
  return {
    schema: first.schema,
    ts: Float64Array.from(samples, ({ ts }) => ts),
    mono: Float64Array.from(samples, ({ mono }) => mono),
    columns,
    notes,
  };
}

/** Every sample by itself. */
export function unfold(rows: SampleRows): Sample[] {
  if (!('columns' in rows)) return [rows];
  const { schema, ts, mono, columns, notes } = rows;
  return Array.from(ts, (at, row) => {
    const note = notes.find((one) => one.row === row);
    return {
      schema,
      ts: at,
      mono: mono[row] ?? Number.NaN,
      values: columns.map(({ values, present }) =>
        present?.[row] === 0 ? null : (values[row] ?? Number.NaN),
      ),
      anomalies: note?.anomalies ?? [],
      diagnostics: note?.diagnostics ?? [],
    };
  });
}

/** The same samples with neighbours of one schema put into blocks of up to `atMost`. */
export function inBlocks(samples: readonly Sample[], atMost: number): SampleRows[] {
  const runs: Sample[][] = [];
  for (const sample of samples) {
    const run = runs.at(-1);
    if (run !== undefined && run.length < atMost && run[0]?.schema.ref === sample.schema.ref)
      run.push(sample);
    else runs.push([sample]);
  }
  return runs.map((run) => blockOf(run));
}
