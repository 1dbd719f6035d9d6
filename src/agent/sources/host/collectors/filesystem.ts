import { catchError, forkJoin, map, type Observable, of, switchMap, tap } from 'rxjs';
import { bounded, type CollectorFactory, type HostAccess, type Reading, ratio } from '../collector.ts';

/**
 * File systems on local storage; further ones are those whose device is one of /sys. Network ones are left alone:
 * asking one whose server is gone hangs.
 */
const LOCAL_TYPES = typesOf(
  'ext2 ext3 ext4 xfs btrfs zfs f2fs jfs bcachefs vfat exfat ntfs ntfs3 fuseblk overlay ubifs',
);
/** Media that are always full, and disks that several machines share. */
const LEFT_OUT_TYPES = typesOf('squashfs iso9660 udf erofs cramfs romfs gfs2 ocfs2');
/** Files that container engines mount one by one from the host's disk. */
const ENGINE_MOUNTS = /^\/etc\/(hosts|hostname|resolv\.conf)$/;
/** What container engines hide with an empty file system in memory. */
const MASKED = /^\/(proc|sys)\//;
/** Of a mount point that is the attribute of a series. */
const MAX_NAME_CHARS = 256;
/** Each subvolume has a device number of its own, which no list of mounts tells; statfs(2) tells the type. */
const BTRFS_TYPE = 0x9123683e;

const MOUNT_INFO = '/proc/self/mountinfo';

type Mount = {
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  /** Number of the device; null where the list of mounts does not say. */
  readonly number: { readonly major: number; readonly minor: number } | null;
};

function typesOf(names: string): ReadonlySet<string> {
  return new Set(names.split(' '));
}

/** Space by mount point: each device once, under its shortest mount point. */
export const filesystem: CollectorFactory = (host) => {
  const { files, series } = host;
  const readings = ({ mountpoint }: Mount): Observable<readonly Reading[]> => {
    const used = series('system.filesystem.usage', 'By', { mountpoint, state: 'used' });
    const free = series('system.filesystem.usage', 'By', { mountpoint, state: 'free' });
    const utilization = series('system.filesystem.utilization', '1', { mountpoint });
    return files.statfs(mountpoint).pipe(
      map(({ bsize, blocks, bfree, bavail }) => {
        const usedBytes = (blocks - bfree) * bsize;
        const freeBytes = bavail * bsize;
        return [
          { series: utilization, value: ratio(usedBytes, usedBytes + freeBytes) },
          { series: used, value: usedBytes },
          { series: free, value: freeBytes },
        ];
      }),
      // Unmounted meanwhile, or not ours to see: without values, not without the other mounts.
      catchError(() => of([utilization, used, free].map((one) => ({ series: one, value: null })))),
    );
  };
  const readAll = (mounts: readonly Mount[]) =>
    mounts.length === 0 ? of([]) : forkJoin(mounts.map(readings)).pipe(map((all) => all.flat()));

  // It says also on which device each mount lies.
  const isDetailed = files.isForeign || files.has(MOUNT_INFO);
  const list = isDetailed ? MOUNT_INFO : '/proc/mounts';
  let known: { readonly text: string; readonly mounts: readonly Mount[] } | null = null;
  return {
    name: 'filesystem',
    paths: [list],
    collect: () => {
      const text = files.read(list);
      if (known?.text === text) return known.mounts.length === 0 ? [] : readAll(known.mounts);
      const found = localMounts(host, isDetailed ? mountInfo(text) : mountTable(text));
      return visible(host, found).pipe(
        map((mounts) => bounded(host, 'filesystem', mounts)),
        tap((mounts) => {
          known = { text, mounts };
        }),
        switchMap(readAll),
      );
    },
  };
};

/** By device: its mounts, the shortest mount point first. */
function localMounts(host: HostAccess, mounts: readonly Mount[]): readonly (readonly Mount[])[] {
  const byDevice = new Map<string, Mount[]>();
  let unnamed = 0;
  for (const mount of mounts) {
    const { device, mountpoint, type } = mount;
    if (!isLocal(host, mount) || ENGINE_MOUNTS.test(mountpoint)) continue;
    // Engines on a host keep one overlay for each container; only our own root is of interest.
    if (type === 'overlay' && mountpoint !== '/') continue;
    if (mountpoint.length > MAX_NAME_CHARS) {
      unnamed += 1;
      continue;
    }
    const key = type === 'overlay' || type === 'tmpfs' ? `${type} ${mountpoint}` : device;
    byDevice.set(key, [...(byDevice.get(key) ?? []), mount]);
  }
  const text = `${unnamed} have names of more than ${MAX_NAME_CHARS} characters and are not measured`;
  host.remark('filesystem', 'names', unnamed === 0 ? null : text);
  return [...byDevice.values()].map((all) =>
    all.sort((one, other) => one.mountpoint.length - other.mountpoint.length),
  );
}

function isLocal({ files, wanted }: HostAccess, { type, mountpoint, number }: Mount): boolean {
  if (type === 'tmpfs') return wanted.tmpfs && !MASKED.test(mountpoint);
  if (LOCAL_TYPES.has(type)) return true;
  if (LEFT_OUT_TYPES.has(type) || number === null || number.major === 0) return false;
  return files.has(`/sys/dev/block/${number.major}:${number.minor}`);
}

/** Lines of /proc/mounts: device, mount point, type, … */
function mountTable(text: string): readonly Mount[] {
  return text.split('\n').map((line) => {
    const [device = '', path = '', type = ''] = line.split(' ');
    return { device: unescaped(device), mountpoint: unescaped(path), type, number: null };
  });
}

/** Lines of /proc/PID/mountinfo: id, parent, major:minor, root, mount point, options, … `-` type, device, … */
function mountInfo(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ', 2);
    const [, , number = '', , path = ''] = before.split(' ');
    const [type = '', device = ''] = after.split(' ');
    const [major = 0, minor = 0] = number.split(':').map(Number);
    return after === ''
      ? []
      : [
          {
            device: unescaped(device),
            mountpoint: unescaped(path),
            type,
            number: { major, minor },
          },
        ];
  });
}

/** As makedev(3) puts it together, for numbers that a double holds. */
function deviceNumber({ major, minor }: NonNullable<Mount['number']>): number {
  const low = (minor & 0xff) + (major & 0xfff) * 0x100 + (minor & ~0xff) * 0x1000;
  return low + Math.floor(major / 0x1000) * 2 ** 44;
}

function unescaped(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/**
 * The first mount of each device that can be asked: below another root, a mount of the host that was not passed on into
 * the container shows the file system around it; and any may lie behind a later one.
 */
function visible(host: HostAccess, devices: readonly (readonly Mount[])[]): Observable<readonly Mount[]> {
  if (devices.length === 0) return of([]);
  return forkJoin(devices.map((mounts) => firstVisible(host, mounts))).pipe(
    map((found) => {
      const hidden = devices.flatMap(([first], index) =>
        first === undefined || found[index] !== null ? [] : [first.mountpoint],
      );
      const what = `${hidden.length} cannot be seen below ${host.files.locate('/')}: ${hidden.slice(0, 5).join(' ')}`;
      host.remark('filesystem', 'hidden', hidden.length === 0 ? null : what);
      return found
        .filter((mount) => mount !== null)
        .sort((one, other) => (one.mountpoint < other.mountpoint ? -1 : 1));
    }),
  );
}

function firstVisible(host: HostAccess, mounts: readonly Mount[]): Observable<Mount | null> {
  const [first, ...others] = mounts;
  if (first === undefined) return of(null);
  return isVisible(host, first).pipe(
    switchMap((isSeen) => (isSeen ? of(first) : firstVisible(host, others))),
  );
}

function isVisible({ files }: HostAccess, { mountpoint, number, type }: Mount): Observable<boolean> {
  if (number === null || type === 'bcachefs') return of(true);
  const seen$ =
    type === 'btrfs'
      ? files.statfs(mountpoint).pipe(map((found) => found.type >>> 0 === BTRFS_TYPE))
      : files.device(mountpoint).pipe(map((found) => found === deviceNumber(number)));
  // On the own machine: not ours to see, perhaps. Its series then have no values.
  return seen$.pipe(catchError(() => of(!files.isForeign)));
}
