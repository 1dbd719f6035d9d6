import type { SeriesRule } from '../rule.ts';

/** The value has not moved in the least for longer than a live sensor can hold still. */
export const stuck: SeriesRule = {
  code: 'stuck',
  severity: 'warning',
  clearAfter: 1,
  create: ({ stuckAfterMs }) => {
    if (stuckAfterMs === undefined) return null;
    let last: number | null = null;
    let since = 0;
    return {
      holds: (value, mono) => {
        if (value === null) return null;
        if (last === null || !Object.is(value, last)) {
          last = value;
          since = mono;
          return false;
        }
        return mono - since >= stuckAfterMs;
      },
      detail: (value) => `has been exactly ${value} for ${stuckAfterMs} ms`,
    };
  },
};
