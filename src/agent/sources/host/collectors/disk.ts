import { type CollectorFactory, MAX_DEVICES, type Reading, rounded } from '../collector.ts';

/** Devices that are files, memory, removable, or made of other devices, whose traffic would count twice. */
const NOT_A_DISK = /^(loop|ram|zram|fd|sr|dm-|md)\d*/;
/** Unit of /proc/diskstats, whatever the device's own sectors are. */
const SECTOR_BYTES = 512;

/** Traffic of whole disks since boot; disks that were never used are left out. */
export const disk: CollectorFactory = ({ files, series }) => ({
  name: 'disk',
  paths: ['/proc/diskstats'],
  collect: () => {
    const text = files.read('/proc/diskstats');
    const whole = new Set(files.list('/sys/block').map((name) => name.replaceAll('!', '/')));
    const readings: Reading[] = [];
    let devices = 0;
    for (const line of text.split('\n')) {
      const fields = line.trim().split(/\s+/);
      const device = fields[2];
      if (device === undefined || NOT_A_DISK.test(device) || (whole.size > 0 && !whole.has(device))) continue;
      const number = (index: number) => Number(fields[index] ?? 0);
      if (number(3) + number(7) === 0 || devices === MAX_DEVICES) continue;
      devices += 1;
      const one = (metric: string, unit: string, direction: string, value: number) =>
        readings.push({ series: series(`system.disk.${metric}`, unit, { device, direction }), value });
      one('io', 'By', 'read', number(5) * SECTOR_BYTES);
      one('io', 'By', 'write', number(9) * SECTOR_BYTES);
      one('operations', '{operation}', 'read', number(3));
      one('operations', '{operation}', 'write', number(7));
      readings.push({
        series: series('system.disk.io_time', 's', { device }),
        value: rounded(number(12) / 1000, 3),
      });
    }
    return readings;
  },
});
