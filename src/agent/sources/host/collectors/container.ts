import { forkJoin, map, type Observable, of, switchMap } from 'rxjs';
import { type CollectorFactory, type HostAccess, type Reading, rounded } from '../collector.ts';

/** What a control group uses and may use; null where it sets no limit. */
type Usage = {
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number | null;
  readonly cpuMs: number | null;
  /** In whole CPUs. */
  readonly cpuLimit: number | null;
};

/** Version 1 writes "no limit" as a number near 2^63. */
const NO_LIMIT_V1 = 2 ** 60;

/** Use and limits of our own control group, in containers and wherever one is limited. */
export const container: CollectorFactory = (host) => {
  let before: { readonly cpuMs: number; readonly at: number } | null = null;
  const cpuUsage = (cpuMs: number | null): number | null => {
    const last = before;
    const at = host.precise();
    before = cpuMs === null ? null : { cpuMs, at };
    if (cpuMs === null || last === null || at <= last.at) return null;
    return rounded(Math.max(0, cpuMs - last.cpuMs) / (at - last.at), 4);
  };
  return {
    name: 'container',
    collect: () =>
      findUsage(host).pipe(
        map((usage) => {
          if (usage === null) return [];
          const { series } = host;
          const readings: Reading[] = [
            { series: series('container.memory.usage', 'By'), value: usage.memoryBytes },
          ];
          const optional = (name: string, unit: string, value: number | null) => {
            if (value !== null) readings.push({ series: series(name, unit), value });
          };
          optional('container.memory.limit', 'By', usage.memoryLimitBytes);
          if (usage.cpuMs !== null) {
            readings.push({ series: series('container.cpu.usage', '{cpu}'), value: cpuUsage(usage.cpuMs) });
          }
          optional('container.cpu.limit', '{cpu}', usage.cpuLimit);
          return readings;
        }),
      ),
  };
};

function findUsage(host: HostAccess): Observable<Usage | null> {
  return host.files.readOptional('/proc/self/cgroup').pipe(
    switchMap((text) => {
      const unified = /^0::(.*)$/m.exec(text ?? '')?.[1];
      const memory = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(text ?? '')?.[1];
      if (memory !== undefined) return usageV1(host, memory);
      return unified === undefined ? of(null) : usageV2(host, unified);
    }),
  );
}

function usageV2({ files }: HostAccess, path: string): Observable<Usage | null> {
  const base = `/sys/fs/cgroup${path === '/' ? '' : path}`;
  return forkJoin(
    ['memory.current', 'memory.max', 'cpu.stat', 'cpu.max'].map((name) =>
      files.readOptional(`${base}/${name}`),
    ),
  ).pipe(
    map(([current, max, stat, cpuMax]) => {
      if (current == null) return null;
      const [quota = 'max', period = '100000'] = (cpuMax ?? '').trim().split(' ');
      const limited = finite(max);
      const cpuLimit = /^\d+$/.test(quota) ? Number(quota) / Number(period) : null;
      // A namespace of its own shows as `/`; elsewhere, as in a unit of systemd, only limits are worth telling.
      if (path !== '/' && limited === null && cpuLimit === null) return null;
      const microseconds = /^usage_usec (\d+)$/m.exec(stat ?? '')?.[1];
      return {
        memoryBytes: Number(current),
        memoryLimitBytes: limited,
        cpuMs: microseconds === undefined ? null : Number(microseconds) / 1000,
        cpuLimit,
      };
    }),
  );
}

function usageV1({ files }: HostAccess, path: string): Observable<Usage | null> {
  const read = (controller: string, name: string) =>
    files.readOptional(`/sys/fs/cgroup/${controller}${path}/${name}`).pipe(
      // Inside a container the controller's root is the container's own group.
      switchMap((text) =>
        text !== null ? of(text) : files.readOptional(`/sys/fs/cgroup/${controller}/${name}`),
      ),
    );
  return forkJoin([
    read('memory', 'memory.usage_in_bytes'),
    read('memory', 'memory.limit_in_bytes'),
    read('cpuacct', 'cpuacct.usage'),
    read('cpu', 'cpu.cfs_quota_us'),
    read('cpu', 'cpu.cfs_period_us'),
  ]).pipe(
    map(([current, max, nanoseconds, quota, period]) => {
      const limit = finite(max);
      const memoryLimitBytes = limit !== null && limit < NO_LIMIT_V1 ? limit : null;
      const quotaUs = finite(quota);
      const cpuLimit = quotaUs !== null && quotaUs > 0 ? quotaUs / (finite(period) ?? 100_000) : null;
      if (current === null || (memoryLimitBytes === null && cpuLimit === null)) return null;
      const spent = finite(nanoseconds);
      return {
        memoryBytes: Number(current),
        memoryLimitBytes,
        cpuMs: spent === null ? null : spent / 1e6,
        cpuLimit,
      };
    }),
  );
}

/** The number in a file's text; null for `max`, other words and files that are not there. */
function finite(text: string | null | undefined): number | null {
  const trimmed = text?.trim() ?? '';
  return /^-?\d+$/.test(trimmed) ? Number(trimmed) : null;
}
