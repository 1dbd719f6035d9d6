import { map } from 'rxjs';
import { type CollectorFactory, ratio } from '../collector.ts';

/** Columns of the `cpu` line of /proc/stat, proc_stat(5); guest time is contained in user time. */
const USER = 0;
const NICE = 1;
const SYSTEM = 2;
const IDLE = 3;
const IOWAIT = 4;
const IRQ = 5;
const SOFTIRQ = 6;
const STEAL = 7;

/** CPU time by state since the last reading, as a share of all cores; the total without attributes is all that was not idle. */
export const cpu: CollectorFactory = ({ files, series }) => {
  const total = series('system.cpu.utilization', '1');
  const states = (['user', 'system', 'iowait', 'steal'] as const).map((state) =>
    series('system.cpu.utilization', '1', { state }),
  );
  let before: readonly number[] | null = null;
  return {
    name: 'cpu',
    collect: () =>
      files.read('/proc/stat').pipe(
        map((text) => {
          const line = /^cpu +(.+)$/m.exec(text)?.[1];
          if (line === undefined) throw new Error('/proc/stat has no cpu line');
          const ticks = line.split(' ').map(Number);
          const last = before;
          before = ticks;
          if (last === null) return [total, ...states].map((one) => ({ series: one, value: null }));
          const spent = (column: number) => Math.max(0, (ticks[column] ?? 0) - (last[column] ?? 0));
          const columns = [USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL];
          const all = columns.reduce((sum, column) => sum + spent(column), 0);
          const parts = [
            all - spent(IDLE) - spent(IOWAIT),
            spent(USER) + spent(NICE),
            spent(SYSTEM) + spent(IRQ) + spent(SOFTIRQ),
            spent(IOWAIT),
            spent(STEAL),
          ];
          return [total, ...states].map((one, index) => ({
            series: one,
            value: ratio(parts[index] ?? 0, all),
          }));
        }),
      ),
  };
};
