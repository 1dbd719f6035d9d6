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
};
/** Collectors keep what they need for differences, so each run of the source makes its own. */
export type CollectorFactory = (host: HostAccess) => Collector;

/** Devices, mounts or sensors that one collector reports at most; further ones are left out. */
export const MAX_DEVICES = 16;

/** Rounds to `digits` decimals: what is not known exactly is not sent. */
export function rounded(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}

/** `part / whole` to hundredths of a percent; null where there is no whole. */
export function ratio(part: number, whole: number): number | null {
  return whole > 0 ? rounded(Math.min(1, Math.max(0, part / whole)), 4) : null;
}
