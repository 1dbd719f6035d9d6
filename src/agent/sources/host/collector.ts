/** What the collectors of `host` are built from. Each is one file of `collectors/`. */
import type { Collector as AnyCollector, Remark } from '../collect/collector.ts';
import type { SeriesCatalogue } from '../collect/series-catalogue.ts';
import type { HostFiles } from './files.ts';

export type { Reading } from '../collect/collector.ts';

export type Collector = AnyCollector & {
  /** Files that it reads at once: waited for beforehand where others than the kernel answer for them. */
  readonly paths?: readonly string[];
};

/** What collectors are built from. */
export type HostAccess = {
  readonly files: HostFiles;
  readonly series: SeriesCatalogue;
  /** Monotonic time, ms with fractions, for rates. */
  readonly precise: () => number;
  /** What is measured on request only. */
  readonly wanted: HostExtras;
  /** Devices, mounts or sensors that one collector reports at most. */
  readonly maxDevices: number;
  readonly remark: Remark;
};

export type HostExtras = {
  readonly perCore: boolean;
  readonly pressure: boolean;
  readonly tmpfs: boolean;
};

/** Collectors keep what they need for differences, so each run of the source makes its own. */
export type CollectorFactory = (host: HostAccess) => Collector;

/** The first ones, as many as are allowed; says when there are more. */
export function bounded<T>(
  { maxDevices, remark }: Pick<HostAccess, 'maxDevices' | 'remark'>,
  collector: string,
  found: readonly T[],
): readonly T[] {
  const isOver = found.length > maxDevices;
  const text = `${found.length} were found and ${maxDevices} are measured; raise maxDevices`;
  remark(collector, 'bound', isOver ? text : null);
  return isOver ? found.slice(0, maxDevices) : found;
}

/** Rounds to `digits` decimals: what is not known exactly is not sent. */
export function rounded(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}

/** `part / whole` to hundredths of a percent; null where there is no whole. */
export function ratio(part: number, whole: number): number | null {
  return whole > 0 ? rounded(Math.min(1, Math.max(0, part / whole)), 4) : null;
}
