/** Detect and diagnose: makes samples of what a source measured. Synchronous and without I/O; one for each source. */

import type { RowNotes } from '../../protocol/frame.ts';
import type { Anomaly, Diagnostic, InternedSchema, Sample } from '../../protocol/sample.ts';
import type { SampleBlock } from '../../protocol/sample-block.ts';
import { seriesKey } from '../../protocol/schema-ref.ts';
import type { RawBlock, RawSample, SeriesTraits, Source } from '../sources/source.ts';
import { createDetect } from './detect.ts';
import { createDiagnose } from './diagnose/diagnose.ts';
import { limitsFor } from './diagnose/limits.ts';
import type { PipelineOptions, PipelineSettings } from './pipeline-types.ts';

export type AnnotateOptions = {
  readonly source: Source;
  readonly settings: PipelineSettings;
  readonly emit: PipelineOptions['emit'];
  /** Why the buffer is in trouble at the moment; null when it is not. */
  readonly bufferTrouble: () => string | null;
};

/** Samples of one source must go through in their order, whether alone or in blocks. */
export type Annotate = {
  readonly sample: (raw: RawSample) => Sample;
  readonly block: (raw: RawBlock) => SampleBlock;
};

export function createAnnotate(options: AnnotateOptions): Annotate {
  const { source, settings, emit, bufferTrouble } = options;
  const traitsOf = (schema: InternedSchema, index: number): SeriesTraits => {
    const series = schema.series[index];
    if (series === undefined) return {};
    const traits = source.traits(series);
    return { ...traits, ...limitsFor(seriesKey(series), settings.ranges, traits) };
  };
  const detect = createDetect(settings.detection, traitsOf);
  const diagnose = createDiagnose({ clockJumpMs: settings.clockJumpMs, time: source.time }, traitsOf);
  const keyOf = (schema: InternedSchema, index: number | null): string => {
    const series = index === null ? undefined : schema.series[index];
    return series === undefined ? '' : seriesKey(series);
  };

  const tellAnomaly = (schema: InternedSchema, anomaly: Anomaly) => {
    const { state, series, startTs, peakTs, peakZ, peakValue } = anomaly;
    // An open one whose peak came later has been told already; only its peak has grown.
    if (state !== 'open' || peakTs !== startTs) return;
    const key = keyOf(schema, series);
    emit({ type: 'anomaly_opened', source: source.name, series: key, z: peakZ, value: peakValue });
  };
  const tellDiagnostic = (schema: InternedSchema, { code, severity, series, detail }: Diagnostic) => {
    const key = keyOf(schema, series);
    emit({ type: 'diagnosed', source: source.name, code, severity, series: key, detail });
  };

  const tellAll = (
    schema: InternedSchema,
    { anomalies, diagnostics }: Pick<RowNotes, 'anomalies' | 'diagnostics'>,
  ) => {
    for (const anomaly of anomalies) tellAnomaly(schema, anomaly);
    for (const diagnostic of diagnostics) tellDiagnostic(schema, diagnostic);
  };

  return {
    sample: ({ schema, ts, mono, values, diagnostics: own }) => {
      const anomalies = detect.sample(schema, ts, values);
      const ruled = diagnose.sample(schema, values, { ts, mono, bufferTrouble: bufferTrouble() });
      const diagnostics = own === undefined || own.length === 0 ? ruled : [...own, ...ruled];
      tellAll(schema, { anomalies, diagnostics });
      return { schema, ts, mono, values, anomalies, diagnostics };
    },
    block: (raw) => {
      const gather = createNotes();
      detect.block(raw, (row, anomaly) => gather.of(row).anomalies.push(anomaly));
      diagnose.block(raw, bufferTrouble(), (row, diagnostic) => gather.of(row).diagnostics.push(diagnostic));
      const notes = gather.inOrder();
      for (const note of notes) tellAll(raw.schema, note);
      return { ...raw, notes };
    },
  };
}

type Noted = { readonly row: number; readonly anomalies: Anomaly[]; readonly diagnostics: Diagnostic[] };

/** Gathers by row what is found series by series. */
function createNotes(): { readonly of: (row: number) => Noted; readonly inOrder: () => readonly RowNotes[] } {
  const byRow = new Map<number, Noted>();
  return {
    of: (row) => {
      const known = byRow.get(row);
      if (known !== undefined) return known;
      const noted = { row, anomalies: [], diagnostics: [] };
      byRow.set(row, noted);
      return noted;
    },
    inOrder: () => [...byRow.values()].sort((a, b) => a.row - b.row),
  };
}
