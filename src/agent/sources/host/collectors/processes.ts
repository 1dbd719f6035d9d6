import { map } from 'rxjs';
import type { CollectorFactory } from '../collector.ts';
import { numberAfter } from '../text.ts';

/** Processes that exist, and how many were started since boot. */
export const processes: CollectorFactory = ({ files, series }) => {
  const count = series('system.processes.count', '{process}');
  const created = series('system.processes.created', '{process}');
  return {
    name: 'processes',
    paths: ['/proc/stat'],
    collect: () => {
      const started = numberAfter(files.read('/proc/stat'), 'processes ') ?? null;
      // Later: with thousands of processes it takes the kernel milliseconds.
      return files.listLater('/proc').pipe(
        map((names) => [
          { series: count, value: names.reduce((sum, name) => sum + (/^\d+$/.test(name) ? 1 : 0), 0) },
          { series: created, value: started },
        ]),
      );
    },
  };
};
