import type { SeriesRule } from '../rule.ts';

/** The value makes no sense for the series; so does one that is not a number where a range is known. */
export const outOfRange: SeriesRule = {
  code: 'out_of_range',
  severity: 'warning',
  clearAfter: 3,
  create: ({ min, max }) => {
    if (min === undefined && max === undefined) return null;
    const low = min ?? Number.NEGATIVE_INFINITY;
    const high = max ?? Number.POSITIVE_INFINITY;
    return {
      holds: (value) => (value === null ? null : !(value >= low && value <= high)),
      detail: (value) => `${value} is not within ${low} … ${high}`,
    };
  },
};
