import type { CollectorFactory } from '../collector.ts';

/** Time since the machine booted. */
export const uptime: CollectorFactory = ({ files, series }) => {
  const one = series('system.uptime', 's');
  return {
    name: 'uptime',
    paths: ['/proc/uptime'],
    collect: () => [{ series: one, value: Number(files.read('/proc/uptime').split(' ', 1)[0]) }],
  };
};
