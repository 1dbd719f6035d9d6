import type { SeriesRule } from '../rule.ts';

/** The reading sits on the upper end of what the sensor can say. */
export const railHigh: SeriesRule = {
  code: 'rail_high',
  severity: 'critical',
  clearAfter: 3,
  create: ({ railHigh: rail }) =>
    rail === undefined
      ? null
      : {
          holds: (value) => (value === null ? null : value >= rail),
          detail: (value) => `${value} is at or above the upper rail ${rail}`,
        },
};
