/** Collector: one part of what `host` measures, isolated from the others. Each is one file of `collectors/`. */
import type { Observable } from 'rxjs';
import type { Series } from '../../../protocol/sample.ts';
import type { HostFiles } from './files.ts';
import type { SeriesCatalogue } from './series-catalogue.ts';

/** A value and its series; null where this collector knows the series but has no value yet. */
export type Reading = { readonly series: Series; readonly value: number | null };

export type Collector = {
  readonly name: string;
  /**
   * The readings, at once or as an Observable that emits them once and completes; an empty list where the machine has
   * nothing of the kind. A throw, an error or silence beyond the timeout is a failure of this collector alone.
   */
  readonly collect: () => readonly Reading[] | Observable<readonly Reading[]>;
  /** Files that it reads at once: waited for beforehand where others than the kernel answer for them. */
  readonly paths?: readonly string[];
  /** Overrides the timeout of the source, ms. */
  readonly timeoutMs?: number;
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

/** Reports that something of the machine is not measured, and why; null when all of it is. */
export type Remark = (collector: string, topic: string, text: string | null) => void;

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
