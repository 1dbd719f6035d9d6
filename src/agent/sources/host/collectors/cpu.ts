import { type CollectorFactory, ratio } from '../collector.ts';
import { numbersIn } from '../text.ts';

/** Columns of the `cpu` line of /proc/stat, proc_stat(5); guest time is contained in user time. */
const USER = 0;
const NICE = 1;
const SYSTEM = 2;
const IDLE = 3;
const IOWAIT = 4;
const IRQ = 5;
const SOFTIRQ = 6;
const STEAL = 7;

/**
 * CPU time by state since the last reading, as a share of all cores; the total without attributes is all that was not
 * idle.
 */
export const cpu: CollectorFactory = ({ files, series }) => {
  const all = [
    series('system.cpu.utilization', '1'),
    ...(['user', 'system', 'iowait', 'steal'] as const).map((state) =>
      series('system.cpu.utilization', '1', { state }),
    ),
  ];
  let before: readonly number[] | null = null;
  return {
    name: 'cpu',
    paths: ['/proc/stat'],
    collect: () => {
      const ticks = totalTicks(files.read('/proc/stat'));
      const last = before;
      before = ticks;
      if (last === null) return all.map((one) => ({ series: one, value: null }));
      const spent = (column: number) => Math.max(0, (ticks[column] ?? 0) - (last[column] ?? 0));
      const user = spent(USER) + spent(NICE);
      const system = spent(SYSTEM) + spent(IRQ) + spent(SOFTIRQ);
      const iowait = spent(IOWAIT);
      const steal = spent(STEAL);
      const busy = user + system + steal;
      const whole = busy + iowait + spent(IDLE);
      const parts = [busy, user, system, iowait, steal];
      return all.map((one, index) => ({ series: one, value: ratio(parts[index] ?? 0, whole) }));
    },
  };
};

function totalTicks(stat: string): readonly number[] {
  // The first line on any kernel, but not promised.
  const start = stat.startsWith('cpu ') ? 0 : stat.indexOf('\ncpu ') + 1;
  if (!stat.startsWith('cpu ', start)) throw new Error('/proc/stat has no cpu line');
  const end = stat.indexOf('\n', start);
  return numbersIn(stat.slice(start + 'cpu '.length, end < 0 ? undefined : end));
}
