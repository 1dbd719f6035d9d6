import { map } from 'rxjs';
import type { CollectorFactory } from '../collector.ts';

/** Time since the machine booted. */
export const uptime: CollectorFactory = ({ files, series }) => ({
  name: 'uptime',
  collect: () =>
    files
      .read('/proc/uptime')
      .pipe(map((text) => [{ series: series('system.uptime', 's'), value: Number(text.split(' ')[0]) }])),
});
