/** A series through a detector, one value a second, in each of the ways in which that can be done. */
import { seededRandom } from '../../src/platform/random.ts';
import type { AnomalyDetector, Episode } from '../../src/streams/index.ts';

export type Found = readonly (readonly [index: number, episode: Episode])[];

export function oneByOne(detector: AnomalyDetector, values: readonly number[], first = 0): Found {
  return values.flatMap((value, index) => {
    const episode = detector.next((first + index) * 1000, value);
    return episode === null ? [] : [[first + index, episode] as const];
  });
}

/** In columns of up to 300 values. */
export function inColumns(detector: AnomalyDetector, values: readonly number[]): Found {
  const random = seededRandom(9);
  const found: (readonly [number, Episode])[] = [];
  const all = Float64Array.from(values);
  const ts = all.map((_, index) => index * 1000);
  for (let from = 0; from < all.length; ) {
    const begin = from;
    from += 1 + Math.floor(random.next() * 300);
    detector.nextColumn(ts.subarray(begin, from), all.subarray(begin, from), (index, episode) =>
      found.push([begin + index, episode]),
    );
  }
  return found;
}

/** With another detector every 60 values or so, which goes on with what the one before has learned. */
export function savedAndRestored(create: () => AnomalyDetector, values: readonly number[]): Found {
  const random = seededRandom(13);
  const found: (readonly [number, Episode])[] = [];
  let detector = create();
  for (let from = 0; from < values.length; ) {
    const to = from + 1 + Math.floor(random.next() * 120);
    found.push(...oneByOne(detector, values.slice(from, to), from));
    from = to;
    const numbers: number[] = [];
    detector.save((value) => numbers.push(value));
    detector = create();
    let next = 0;
    detector.restore(() => numbers[next++] ?? Number.NaN);
    if (next !== numbers.length) throw new Error(`${next} of ${numbers.length} numbers were taken`);
  }
  return found;
}
