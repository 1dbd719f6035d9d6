import { bounded, type CollectorFactory, type HostAccess, type Reading, rounded } from '../collector.ts';

/** Drives whose medium can be taken out. */
const REMOVABLE = /^(fd|sr)\d+$/;
/** Files, memory, and devices made of others, where /sys knows no hardware behind them. */
const MADE_OF_OTHERS = /^(loop|ram|zram|dm-|md_?d?|zd)\d+$/;
/** Unit of /proc/diskstats, whatever the device's own sectors are. */
const SECTOR_BYTES = 512;

type Disk = { readonly device: string; readonly numbers: readonly number[] };

/** Traffic of whole disks since boot; disks that were never used are left out. */
export const disk: CollectorFactory = (host) => {
  const { files, series, remark } = host;
  const readingsOf = ({ device, numbers }: Disk): readonly Reading[] => {
    const number = (index: number) => numbers[index] ?? 0;
    const one = (metric: string, unit: string, direction: string, value: number) => ({
      series: series(`system.disk.${metric}`, unit, { device, direction }),
      value,
    });
    return [
      one('io', 'By', 'read', number(2) * SECTOR_BYTES),
      one('io', 'By', 'write', number(6) * SECTOR_BYTES),
      one('operations', '{operation}', 'read', number(0)),
      one('operations', '{operation}', 'write', number(4)),
      { series: series('system.disk.io_time', 's', { device }), value: rounded(number(9) / 1000, 3) },
    ];
  };
  /** /sys is asked about a device once, and again when it has come back. */
  let disks = new Map<string, boolean>();
  return {
    name: 'disk',
    paths: ['/proc/diskstats'],
    collect: () => {
      const whole = new Set(files.list('/sys/block').map((name) => name.replaceAll('!', '/')));
      const blind = `${files.locate('/sys/block')} is not there: partitions count as disks, their traffic twice`;
      remark('disk', 'blind', whole.size === 0 ? blind : null);
      const found: Disk[] = [];
      const before = disks;
      disks = new Map();
      for (const line of files.read('/proc/diskstats').split('\n')) {
        const [, , device, ...columns] = line.trim().split(/\s+/);
        if (device === undefined || (whole.size > 0 && !whole.has(device))) continue;
        const isDisk = before.get(device) ?? isDiskOf(host, device);
        disks.set(device, isDisk);
        const numbers = columns.map(Number);
        if (isDisk && (numbers[0] ?? 0) + (numbers[4] ?? 0) > 0) found.push({ device, numbers });
      }
      return bounded(host, 'disk', found).flatMap(readingsOf);
    },
  };
};

/** Traffic of a device that is made of others would count twice. */
function isDiskOf({ files }: HostAccess, device: string): boolean {
  const place = `/sys/block/${device.replaceAll('/', '!')}`;
  if (REMOVABLE.test(device) || files.list(`${place}/slaves`).length > 0) return false;
  return files.has(`${place}/device`) || !MADE_OF_OTHERS.test(device);
}
