import { defer, map, type OperatorFunction } from 'rxjs';
import type { Anomaly } from '../protocol/anomaly.ts';
import type { AnomalyDetector } from './anomaly-detector.ts';

/** The values of several series at one time; null where nothing was measured. */
export type Row = { readonly ts: number; readonly values: readonly (number | null)[] };

/** Many rows in columns, one a series; NaN where nothing was measured. */
export type Block = {
  readonly ts: Float64Array;
  readonly columns: readonly { readonly values: Float64Array }[];
};

/** An anomaly that opens, grows or closes with a row. */
export type RowAnomaly = { readonly row: number; readonly anomaly: Anomaly };

/** `anomalies` of one row in the order of its series; rows in no order. */
export type Judged<R> = { readonly rows: R; readonly anomalies: readonly RowAnomaly[] };

/** The detectors for these rows, one a series; null where no anomalies are sought. */
export type DetectorsFor<R> = (rows: R) => readonly (AnomalyDetector | null)[];

const NONE: readonly RowAnomaly[] = [];

/**
 * Adds to rows the openings, growths and closings of anomalies in their series. A series is judged by its rolling
 * z-score; see
 * {@link file://./anomaly-detector.ts}.
 *
 * ```
 * rows               1--1--1--9--8--1--1--|
 * detectAnomalies    ---------o-----c-----|   o: opened at 9; c: closed at 1 with its peak of 9
 * ```
 *
 * (Rows without an anomaly pass too; the drawing leaves them out.) Completes and errors with the source. An episode
 * that is open at the end is not closed, since its end was not seen.
 *
 * @param begin called at each subscription; what it gives may keep detectors from rows to rows
 */
export function detectAnomalies<R extends Row | Block>(
  begin: () => DetectorsFor<R>,
): OperatorFunction<R, Judged<R>> {
  return (source) =>
    defer(() => {
      const detectorsFor = begin();
      return source.pipe(
        map((rows) => {
          const detectors = detectorsFor(rows);
          return { rows, anomalies: 'columns' in rows ? inBlock(detectors, rows) : inRow(detectors, rows) };
        }),
      );
    });
}

function inRow(detectors: ReturnType<DetectorsFor<Row>>, { ts, values }: Row): readonly RowAnomaly[] {
  let found: RowAnomaly[] | null = null;
  for (let series = 0; series < values.length; series += 1) {
    const value = values[series];
    if (typeof value !== 'number') continue;
    const episode = detectors[series]?.next(ts, value);
    if (episode == null) continue;
    found ??= [];
    found.push({ row: 0, anomaly: { series, ...episode } });
  }
  return found ?? NONE;
}

function inBlock(detectors: ReturnType<DetectorsFor<Block>>, { ts, columns }: Block): readonly RowAnomaly[] {
  const found: RowAnomaly[] = [];
  columns.forEach(({ values }, series) => {
    detectors[series]?.nextColumn(ts, values, (row, episode) =>
      found.push({ row, anomaly: { series, ...episode } }),
    );
  });
  return found;
}
