import { type CollectorFactory, type Reading, rounded } from '../collector.ts';
import type { HostFiles } from '../files.ts';
import { numberAfter } from '../text.ts';

/** What a control group uses and may use; null where it sets no limit, or where the kernel does not say. */
type Usage = {
  /** Files that the kernel keeps in memory for it included. */
  readonly memoryBytes: number;
  /** Of those, files that nobody has used of late: given back before anything is refused. */
  readonly inactiveFileBytes: number | null;
  readonly memoryLimitBytes: number | null;
  readonly cpuMs: number | null;
  /** In whole CPUs. */
  readonly cpuLimit: number | null;
  /** Periods in which the limit stopped it, and for how long in all. */
  readonly throttled: { readonly periods: number; readonly seconds: number } | null;
};

/** Version 1 writes "no limit" as a number near 2^63. */
const NO_LIMIT_V1 = 2 ** 60;

/**
 * Use and limits of our own control group, in containers and wherever one is limited; `system.…` is of the machine.
 * Below another root: of its process 1, which normally has no limits.
 */
export const container: CollectorFactory = (host) => {
  let before: { readonly cpuMs: number; readonly at: number } | null = null;
  const cpuUsage = (cpuMs: number | null): number | null => {
    const last = before;
    const at = host.precise();
    before = cpuMs === null ? null : { cpuMs, at };
    if (cpuMs === null || last === null || at <= last.at) return null;
    return rounded(Math.max(0, cpuMs - last.cpuMs) / (at - last.at), 4);
  };
  const readings = (usage: Usage): readonly Reading[] => {
    const { memoryBytes, inactiveFileBytes, memoryLimitBytes, cpuMs, cpuLimit, throttled } = usage;
    const found: Reading[] = [];
    const add = (name: string, unit: string, value: number | null) =>
      void found.push({ series: host.series(name, unit), value });
    add('container.memory.usage', 'By', memoryBytes);
    if (inactiveFileBytes !== null)
      add('container.memory.working_set', 'By', Math.max(0, memoryBytes - inactiveFileBytes));
    if (memoryLimitBytes !== null) add('container.memory.limit', 'By', memoryLimitBytes);
    if (cpuMs !== null) add('container.cpu.usage', '{cpu}', cpuUsage(cpuMs));
    if (cpuLimit !== null) add('container.cpu.limit', '{cpu}', cpuLimit);
    if (cpuLimit === null || throttled === null) return found;
    add('container.cpu.throttled.periods', '{period}', throttled.periods);
    add('container.cpu.throttled.time', 's', throttled.seconds);
    return found;
  };
  return {
    name: 'container',
    paths: ['/proc/self/cgroup'],
    collect: () => {
      const usage = findUsage(host.files);
      return usage === null ? [] : readings(usage);
    },
  };
};

function findUsage(files: HostFiles): Usage | null {
  const text = files.readOptional('/proc/self/cgroup') ?? '';
  const memory = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(text)?.[1];
  if (memory !== undefined) return usageV1(files, memory);
  const unified = /^0::(.*)$/m.exec(text)?.[1];
  return unified === undefined ? null : usageV2(files, unified);
}

function usageV2(files: HostFiles, path: string): Usage | null {
  const base = `/sys/fs/cgroup${path === '/' ? '' : path}`;
  const current = files.readOptional(`${base}/memory.current`);
  if (current === null) return null;
  const limited = finite(files.readOptional(`${base}/memory.max`));
  const [quota = 'max', period = '100000'] = (files.readOptional(`${base}/cpu.max`) ?? '').trim().split(' ');
  const cpuLimit = /^\d+$/.test(quota) ? Number(quota) / Number(period) : null;
  // A namespace of its own shows as `/`; elsewhere, as in a unit of systemd, only limits are worth reporting.
  if (path !== '/' && limited === null && cpuLimit === null) return null;
  const cpu = files.readOptional(`${base}/cpu.stat`) ?? '';
  const microseconds = numberAfter(cpu, 'usage_usec ');
  return {
    memoryBytes: Number(current),
    inactiveFileBytes: numberAfter(files.readOptional(`${base}/memory.stat`) ?? '', 'inactive_file ') ?? null,
    memoryLimitBytes: limited,
    cpuMs: microseconds === undefined ? null : microseconds / 1000,
    cpuLimit,
    throttled: throttledIn(cpu, 'throttled_usec ', 1e6),
  };
}

function usageV1(files: HostFiles, path: string): Usage | null {
  // Inside a container the controller's root is the container's own group.
  const read = (controller: string, name: string) =>
    files.readOptional(`/sys/fs/cgroup/${controller}${path}/${name}`) ??
    files.readOptional(`/sys/fs/cgroup/${controller}/${name}`);
  const current = read('memory', 'memory.usage_in_bytes');
  const limit = finite(read('memory', 'memory.limit_in_bytes'));
  const memoryLimitBytes = limit !== null && limit < NO_LIMIT_V1 ? limit : null;
  const quotaUs = finite(read('cpu', 'cpu.cfs_quota_us'));
  const periodUs = finite(read('cpu', 'cpu.cfs_period_us'));
  const cpuLimit = quotaUs !== null && quotaUs > 0 ? quotaUs / (periodUs ?? 100_000) : null;
  if (current === null || (memoryLimitBytes === null && cpuLimit === null)) return null;
  const nanoseconds = finite(read('cpuacct', 'cpuacct.usage'));
  return {
    memoryBytes: Number(current),
    inactiveFileBytes: numberAfter(read('memory', 'memory.stat') ?? '', 'total_inactive_file ') ?? null,
    memoryLimitBytes,
    cpuMs: nanoseconds === null ? null : nanoseconds / 1e6,
    cpuLimit,
    throttled: throttledIn(read('cpu', 'cpu.stat') ?? '', 'throttled_time ', 1e9),
  };
}

/** `perSecond`: units of the time behind `label` in a second. */
function throttledIn(text: string, label: string, perSecond: number): Usage['throttled'] {
  const periods = numberAfter(text, 'nr_throttled ');
  const time = numberAfter(text, label);
  if (periods === undefined || time === undefined) return null;
  return { periods, seconds: rounded(time / perSecond, 3) };
}

/** The number in a file's text; null for `max`, other words and files that are not there. */
function finite(text: string | null | undefined): number | null {
  const trimmed = text?.trim() ?? '';
  return /^-?\d+$/.test(trimmed) ? Number(trimmed) : null;
}
