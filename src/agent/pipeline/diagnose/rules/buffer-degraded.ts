import type { SampleRule } from '../rule.ts';

/** Samples are being lost or are about to be: the journal is full or takes none. */
export const bufferDegraded: SampleRule = {
  code: 'buffer_degraded',
  severity: 'critical',
  clearAfter: 1,
  create: () => ({
    holds: ({ bufferTrouble }) => bufferTrouble !== null,
    detail: ({ bufferTrouble }) => bufferTrouble ?? '',
  }),
};
