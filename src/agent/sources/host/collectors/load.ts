import type { CollectorFactory } from '../collector.ts';

/** Load averages over 1, 5 and 15 minutes. */
export const load: CollectorFactory = ({ files, series }) => {
  const averages = ['1m', '5m', '15m'].map((span) => series(`system.cpu.load_average.${span}`, '{thread}'));
  return {
    name: 'load',
    paths: ['/proc/loadavg'],
    collect: () => {
      const fields = files.read('/proc/loadavg').split(' ', averages.length);
      return averages.map((one, index) => ({
        series: one,
        value: fields[index] === undefined ? null : Number(fields[index]),
      }));
    },
  };
};
