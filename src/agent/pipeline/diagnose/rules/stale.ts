import type { SeriesRule } from '../rule.ts';

/** The series once had values and has had none for too long. */
export const stale: SeriesRule = {
  code: 'stale',
  severity: 'warning',
  clearAfter: 1,
  create: ({ staleAfterMs }) => {
    if (staleAfterMs === undefined) return null;
    let lastMono: number | null = null;
    return {
      holds: (value, mono) => {
        if (value !== null) lastMono = mono;
        return lastMono !== null && mono - lastMono >= staleAfterMs;
      },
      detail: () => `no value for ${staleAfterMs} ms`,
    };
  },
};
