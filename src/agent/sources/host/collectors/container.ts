import { type CollectorFactory, type HostAccess, type Reading, rounded } from '../collector.ts';
import { type ControlGroup, createGroupFinder } from '../control-group.ts';
import type { HostFiles } from '../files.ts';
import { createPressureReader } from '../pressure-reader.ts';
import { numberAfter } from '../text.ts';

/** What a control group may use; null where it sets no limit. */
type GroupLimits = {
  readonly memoryBytes: number | null;
  /** From here on the kernel slows it down to free memory. */
  readonly memoryThrottleBytes: number | null;
  /** In whole CPUs. */
  readonly cpus: number | null;
};

/** What a control group uses; null where the kernel does not say. */
type GroupUsage = {
  /** Files that the kernel keeps in memory for it included. */
  readonly memoryBytes: number;
  /** Of those, files that nobody has used of late: given back before anything is refused. */
  readonly inactiveFileBytes: number | null;
  readonly memoryThrottled: number | null;
  readonly oomKills: number | null;
  readonly cpuMs: number | null;
  readonly periods: Periods | null;
};

/** Of the limit of processor time: all of them, those in which it stopped the group, and for how long in all. */
type Periods = { readonly all: number; readonly throttled: number; readonly seconds: number };

/** Version 1 writes "no limit" as a number near 2^63. */
const NO_LIMIT_V1 = 2 ** 60;
/** Limits change seldom. */
const LIMITS_KEPT_MS = 10_000;

/**
 * Use and limits of our own control group, in containers and wherever one is limited; `system.…` is of the machine.
 * Below another root: of its process 1, which normally has no limits.
 */
export const container: CollectorFactory = (host) => {
  const { files, wanted } = host;
  const findGroup = createGroupFinder(files);
  const pressure = createPressureReader(host, 'container.pressure');
  const cpuUsage = createCpuUsage(host);
  let known: { readonly group: ControlGroup; readonly limits: GroupLimits; readonly at: number } | null =
    null;
  const limitsOf = (group: ControlGroup): GroupLimits => {
    const at = host.precise();
    if (known === null || known.group !== group || at - known.at >= LIMITS_KEPT_MS) {
      const limits = group.version === 2 ? limitsV2(files, group) : limitsV1(files, group);
      known = { group, limits, at };
    }
    return known.limits;
  };
  return {
    name: 'container',
    paths: ['/proc/self/cgroup'],
    collect: () => {
      const group = findGroup();
      if (group === null) return [];
      const limits = limitsOf(group);
      // Elsewhere, as in a unit of systemd, only limits are worth reporting.
      if (!group.isContainer && limits.memoryBytes === null && limits.cpus === null) return [];
      const usage = group.version === 2 ? usageV2(files, group) : usageV1(files, group);
      if (usage === null) return [];
      const readings = readingsOf(host, { limits, usage, cpuShare: cpuUsage(usage.cpuMs) });
      if (!wanted.pressure || group.version === 1) return readings;
      return [...readings, ...pressure((resource) => `${group.place}/${resource}.pressure`)];
    },
  };
};

function readingsOf(
  host: HostAccess,
  {
    limits,
    usage,
    cpuShare,
  }: { readonly limits: GroupLimits; readonly usage: GroupUsage; readonly cpuShare: number | null },
): Reading[] {
  const found: Reading[] = [];
  const add = (name: string, unit: string, value: number | null) =>
    void found.push({ series: host.series(`container.${name}`, unit), value });
  const { memoryBytes, inactiveFileBytes, memoryThrottled, oomKills, cpuMs, periods } = usage;
  add('memory.usage', 'By', memoryBytes);
  if (inactiveFileBytes !== null)
    add('memory.working_set', 'By', Math.max(0, memoryBytes - inactiveFileBytes));
  if (limits.memoryBytes !== null) add('memory.limit', 'By', limits.memoryBytes);
  if (limits.memoryThrottleBytes !== null) {
    add('memory.throttle_limit', 'By', limits.memoryThrottleBytes);
    if (memoryThrottled !== null) add('memory.throttled', '{event}', memoryThrottled);
  }
  if (oomKills !== null) add('memory.oom_kills', '{kill}', oomKills);
  if (cpuMs !== null) add('cpu.usage', '{cpu}', cpuShare);
  if (limits.cpus === null) return found;
  add('cpu.limit', '{cpu}', limits.cpus);
  if (periods === null) return found;
  add('cpu.periods', '{period}', periods.all);
  add('cpu.throttled.periods', '{period}', periods.throttled);
  add('cpu.throttled.time', 's', periods.seconds);
  return found;
}

/** CPUs that were used since the call before. */
function createCpuUsage({ precise }: HostAccess): (cpuMs: number | null) => number | null {
  let before: { readonly cpuMs: number; readonly at: number } | null = null;
  return (cpuMs) => {
    const last = before;
    const at = precise();
    before = cpuMs === null ? null : { cpuMs, at };
    if (cpuMs === null || last === null || at <= last.at) return null;
    return rounded(Math.max(0, cpuMs - last.cpuMs) / (at - last.at), 4);
  };
}

type GroupV1 = ControlGroup & { readonly version: 1 };
type GroupV2 = ControlGroup & { readonly version: 2 };

function limitsV2(files: HostFiles, { place }: GroupV2): GroupLimits {
  const [quota = 'max', period = '100000'] = (files.readOptional(`${place}/cpu.max`) ?? '').trim().split(' ');
  return {
    memoryBytes: finite(files.readOptional(`${place}/memory.max`)),
    memoryThrottleBytes: finite(files.readOptional(`${place}/memory.high`)),
    cpus: /^\d+$/.test(quota) ? Number(quota) / Number(period) : null,
  };
}

/** Null at the root of the machine, which has no such files. */
function usageV2(files: HostFiles, { place }: GroupV2): GroupUsage | null {
  const current = files.readOptional(`${place}/memory.current`);
  if (current === null) return null;
  const events = files.readOptional(`${place}/memory.events`) ?? '';
  const cpu = files.readOptional(`${place}/cpu.stat`) ?? '';
  const microseconds = numberAfter(cpu, 'usage_usec ');
  return {
    memoryBytes: Number(current),
    inactiveFileBytes:
      numberAfter(files.readOptional(`${place}/memory.stat`) ?? '', 'inactive_file ') ?? null,
    memoryThrottled: numberAfter(events, 'high ') ?? null,
    oomKills: numberAfter(events, 'oom_kill ') ?? null,
    cpuMs: microseconds === undefined ? null : microseconds / 1000,
    periods: periodsIn(cpu, 'throttled_usec ', 1e6),
  };
}

function limitsV1(files: HostFiles, { memory, cpu }: GroupV1): GroupLimits {
  const limit = finite(files.readOptional(`${memory}/memory.limit_in_bytes`));
  const quotaUs = cpu === null ? null : finite(files.readOptional(`${cpu}/cpu.cfs_quota_us`));
  const periodUs = cpu === null ? null : finite(files.readOptional(`${cpu}/cpu.cfs_period_us`));
  return {
    memoryBytes: limit !== null && limit < NO_LIMIT_V1 ? limit : null,
    memoryThrottleBytes: null,
    cpus: quotaUs !== null && quotaUs > 0 ? quotaUs / (periodUs ?? 100_000) : null,
  };
}

function usageV1(files: HostFiles, { memory, cpu, cpuacct }: GroupV1): GroupUsage | null {
  const current = files.readOptional(`${memory}/memory.usage_in_bytes`);
  if (current === null) return null;
  const nanoseconds = cpuacct === null ? null : finite(files.readOptional(`${cpuacct}/cpuacct.usage`));
  const stat = files.readOptional(`${memory}/memory.stat`) ?? '';
  const periods = cpu === null ? '' : (files.readOptional(`${cpu}/cpu.stat`) ?? '');
  return {
    memoryBytes: Number(current),
    inactiveFileBytes: numberAfter(stat, 'total_inactive_file ') ?? null,
    memoryThrottled: null,
    oomKills: numberAfter(files.readOptional(`${memory}/memory.oom_control`) ?? '', 'oom_kill ') ?? null,
    cpuMs: nanoseconds === null ? null : nanoseconds / 1e6,
    periods: periodsIn(periods, 'throttled_time ', 1e9),
  };
}

/** `perSecond`: units of the time behind `label` in a second. */
function periodsIn(text: string, label: string, perSecond: number): Periods | null {
  const all = numberAfter(text, 'nr_periods ');
  const throttled = numberAfter(text, 'nr_throttled ');
  const time = numberAfter(text, label);
  if (all === undefined || throttled === undefined || time === undefined) return null;
  return { all, throttled, seconds: rounded(time / perSecond, 3) };
}

/** The number in a file's text; null for `max`, other words and files that are not there. */
function finite(text: string | null | undefined): number | null {
  const trimmed = text?.trim() ?? '';
  return /^-?\d+$/.test(trimmed) ? Number(trimmed) : null;
}
