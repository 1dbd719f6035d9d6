import { map } from 'rxjs';
import type { CollectorFactory } from '../collector.ts';

/** Load averages over 1, 5 and 15 minutes. */
export const load: CollectorFactory = ({ files, series }) => {
  const averages = ['1m', '5m', '15m'].map((span) => series(`system.cpu.load_average.${span}`, '{thread}'));
  return {
    name: 'load',
    collect: () =>
      files.read('/proc/loadavg').pipe(
        map((text) => {
          const values = text.split(' ').slice(0, averages.length).map(Number);
          return averages.map((one, index) => ({ series: one, value: values[index] ?? null }));
        }),
      ),
  };
};
