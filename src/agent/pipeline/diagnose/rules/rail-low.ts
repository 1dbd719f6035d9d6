import type { SeriesRule } from '../rule.ts';

/** The reading sits on the lower end of what the sensor can say: a broken wire, a short, a lost supply. */
export const railLow: SeriesRule = {
  code: 'rail_low',
  severity: 'critical',
  clearAfter: 3,
  create: ({ railLow: rail }) =>
    rail === undefined
      ? null
      : {
          holds: (value) => (value === null ? null : value <= rail),
          detail: (value) => `${value} is at or below the lower rail ${rail}`,
        },
};
