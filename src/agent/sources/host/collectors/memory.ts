import { map } from 'rxjs';
import { type CollectorFactory, ratio } from '../collector.ts';

/** Memory by state. `used` is what programs could not get without swapping: total less what the kernel calls available. */
export const memory: CollectorFactory = ({ files, series }) => {
  const usage = (state: string) => series('system.memory.usage', 'By', { state });
  return {
    name: 'memory',
    collect: () =>
      files.read('/proc/meminfo').pipe(
        map((text) => {
          const bytes = parseMeminfo(text);
          const total = bytes.get('MemTotal');
          const free = bytes.get('MemFree') ?? 0;
          if (total === undefined) throw new Error('/proc/meminfo has no MemTotal');
          const cached = (bytes.get('Cached') ?? 0) + (bytes.get('SReclaimable') ?? 0);
          const buffered = bytes.get('Buffers') ?? 0;
          const used = total - (bytes.get('MemAvailable') ?? free + cached + buffered);
          return [
            { series: series('system.memory.utilization', '1'), value: ratio(used, total) },
            { series: usage('used'), value: used },
            { series: usage('free'), value: free },
            { series: usage('cached'), value: cached },
            { series: usage('buffered'), value: buffered },
            { series: series('system.memory.limit', 'By'), value: total },
          ];
        }),
      ),
  };
};

/** Bytes by name, from the kB of /proc/meminfo. */
export function parseMeminfo(text: string): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  for (const [, name, kilobytes] of text.matchAll(/^(\S+): +(\d+) kB$/gm)) {
    if (name !== undefined) bytes.set(name, Number(kilobytes) * 1024);
  }
  return bytes;
}
