import { catchError, forkJoin, map, type Observable, of, switchMap, tap } from 'rxjs';
import { bounded, type CollectorFactory, type HostAccess, type Reading, ratio } from '../collector.ts';

/** File systems on local storage. Network ones are left alone: asking one whose server is gone hangs. */
const LOCAL_TYPES = new Set(
  'ext2 ext3 ext4 xfs btrfs zfs f2fs jfs bcachefs vfat exfat ntfs ntfs3 fuseblk overlay ubifs'.split(' '),
);
/** Files that container engines mount one by one from the host's disk. */
const ENGINE_MOUNTS = /^\/etc\/(hosts|hostname|resolv\.conf)$/;
/** Each subvolume has a device number of its own, which no list of mounts tells; statfs(2) tells the type. */
const BTRFS_TYPE = 0x9123683e;

type Mount = {
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  /** Number of the device; null where the list of mounts does not say. */
  readonly number: number | null;
};

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

  // Another machine's own list says also on which device each mount lies.
  const list = files.isForeign ? '/proc/self/mountinfo' : '/proc/mounts';
  let known: { readonly text: string; readonly mounts: readonly Mount[] } | null = null;
  return {
    name: 'filesystem',
    paths: [list],
    collect: () => {
      const text = files.read(list);
      if (known?.text === text) return known.mounts.length === 0 ? [] : readAll(known.mounts);
      const found = localMounts(files.isForeign ? mountInfo(text) : mountTable(text), host.wanted.tmpfs);
      return visible(host, bounded(host, 'filesystem', found)).pipe(
        tap((mounts) => {
          known = { text, mounts };
        }),
        switchMap(readAll),
      );
    },
  };
};

function localMounts(mounts: readonly Mount[], tmpfs: boolean): readonly Mount[] {
  const shortest = new Map<string, Mount>();
  for (const mount of mounts) {
    const { device, mountpoint, type } = mount;
    const isWanted = LOCAL_TYPES.has(type) || (tmpfs && type === 'tmpfs');
    if (!isWanted || ENGINE_MOUNTS.test(mountpoint) || mountpoint.length > 256) continue;
    // Engines on a host keep one overlay for each container; only our own root is of interest.
    if (type === 'overlay' && mountpoint !== '/') continue;
    const key = type === 'overlay' || type === 'tmpfs' ? `${type} ${mountpoint}` : device;
    const known = shortest.get(key);
    if (known === undefined || mountpoint.length < known.mountpoint.length) shortest.set(key, mount);
  }
  return [...shortest.values()].sort((a, b) => (a.mountpoint < b.mountpoint ? -1 : 1));
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
            number: deviceNumber(major, minor),
          },
        ];
  });
}

/** As makedev(3) puts it together, for numbers that a double holds. */
function deviceNumber(major: number, minor: number): number {
  const low = (minor & 0xff) + (major & 0xfff) * 0x100 + (minor & ~0xff) * 0x1000;
  return low + Math.floor(major / 0x1000) * 2 ** 44;
}

function unescaped(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/**
 * Those that can be asked below the root: where a mount of the host was not passed on into the container, its mount
 * point shows the file system around it.
 */
function visible(host: HostAccess, mounts: readonly Mount[]): Observable<readonly Mount[]> {
  if (!host.files.isForeign || mounts.length === 0) return of(mounts);
  return forkJoin(mounts.map((mount) => isVisible(host, mount))).pipe(
    map((isSeen) => {
      const hidden = mounts.filter((_, index) => !isSeen[index]).map(({ mountpoint }) => mountpoint);
      const what = hidden.slice(0, 5).join(' ');
      host.remark(
        'filesystem',
        'hidden',
        hidden.length === 0
          ? null
          : `${hidden.length} cannot be seen below ${host.files.locate('/')}: ${what}`,
      );
      return mounts.filter((_, index) => isSeen[index]);
    }),
  );
}

function isVisible({ files }: HostAccess, { mountpoint, number, type }: Mount): Observable<boolean> {
  const seen$ =
    type === 'btrfs'
      ? files.statfs(mountpoint).pipe(map((found) => found.type >>> 0 === BTRFS_TYPE))
      : files.device(mountpoint).pipe(map((found) => found === number));
  return seen$.pipe(catchError(() => of(false)));
}
