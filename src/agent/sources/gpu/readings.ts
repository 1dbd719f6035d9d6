/** The readings of the GPUs that nvidia-smi lists, and what it cannot tell of them. */
import type { Reading } from '../collect/collector.ts';
import type { SeriesCatalogue } from '../collect/series-catalogue.ts';
import { GPU_FIELDS, type GpuField } from './fields.ts';
import { type GpuLine, parseValue } from './parse-output.ts';

export type GpuReadings = {
  readonly of: (lines: readonly GpuLine[]) => readonly Reading[];
};

export type GpuReadingsOptions = {
  readonly series: SeriesCatalogue;
  /** Null: there is nothing to tell of this any more. */
  readonly remark: (topic: string, text: string | null) => void;
};

export function createGpuReadings({ series, remark }: GpuReadingsOptions): GpuReadings {
  /** GPUs that were there, by uuid, with what people call them. */
  const seen = new Map<string, string>();
  /** Series of GPUs: one that has had a value stays one when it cannot be told. */
  const had = new Set<string>();

  const readingOf = (
    line: GpuLine,
    gpu: Readonly<Record<string, string>>,
    field: GpuField,
  ): Reading | null => {
    const cell = line.get(field.field);
    if (cell === undefined) return null;
    const value = parseValue(cell);
    const topic = `${gpu.uuid} ${field.field}`;
    const text = `GPU ${gpu.gpu_id} says \`${cell.slice(0, 100)}\` in place of ${field.field}`;
    remark(topic, value === undefined ? text : null);
    if (typeof value === 'number') had.add(topic);
    if (!had.has(topic)) return null;
    const of = series(field.series, field.unit, { ...gpu, ...field.attributes });
    return { series: of, value: typeof value === 'number' ? scaled(value, field.scale) : null };
  };

  return {
    of: (lines) => {
      const present = new Set<string>();
      const readings = lines.flatMap((line) => {
        const gpu = namesOf(line);
        const { uuid = '', gpu_id: index = '' } = gpu;
        present.add(uuid);
        seen.set(uuid, index);
        const isMig = line.get('mig.mode.current')?.toLowerCase() === 'enabled';
        remark(
          `${uuid} mig`,
          isMig
            ? `GPU ${index} is in MIG mode: nvidia-smi says nothing of the load of its instances; dcgm-exporter does`
            : null,
        );
        return GPU_FIELDS.flatMap((field) => readingOf(line, gpu, field) ?? []);
      });
      for (const [uuid, index] of seen)
        remark(`${uuid} gone`, present.has(uuid) ? null : `GPU ${index} (${uuid}) is no longer listed`);
      return readings;
    },
  };
}

/** As in exports of DCGM. */
function namesOf(line: GpuLine): Record<string, string> {
  const model = line.get('name') ?? '';
  return {
    gpu_id: line.get('index') ?? '',
    ...(model === '' ? {} : { modelName: model }),
    uuid: line.get('uuid') ?? '',
  };
}

/** A percentage as a ratio has the digits that it had, not those of a binary product. */
function scaled(value: number, scale: number): number {
  return scale < 1 ? value / Math.round(1 / scale) : value * scale;
}
