/** What is asked of nvidia-smi, and the series that it becomes. */

export type GpuField = {
  /** Of `--query-gpu`. */
  readonly field: string;
  readonly series: string;
  readonly unit: string;
  /** What a value of nvidia-smi is in that unit. */
  readonly scale: number;
  readonly attributes?: Readonly<Record<string, string>>;
  /** It only grows. */
  readonly cumulative?: true;
};

/** Fields that say which GPU a line is of. */
export const NAMING_FIELDS = ['index', 'uuid', 'name', 'mig.mode.current'] as const;

const MEBIBYTE = 1024 * 1024;
const PERCENT = 0.01;
const MEGAHERTZ = 1_000_000;

export const GPU_FIELDS: readonly GpuField[] = [
  { field: 'utilization.gpu', series: 'hw.gpu.utilization', unit: '1', scale: PERCENT },
  { field: 'utilization.memory', series: 'hw.gpu.memory.activity', unit: '1', scale: PERCENT },
  { field: 'memory.used', series: 'hw.gpu.memory.usage', unit: 'By', scale: MEBIBYTE },
  { field: 'memory.total', series: 'hw.gpu.memory.limit', unit: 'By', scale: MEBIBYTE },
  { field: 'temperature.gpu', series: 'hw.temperature', unit: 'Cel', scale: 1 },
  { field: 'power.draw', series: 'hw.power', unit: 'W', scale: 1 },
  { field: 'power.limit', series: 'hw.power.limit', unit: 'W', scale: 1 },
  { field: 'fan.speed', series: 'hw.fan.speed_ratio', unit: '1', scale: PERCENT },
  ...(['sm', 'mem'] as const).map((clock) => ({
    field: `clocks.${clock}`,
    series: 'hw.gpu.clock',
    unit: 'Hz',
    scale: MEGAHERTZ,
    attributes: { clock },
  })),
  ...(['corrected', 'uncorrected'] as const).map((kind) => ({
    field: `ecc.errors.${kind}.volatile.total`,
    series: 'hw.errors',
    unit: '{error}',
    scale: 1,
    attributes: { type: kind },
    cumulative: true as const,
  })),
];
