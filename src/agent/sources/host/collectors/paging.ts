import { type CollectorFactory, type Reading, ratio } from '../collector.ts';
import { numberAfter } from '../text.ts';
import { bytesOf } from './memory.ts';

/** Swap space where there is any, and page traffic since boot. */
export const paging: CollectorFactory = ({ files, series }) => {
  const operations = (direction: string) => series('system.paging.operations', '{operation}', { direction });
  const utilization = series('system.paging.utilization', '1');
  const usage = series('system.paging.usage', 'By', { state: 'used' });
  const counters = [
    { series: operations('page_in'), label: 'pswpin ' },
    { series: operations('page_out'), label: 'pswpout ' },
    { series: series('system.paging.faults', '{fault}', { type: 'major' }), label: 'pgmajfault ' },
  ];
  return {
    name: 'paging',
    paths: ['/proc/meminfo', '/proc/vmstat'],
    collect: () => {
      const meminfo = files.read('/proc/meminfo');
      const vmstat = files.read('/proc/vmstat');
      const total = bytesOf(meminfo, 'SwapTotal') ?? 0;
      const used = total - (bytesOf(meminfo, 'SwapFree') ?? 0);
      const readings: Reading[] = [];
      if (total > 0) {
        readings.push({ series: utilization, value: ratio(used, total) }, { series: usage, value: used });
      }
      for (const counter of counters) {
        readings.push({ series: counter.series, value: numberAfter(vmstat, counter.label) ?? null });
      }
      return readings;
    },
  };
};
