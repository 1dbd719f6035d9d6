import { of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  type Block,
  createAnomalyDetector,
  type DetectorsFor,
  detectAnomalies,
  type Judged,
  type Row,
  type RowAnomaly,
} from '../../src/streams/index.ts';
import { describeCases } from '../marbles.ts';

const options = { threshold: 3, clearThreshold: 1.5, warmUp: 2, window: 4, minStddev: 1 };
/** Detectors for the second of two series. */
const ofSecond = (): DetectorsFor<Row | Block> => {
  const detectors = [null, createAnomalyDetector(options)];
  return () => detectors;
};
const opened = {
  series: 1,
  state: 'open',
  startTs: 3,
  peakTs: 3,
  peakValue: 9,
  peakZ: 4,
  mean: 5,
  stddev: 1,
  endTs: null,
  judgement: { method: 'zscore', threshold: 3 },
} as const;
const closed = { ...opened, state: 'closed', endTs: 4 } as const;
const rows = {
  a: { ts: 1, values: [0, 5] },
  b: { ts: 2, values: [100, 5] },
  c: { ts: 3, values: [0, 9] },
  d: { ts: 4, values: [null, 5.5] },
};
const judged = (row: Row, ...anomalies: RowAnomaly['anomaly'][]): Judged<Row> => ({
  rows: row,
  anomalies: anomalies.map((anomaly) => ({ row: 0, anomaly })),
});

describe('detectAnomalies', () => {
  describeCases<Row, Judged<Row>>(
    () => detectAnomalies<Row>(ofSecond),
    {
      inputs: rows,
      outputs: {
        a: judged(rows.a),
        b: judged(rows.b),
        o: judged(rows.c, opened),
        x: judged(rows.d, closed),
      },
    },
    {
      never: { source: '-', expected: '-', subscription: '^' },
      empty: { source: '|', expected: '|', subscription: '(^!)' },
      single: { source: '-a|', expected: '-a|', subscription: '^-!' },
      many: { source: '-abcd|', expected: '-abox|', subscription: '^----!' },
      error: { source: '-abc#', expected: '-abo#', subscription: '^---!' },
      'early unsubscribe': {
        source: '-abcd',
        expected: '-abo-',
        subscription: '^---!',
        unsubscribe: '----!',
      },
    },
  );

  it('finds the same in a block of columns as row by row, and says in which row', () => {
    const block: Block = {
      ts: Float64Array.of(1, 2, 3, 4),
      columns: [
        { values: Float64Array.of(0, 100, 0, Number.NaN) },
        { values: Float64Array.of(5, 5, 9, 5.5) },
      ],
    };
    let found: Judged<Block> | null = null;
    of(block)
      .pipe(detectAnomalies<Block>(ofSecond))
      .subscribe((one) => {
        found = one;
      });
    expect(found).toEqual({
      rows: block,
      anomalies: [
        { row: 2, anomaly: opened },
        { row: 3, anomaly: closed },
      ],
    });
  });

  it('asks for the detectors of each of the rows', () => {
    const asked: Row[] = [];
    of(rows.a, rows.b)
      .pipe(
        detectAnomalies<Row>(() => (row) => {
          asked.push(row);
          return [];
        }),
      )
      .subscribe();
    expect(asked).toEqual([rows.a, rows.b]);
  });
});
