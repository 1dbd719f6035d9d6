/** Collector: one part of what a source measures, isolated from the others. */
import type { Observable } from 'rxjs';
import type { Series } from '../../../protocol/sample.ts';

/** A value and its series; null where this collector knows the series but has no value yet. */
export type Reading = { readonly series: Series; readonly value: number | null };

export type Collector = {
  readonly name: string;
  /**
   * The readings, at once or as an Observable that emits them once and completes; an empty list where the machine has
   * nothing of the kind. A throw, an error or silence beyond the timeout is a failure of this collector alone.
   */
  readonly collect: () => readonly Reading[] | Observable<readonly Reading[]>;
  /** Overrides the timeout of the source, ms. */
  readonly timeoutMs?: number;
};

/** Reports that something of the machine is not measured, and why; null when all of it is. */
export type Remark = (collector: string, topic: string, text: string | null) => void;
