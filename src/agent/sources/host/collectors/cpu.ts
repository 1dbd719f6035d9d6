import { type CollectorFactory, type Reading, ratio } from '../collector.ts';
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
 * idle. On request each core's total too.
 */
export const cpu: CollectorFactory = ({ files, series, wanted }) => {
  const all = [
    series('system.cpu.utilization', '1'),
    ...(['user', 'system', 'iowait', 'steal'] as const).map((state) =>
      series('system.cpu.utilization', '1', { state }),
    ),
  ];
  let before: readonly number[] | null = null;
  let coresBefore = new Map<string, readonly number[]>();
  const cores = (stat: string): readonly Reading[] => {
    const last = coresBefore;
    coresBefore = new Map();
    return [...stat.matchAll(/^cpu(\d+) (.*)$/gm)].map(([, core = '', columns = '']) => {
      const ticks = numbersIn(columns);
      coresBefore.set(core, ticks);
      const { busy, whole } = sharesOf(ticks, last.get(core) ?? ticks);
      return { series: series('system.cpu.utilization', '1', { cpu: core }), value: ratio(busy, whole) };
    });
  };
  return {
    name: 'cpu',
    paths: ['/proc/stat'],
    collect: () => {
      const stat = files.read('/proc/stat');
      const ticks = totalTicks(stat);
      const last = before;
      before = ticks;
      const each = wanted.perCore ? cores(stat) : [];
      if (last === null) return [...all.map((one) => ({ series: one, value: null })), ...each];
      const { busy, user, system, iowait, steal, whole } = sharesOf(ticks, last);
      const parts = [busy, user, system, iowait, steal];
      return [...all.map((one, index) => ({ series: one, value: ratio(parts[index] ?? 0, whole) })), ...each];
    },
  };
};

/** Ticks by state between two readings. */
function sharesOf(ticks: readonly number[], last: readonly number[]) {
  const spent = (column: number) => Math.max(0, (ticks[column] ?? 0) - (last[column] ?? 0));
  const user = spent(USER) + spent(NICE);
  const system = spent(SYSTEM) + spent(IRQ) + spent(SOFTIRQ);
  const iowait = spent(IOWAIT);
  const steal = spent(STEAL);
  const busy = user + system + steal;
  return { busy, user, system, iowait, steal, whole: busy + iowait + spent(IDLE) };
}

function totalTicks(stat: string): readonly number[] {
  // The first line on any kernel, but not promised.
  const start = stat.startsWith('cpu ') ? 0 : stat.indexOf('\ncpu ') + 1;
  if (!stat.startsWith('cpu ', start)) throw new Error('/proc/stat has no cpu line');
  const end = stat.indexOf('\n', start);
  return numbersIn(stat.slice(start + 'cpu '.length, end < 0 ? undefined : end));
}
