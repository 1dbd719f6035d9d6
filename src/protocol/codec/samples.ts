/** From columns back to samples. */
import type { DataFrame, RowNotes } from '../frame.ts';
import type { InternedSchema, SchemaRef, SeqSample } from '../sample.ts';
import { malformed } from './bytes.ts';

/**
 * The samples of a frame in seq order, as objects. Throws FrameError when a schema is unknown, does not fit its group,
 * or columns were left out when decoding.
 */
export function samplesOf(
  frame: DataFrame,
  schemaOf: (ref: SchemaRef) => InternedSchema | undefined,
): SeqSample[] {
  const samples = new Array<SeqSample>(frame.header.count);
  const { firstSeq } = frame.header;
  for (const { schemaRef, seqs, ts, mono, columns, notes } of frame.groups) {
    const schema = schemaOf(schemaRef);
    if (schema === undefined) throw malformed(`schema: ${schemaRef} is unknown`);
    if (schema.series.length !== columns.length) {
      throw malformed(`schema: ${schemaRef} has ${schema.series.length} series, not ${columns.length}`);
    }
    const arrays = columns.map((column) => {
      if (column === null) throw malformed('samples: a column was not decoded');
      return { values: column.values, present: column.present };
    });
    const notesOf = new Map<number, RowNotes>(notes.map((one) => [one.row, one]));
    for (let row = 0; row < seqs.length; row += 1) {
      const seq = seqs[row] as number;
      const note = notesOf.get(row);
      samples[seq - firstSeq] = {
        seq,
        sample: {
          schema,
          ts: ts[row] as number,
          mono: mono[row] as number,
          values: arrays.map(({ values, present }) =>
            present !== null && present[row] === 0 ? null : (values[row] as number),
          ),
          anomalies: note?.anomalies ?? [],
          diagnostics: note?.diagnostics ?? [],
        },
      };
    }
  }
  return samples;
}
