import { forkJoin, map } from 'rxjs';
import type { CollectorFactory } from '../collector.ts';

/** Processes that exist, and how many were started since boot. */
export const processes: CollectorFactory = ({ files, series }) => ({
  name: 'processes',
  collect: () =>
    forkJoin([files.list('/proc'), files.read('/proc/stat')]).pipe(
      map(([names, stat]) => {
        const created = /^processes (\d+)$/m.exec(stat)?.[1];
        return [
          {
            series: series('system.processes.count', '{process}'),
            value: names.reduce((count, name) => count + (/^\d+$/.test(name) ? 1 : 0), 0),
          },
          {
            series: series('system.processes.created', '{process}'),
            value: created === undefined ? null : Number(created),
          },
        ];
      }),
    ),
});
