import { catchError, forkJoin, map, type Observable, of } from 'rxjs';
import { type CollectorFactory, MAX_DEVICES, type Reading, ratio } from '../collector.ts';

/** File systems on local storage. Network ones are left alone: asking one whose server is gone hangs. */
const LOCAL_TYPES = new Set(
  'ext2 ext3 ext4 xfs btrfs zfs f2fs jfs bcachefs vfat exfat ntfs ntfs3 fuseblk overlay ubifs'.split(' '),
);
/** Files that container engines mount one by one from the host's disk. */
const ENGINE_MOUNTS = /^\/etc\/(hosts|hostname|resolv\.conf)$/;

type Mount = { readonly device: string; readonly mountpoint: string };

/** Space by mount point: each device once, under its shortest mount point. */
export const filesystem: CollectorFactory = ({ files, series }) => {
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
  let known: { readonly text: string; readonly mounts: readonly Mount[] } | null = null;
  const mountsIn = (text: string): readonly Mount[] => {
    if (known?.text !== text) known = { text, mounts: localMounts(text) };
    return known.mounts;
  };
  return {
    name: 'filesystem',
    paths: ['/proc/mounts'],
    collect: () => {
      const mounts = mountsIn(files.read('/proc/mounts'));
      return mounts.length === 0 ? [] : forkJoin(mounts.map(readings)).pipe(map((all) => all.flat()));
    },
  };
};

function localMounts(text: string): readonly Mount[] {
  const shortest = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [device = '', path = '', type = ''] = line.split(' ');
    const mountpoint = path.replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    if (!LOCAL_TYPES.has(type) || ENGINE_MOUNTS.test(mountpoint) || mountpoint.length > 256) continue;
    const key = type === 'overlay' ? `overlay ${mountpoint}` : device;
    const known = shortest.get(key);
    if (known === undefined || mountpoint.length < known.length) shortest.set(key, mountpoint);
  }
  // Engines on a host keep one overlay for each container; only our own root is of interest.
  return [...shortest]
    .map(([device, mountpoint]) => ({ device, mountpoint }))
    .filter(({ device, mountpoint }) => !device.startsWith('overlay ') || mountpoint === '/')
    .sort((a, b) => (a.mountpoint < b.mountpoint ? -1 : 1))
    .slice(0, MAX_DEVICES);
}
