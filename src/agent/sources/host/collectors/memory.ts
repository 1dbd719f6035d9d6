import { type CollectorFactory, type Reading, ratio } from '../collector.ts';
import { numberAfter } from '../text.ts';
import { createArcReader } from './zfs.ts';

/**
 * Memory by state. `used` is what programs could not get without swapping: total less what the kernel calls available,
 * and less what the cache of ZFS would give back, of which the kernel does not know.
 */
export const memory: CollectorFactory = (host) => {
  const { files, series } = host;
  const usage = (state: string) => series('system.memory.usage', 'By', { state });
  const all = {
    utilization: series('system.memory.utilization', '1'),
    used: usage('used'),
    free: usage('free'),
    cached: usage('cached'),
    buffered: usage('buffered'),
    limit: series('system.memory.limit', 'By'),
  };
  const zfs = {
    size: series('system.memory.zfs_arc.usage', 'By'),
    limit: series('system.memory.zfs_arc.limit', 'By'),
  };
  const readArc = createArcReader(host);
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
      const arc = readArc();
      const spare = arc === null ? 0 : Math.max(0, arc.size - arc.least);
      const available = (bytesOf(meminfo, 'MemAvailable') ?? free + cached + buffered) + spare;
      const used = Math.max(0, total - available);
      const readings: Reading[] = [
        { series: all.utilization, value: ratio(used, total) },
        { series: all.used, value: used },
        { series: all.free, value: free },
        { series: all.cached, value: cached },
        { series: all.buffered, value: buffered },
        { series: all.limit, value: total },
      ];
      if (arc !== null)
        readings.push({ series: zfs.size, value: arc.size }, { series: zfs.limit, value: arc.most });
      return readings;
    },
  };
};

/** Bytes of one line of /proc/meminfo, which has kB. */
export function bytesOf(meminfo: string, name: string): number | undefined {
  const kilobytes = numberAfter(meminfo, `${name}:`);
  return kilobytes === undefined ? undefined : kilobytes * 1024;
}
