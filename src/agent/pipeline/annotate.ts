/** Detect and diagnose: makes samples of what a source measured. Synchronous and without I/O. */
import { defer, map, type OperatorFunction, pipe } from 'rxjs';
import type { RowNotes } from '../../protocol/frame.ts';
import type { Anomaly, Diagnostic, InternedSchema } from '../../protocol/sample.ts';
import type { SampleBlock, SampleRows } from '../../protocol/sample-block.ts';
import { seriesKey } from '../../protocol/series-key.ts';
import { detectAnomalies, type Judged, type RowAnomaly } from '../../streams/detect-anomalies.ts';
import type { RawBlock, RawRows, RawSample, SeriesTraits, Source } from '../sources/source.ts';
import type { DetectionMemory } from './detection-memory.ts';
import { createDiagnose } from './diagnose/diagnose.ts';
import { limitsFor } from './diagnose/limits.ts';
import type { PipelineOptions, PipelineSettings } from './pipeline-types.ts';

export type AnnotateOptions = {
  readonly source: Source;
  readonly settings: PipelineSettings;
  readonly emit: PipelineOptions['emit'];
  readonly memory: Pick<DetectionMemory, 'begin'>;
  /** Why the buffer is in trouble at the moment; null when it is not. */
  readonly bufferTrouble: () => string | null;
};

const NO_ANOMALIES: readonly Anomaly[] = [];

/** Each source needs one of its own, and its samples must go through in their order, whether alone or in blocks. */
export function annotate(options: AnnotateOptions): OperatorFunction<RawRows, SampleRows> {
  const { source, settings, memory } = options;
  const traitsOf = (schema: InternedSchema, index: number): SeriesTraits => {
    const series = schema.series[index];
    if (series === undefined) return {};
    const traits = source.traits(series);
    return { ...traits, ...limitsFor(seriesKey(series), settings.ranges, traits) };
  };
  return pipe(
    detectAnomalies<RawRows>(
      () => memory.begin({ settings: settings.detection, source, traitsOf }).detectorsFor,
    ),
    addDiagnostics(options, traitsOf),
  );
}

function addDiagnostics(
  { source, settings, emit, bufferTrouble }: AnnotateOptions,
  traitsOf: (schema: InternedSchema, index: number) => SeriesTraits,
): OperatorFunction<Judged<RawRows>, SampleRows> {
  return (judged$) =>
    defer(() => {
      const diagnose = createDiagnose({ clockJumpMs: settings.clockJumpMs, time: source.time }, traitsOf);
      const tell = (schema: InternedSchema, notes: Pick<RowNotes, 'anomalies' | 'diagnostics'>) =>
        tellNotes(source, emit, schema, notes);
      const sample = (raw: RawSample, found: readonly RowAnomaly[]): SampleRows => {
        const { schema, ts, mono, values, diagnostics: own, position } = raw;
        const anomalies = found.length === 0 ? NO_ANOMALIES : found.map(({ anomaly }) => anomaly);
        const ruled = diagnose.sample(schema, values, { ts, mono, bufferTrouble: bufferTrouble() });
        const diagnostics = own === undefined || own.length === 0 ? ruled : [...own, ...ruled];
        tell(schema, { anomalies, diagnostics });
        const whole = { schema, ts, mono, values, anomalies, diagnostics };
        return position === undefined ? whole : { ...whole, position };
      };
      const block = (raw: RawBlock, found: readonly RowAnomaly[]): SampleBlock => {
        const gather = createNotes();
        for (const { row, anomaly } of found) gather.of(row).anomalies.push(anomaly);
        diagnose.block(raw, bufferTrouble(), (row, diagnostic) =>
          gather.of(row).diagnostics.push(diagnostic),
        );
        const notes = gather.inOrder();
        for (const note of notes) tell(raw.schema, note);
        return { ...raw, notes };
      };
      return judged$.pipe(
        map(({ rows, anomalies }) => ('columns' in rows ? block(rows, anomalies) : sample(rows, anomalies))),
      );
    });
}

function tellNotes(
  source: Source,
  emit: AnnotateOptions['emit'],
  schema: InternedSchema,
  { anomalies, diagnostics }: Pick<RowNotes, 'anomalies' | 'diagnostics'>,
): void {
  for (const { state, series, startTs, peakTs, peakZ, peakValue, judgement } of anomalies) {
    // An open one whose peak came later has been told already; only its peak has grown.
    if (state !== 'open' || peakTs !== startTs) continue;
    const key = keyOf(schema, series);
    emit({
      type: 'anomaly_opened',
      source: source.name,
      series: key,
      z: peakZ,
      value: peakValue,
      ...judgement,
    });
  }
  for (const { code, severity, series, detail } of diagnostics) {
    const key = keyOf(schema, series);
    emit({ type: 'diagnosed', source: source.name, code, severity, series: key, detail });
  }
}

function keyOf(schema: InternedSchema, index: number | null): string {
  const series = index === null ? undefined : schema.series[index];
  return series === undefined ? '' : seriesKey(series);
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
