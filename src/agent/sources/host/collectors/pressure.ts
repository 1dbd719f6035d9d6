import { type CollectorFactory, type Reading, rounded } from '../collector.ts';

const RESOURCES = ['cpu', 'memory', 'io'] as const;

/**
 * On request: the share of the time since the last reading in which some tasks, or all of them (`full`), waited for a
 * resource. From the kernel's totals (PSI), so that no stall between two readings is missed.
 */
export const pressure: CollectorFactory = ({ files, series, precise, wanted, remark }) => {
  let before = new Map<string, { readonly totalUs: number; readonly at: number }>();
  const readingsOf = (resource: string, last: typeof before): readonly Reading[] =>
    [
      ...(files.readOptional(`/proc/pressure/${resource}`) ?? '').matchAll(/^(some|full) .*total=(\d+)$/gm),
    ].map(([, kind = '', total = '']) => {
      const key = `${resource} ${kind}`;
      const now = { totalUs: Number(total), at: precise() };
      before.set(key, now);
      const { totalUs, at } = last.get(key) ?? now;
      const elapsedUs = (now.at - at) * 1000;
      const share = elapsedUs > 0 ? Math.min(1, Math.max(0, (now.totalUs - totalUs) / elapsedUs)) : null;
      return {
        series: series('system.pressure', '1', { resource, kind }),
        value: share === null ? null : rounded(share, 4),
      };
    });
  return {
    name: 'pressure',
    paths: wanted.pressure ? RESOURCES.map((resource) => `/proc/pressure/${resource}`) : [],
    collect: () => {
      if (!wanted.pressure) return [];
      const last = before;
      before = new Map();
      const readings = RESOURCES.flatMap((resource) => readingsOf(resource, last));
      remark(
        'pressure',
        'absent',
        readings.length === 0 ? `${files.locate('/proc/pressure')} is not there` : null,
      );
      return readings;
    },
  };
};
