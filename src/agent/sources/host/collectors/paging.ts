import { forkJoin, map } from 'rxjs';
import { type CollectorFactory, ratio } from '../collector.ts';
import { parseMeminfo } from './memory.ts';

/** Swap space where there is any, and page traffic since boot. */
export const paging: CollectorFactory = ({ files, series }) => ({
  name: 'paging',
  collect: () =>
    forkJoin([files.read('/proc/meminfo'), files.read('/proc/vmstat')]).pipe(
      map(([meminfo, vmstat]) => {
        const total = parseMeminfo(meminfo).get('SwapTotal') ?? 0;
        const free = parseMeminfo(meminfo).get('SwapFree') ?? 0;
        const counter = (name: string) => {
          const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(vmstat)?.[1];
          return found === undefined ? null : Number(found);
        };
        const swap = [
          { series: series('system.paging.utilization', '1'), value: ratio(total - free, total) },
          { series: series('system.paging.usage', 'By', { state: 'used' }), value: total - free },
        ];
        const operations = (direction: string) =>
          series('system.paging.operations', '{operation}', { direction });
        return [
          ...(total > 0 ? swap : []),
          { series: operations('page_in'), value: counter('pswpin') },
          { series: operations('page_out'), value: counter('pswpout') },
          {
            series: series('system.paging.faults', '{fault}', { type: 'major' }),
            value: counter('pgmajfault'),
          },
        ];
      }),
    ),
});
