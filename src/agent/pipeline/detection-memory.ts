/** Keeps what detection has learned over restarts, in one bounded record. */
import { catchError, concat, defer, EMPTY, ignoreElements, type Observable } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { errorText } from '../../platform/error-text.ts';
import type { Emit } from '../../platform/telemetry.ts';
import { createDetection, type Detection, type DetectionOptions } from './detect.ts';
import { decodeDetection, encodeDetection } from './detection-record.ts';
import type { pipelineEvents } from './pipeline-events.ts';

/** Where the record lies. */
export type DetectionStore = {
  /** The record; undefined when there is none. */
  readonly keptState: () => Uint8Array | undefined;
  /** Replaces it; completes when that is durable. */
  readonly keepState: (bytes: Uint8Array) => Observable<void>;
  /** Bytes that it may take. */
  readonly maxStateBytes: number;
};

export type DetectionMemory = {
  /** Detection of one source, which goes on where an earlier process ended. */
  readonly begin: (options: Omit<DetectionOptions, 'kept'>) => Detection;
  /** Makes durable what has been learned of all sources. Completes; never errors. */
  readonly keep: () => Observable<never>;
};

export type DetectionMemoryOptions = {
  /** Absent: nothing is kept. */
  readonly store: DetectionStore | undefined;
  readonly clock: Pick<Clock, 'now'>;
  readonly emit: Emit<typeof pipelineEvents>;
};

/** After so long what was usual may no longer be, ms. */
const VALID_MS = 3_600_000;

export function createDetectionMemory({ store, clock, emit }: DetectionMemoryOptions): DetectionMemory {
  const begun: Detection[] = [];
  const kept = recall(store, clock.now());
  let failing = false;
  let left = 0;

  const keep = (to: DetectionStore): Observable<never> => {
    const series = begun.flatMap((detection) => [...detection.save()]);
    if (series.length === 0) return EMPTY;
    const record = encodeDetection(clock.now(), series, to.maxStateBytes);
    if (record.left > left) emit({ type: 'detection_not_kept_whole', series: record.left });
    left = record.left;
    return concat(
      to.keepState(record.bytes),
      defer(() => {
        failing = false;
        return EMPTY;
      }),
    ).pipe(ignoreElements());
  };

  return {
    begin: (options) => {
      const detection = createDetection({ ...options, kept });
      begun.push(detection);
      return detection;
    },
    keep: () =>
      store === undefined
        ? EMPTY
        : defer(() => keep(store)).pipe(
            catchError((error: unknown) => {
              if (!failing) emit({ type: 'detection_not_kept', reason: errorText(error) });
              failing = true;
              return EMPTY;
            }),
          ),
  };
}

function recall(store: DetectionStore | undefined, now: number): ReadonlyMap<string, Float64Array> {
  const bytes = store?.keptState();
  const record = bytes === undefined ? null : decodeDetection(bytes);
  // Also one of the future: where the clock was wrong nobody knows how old it is.
  if (record === null || Math.abs(now - record.at) > VALID_MS) return new Map();
  return new Map(record.series.map(({ id, learned }) => [id, learned]));
}
