import { type CollectorFactory, ratio } from '../collector.ts';
import { numberAfter } from '../text.ts';

/**
 * Memory by state. `used` is what programs could not get without swapping: total less what the kernel calls available.
 */
export const memory: CollectorFactory = ({ files, series }) => {
  const usage = (state: string) => series('system.memory.usage', 'By', { state });
  const all = {
    utilization: series('system.memory.utilization', '1'),
    used: usage('used'),
    free: usage('free'),
    cached: usage('cached'),
    buffered: usage('buffered'),
    limit: series('system.memory.limit', 'By'),
  };
  return {
    name: 'memory',
    paths: ['/proc/meminfo'],
    collect: () => {
      const meminfo = files.read('/proc/meminfo');
      const total = bytesOf(meminfo, 'MemTotal');
      const free = bytesOf(meminfo, 'MemFree') ?? 0;
      if (total === undefined) throw new Error('/proc/meminfo has no MemTotal');
      const cached = (bytesOf(meminfo, 'Cached') ?? 0) + (bytesOf(meminfo, 'SReclaimable') ?? 0);
      const buffered = bytesOf(meminfo, 'Buffers') ?? 0;
      const used = total - (bytesOf(meminfo, 'MemAvailable') ?? free + cached + buffered);
      return [
        { series: all.utilization, value: ratio(used, total) },
        { series: all.used, value: used },
        { series: all.free, value: free },
        { series: all.cached, value: cached },
        { series: all.buffered, value: buffered },
        { series: all.limit, value: total },
      ];
    },
  };
};

/** Bytes of one line of /proc/meminfo, which has kB. */
export function bytesOf(meminfo: string, name: string): number | undefined {
  const kilobytes = numberAfter(meminfo, `${name}:`);
  return kilobytes === undefined ? undefined : kilobytes * 1024;
}
