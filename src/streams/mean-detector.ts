import type { AnomalyDetector } from './anomaly-detector.ts';
import { restored } from './kept.ts';
import { requireCount } from './options.ts';

/**
 * Has means of so many values judged instead of the values: what lasts for less than one of them on a busy machine is
 * no trouble. Means do not overlap; the time of one is that of its first value.
 *
 * ```
 * values              1  1  1  9  1  1  9  9  9
 * meanDetector(3, …)        1        3.7      9     each as one value of the detector beneath
 * ```
 *
 * Values that are not finite are left out. The result comes with the last value of a mean. O(1) a value.
 *
 * @param count values of a mean; minimum 1
 * @param judge finds the episodes of the means; its own from now on
 */
export function createMeanDetector(count: number, judge: AnomalyDetector): AnomalyDetector {
  requireCount('count', count);
  const sum = new Float64Array(1);
  let gathered = 0;
  let startTs = 0;
  const next: AnomalyDetector['next'] = (ts, value) => {
    if (!Number.isFinite(value)) return null;
    if (gathered === 0) {
      startTs = ts;
      sum[0] = 0;
    }
    // Divided first: the sum of large values need not be finite.
    sum[0] = (sum[0] as number) + value / count;
    gathered += 1;
    if (gathered < count) return null;
    gathered = 0;
    return judge.next(startTs, sum[0] as number);
  };
  return {
    next,
    nextColumn: (ts, values, report) => {
      for (let index = 0; index < values.length; index += 1) {
        const found = next(ts[index] as number, values[index] as number);
        if (found !== null) report(index, found);
      }
    },
    save: (put) => {
      put(gathered);
      put(startTs);
      put(sum[0] as number);
      judge.save(put);
    },
    restore: (take) => {
      gathered = restored(take(), 0, count - 1);
      startTs = take();
      sum[0] = take();
      judge.restore(take);
    },
  };
}
