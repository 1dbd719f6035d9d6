import { type HostAccess, type Reading, rounded } from './collector.ts';

export const RESOURCES = ['cpu', 'memory', 'io'] as const;
export type Resource = (typeof RESOURCES)[number];

/**
 * The share of the time since the last call in which some tasks, or all of them (`full`), waited for a resource. From
 * the kernel's totals (PSI), so that no stall between two calls is missed. `fileOf`: where they stand.
 */
export function createPressureReader(
  { files, series, precise }: HostAccess,
  name: string,
): (fileOf: (resource: Resource) => string) => Reading[] {
  let before = new Map<string, { readonly totalUs: number; readonly at: number }>();
  return (fileOf) => {
    const last = before;
    before = new Map();
    return RESOURCES.flatMap((resource) => {
      const text = files.readOptional(fileOf(resource)) ?? '';
      return [...text.matchAll(/^(some|full) .*total=(\d+)$/gm)].map(([, kind = '', total = '']) => {
        const key = `${resource} ${kind}`;
        const now = { totalUs: Number(total), at: precise() };
        before.set(key, now);
        const { totalUs, at } = last.get(key) ?? now;
        const elapsedUs = (now.at - at) * 1000;
        const share = elapsedUs > 0 ? Math.min(1, Math.max(0, (now.totalUs - totalUs) / elapsedUs)) : null;
        return {
          series: series(name, '1', { resource, kind }),
          value: share === null ? null : rounded(share, 4),
        };
      });
    });
  };
}
