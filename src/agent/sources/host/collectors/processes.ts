import { map } from 'rxjs';
import type { CollectorFactory } from '../collector.ts';
import { numberAfter } from '../text.ts';

/** Of the whole machine, or of the container whose /proc it is: every one of them has it. */
const FIRST_PROCESS = '1';
const HIDDEN = 'shows no process 1: it is mounted with hidepid, or is none of a whole machine';

/** Processes that exist, and how many were started since boot. */
export const processes: CollectorFactory = ({ files, series, remark }) => {
  const count = series('system.processes.count', '{process}');
  const created = series('system.processes.created', '{process}');
  return {
    name: 'processes',
    paths: ['/proc/stat'],
    collect: () => {
      const started = numberAfter(files.read('/proc/stat'), 'processes ') ?? null;
      // Later: with thousands of processes it takes the kernel milliseconds.
      return files.listLater('/proc').pipe(
        map((names) => {
          const isWhole = names.includes(FIRST_PROCESS);
          remark('processes', 'hidden', isWhole ? null : `${files.locate('/proc')} ${HIDDEN}`);
          const seen = names.reduce((sum, name) => sum + (/^\d+$/.test(name) ? 1 : 0), 0);
          return [
            { series: count, value: isWhole ? seen : null },
            { series: created, value: started },
          ];
        }),
      );
    },
  };
};
