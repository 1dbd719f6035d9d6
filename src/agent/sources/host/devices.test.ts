/** Which disks, interfaces, mounts and sensors of a machine are measured. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { machine, observe, valuesOf } from './testing/machine.ts';

const NET_DEV = 'Inter-| Receive | Transmit\n face |bytes packets errs\n';
const busy = (device: string) => `${device}: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n`;
const netDev = (devices: readonly string[]) => ({
  'proc/net/dev': `${NET_DEV}${devices.map(busy).join('')}`,
});
const DISK = (device: string) => ` 8 0 ${device} 10 0 100 5 20 0 200 5 0 1500 0\n`;

/** Values of one attribute in the order of their series. */
function named(keys: readonly string[], metric: string, attribute: string): string[] {
  const pattern = new RegExp(`^${metric}\\{(?:.*,)?${attribute}=([^,}]*)`);
  return [...new Set(keys.flatMap((key) => pattern.exec(key)?.[1] ?? []))];
}
async function keysOf(rig: ReturnType<typeof machine>): Promise<string[]> {
  return Object.keys(valuesOf(await firstValueFrom(rig.samples$)));
}

describe('interfaces', () => {
  it('of routers, firewalls and tunnels are measured, whatever their names begin with', async () => {
    const devices = ['br-lan', 'green0', 'red0', 'site0', 'wan', 'califax', 'vnetwork', 'dummyload', 'gre1'];
    const keys = await keysOf(machine(netDev([...devices, 'lo'])));
    expect(named(keys, 'system.network.io', 'device')).toEqual(devices);
  });

  it('that engines make and drop are left out', async () => {
    const made = [
      ...[
        'veth12ab34c',
        'docker0',
        'docker_gwbridge',
        'br-0123456789ab',
        'virbr0',
        'vnet3',
        'cni0',
        'flannel.1',
      ],
      ...['cali0123456789a', 'tunl0', 'sit0', 'ifb1', 'dummy0', 'ip6tnl0', 'cilium_host'],
    ];
    const keys = await keysOf(machine(netDev(['eth0', ...made])));
    expect(named(keys, 'system.network.io', 'device')).toEqual(['eth0']);
  });

  it('that hypervisors make are left out, and ends of pairs that /sys shows to be some', async () => {
    const made = [
      'tap100i0',
      'fwbr100i0',
      'fwln100i0',
      'fwpr100p0',
      'veth101i0',
      'veth1001_abXY',
      'incusbr0',
    ];
    const net = (device: string, index: string, link: string) => ({
      [`sys/class/net/${device}/ifindex`]: `${index}\n`,
      [`sys/class/net/${device}/iflink`]: `${link}\n`,
    });
    const rig = machine({
      ...netDev([...made, 'vethKXQ3JF', 'vethXYZABC', 'vethVLAN10', 'tap0', 'fwbridge']),
      ...net('vethKXQ3JF', '7', '2'),
      ...net('vethXYZABC', '8', '8'),
      ...net('vethVLAN10', '9', '3'),
      'sys/class/net/vethVLAN10/lower_eth0/x': '',
    });
    const kept = ['vethXYZABC', 'vethVLAN10', 'tap0', 'fwbridge'];
    expect(named(await keysOf(rig), 'system.network.io', 'device')).toEqual(kept);
  });

  it('are judged by what /sys says of them: hardware is measured, loop-back is not', async () => {
    const rig = machine({
      ...netDev(['veth0', 'lo', 'loop-back']),
      'sys/class/net/veth0/device/vendor': '0x8086\n',
      'sys/class/net/lo/type': '772\n',
      'sys/class/net/loop-back/type': '772\n',
    });
    expect(named(await keysOf(rig), 'system.network.io', 'device')).toEqual(['veth0']);
  });
});

describe('disks', () => {
  it('that are made of others are left out by what /sys says, not by their names', async () => {
    const rig = machine({
      'proc/diskstats': ['sda', 'sda1', 'dm-0', 'loop0', 'mdx', 'cached0', 'sr0', 'zd0', 'pmem0']
        .map(DISK)
        .join(''),
      'sys/block/dm-0/slaves/sda1/size': '1',
      'sys/block/cached0/slaves/sda/size': '1',
      'sys/block/loop0/size': '1',
      'sys/block/mdx/size': '1',
      'sys/block/sr0/device/type': '5',
      'sys/block/zd0/size': '1',
      'sys/block/pmem0/device/x': '1',
    });
    expect(named(await keysOf(rig), 'system.disk.io', 'device')).toEqual(['sda', 'mdx', 'pmem0']);
  });
});

describe('disks of a machine without /sys', () => {
  it('are measured with their partitions, and a word says so', async () => {
    const rig = machine({ 'sys/block': null, 'proc/diskstats': ['sda', 'sda1'].map(DISK).join('') });
    expect(named(await keysOf(rig), 'system.disk.io', 'device')).toEqual(['sda', 'sda1']);
    expect(rig.events).toEqual([expect.objectContaining({ type: 'collector_limited', collector: 'disk' })]);
  });
});

describe('NVMe drives', () => {
  it('are disks, those of several ways too, and their temperatures are those of the kernel', async () => {
    const rig = machine({
      'proc/diskstats': ['nvme0n1', 'nvme0n1p1', 'nvme1n1'].map(DISK).join(''),
      'sys/block/nvme0n1/device/model': 'x',
      'sys/block/nvme1n1/size': '1',
      'sys/class/hwmon/hwmon0/name': 'nvme\n',
      'sys/class/hwmon/hwmon0/temp1_label': 'Composite\n',
    });
    const keys = await keysOf(rig);
    expect(named(keys, 'system.disk.io', 'device')).toEqual(['nvme0n1', 'nvme1n1']);
    expect(keys).toContain('hw.temperature{id=nvme/Composite}');
  });
});

describe('a machine with many devices', () => {
  const many = Array.from({ length: 70 }, (_, index) => `eth${index}`);

  it('is measured whole up to the bound', async () => {
    const keys = await keysOf(machine(netDev(many.slice(0, 64))));
    expect(named(keys, 'system.network.io', 'device')).toHaveLength(64);
  });

  it('beyond it says so once, in the log and in a diagnostic, and again when that has passed', async () => {
    const { samples$, events, change } = machine(netDev(many));
    const notes: string[] = [];
    const seen = await observe(samples$, 5, (index, sample) => {
      notes.push(sample.diagnostics?.map(({ detail }) => detail).join() ?? '');
      if (index === 1) change(netDev(many.slice(0, 3)));
      if (index === 3) change(netDev(many));
    });
    expect(seen.map((values) => named(Object.keys(values), 'system.network.io', 'device').length)).toEqual([
      64, 64, 3, 3, 64,
    ]);
    const detail = 'collector network: 70 were found and 64 are measured; raise maxDevices';
    expect(notes).toEqual([detail, '', '', '', detail]);
    expect(events.map(({ type }) => type)).toEqual([
      'collector_limited',
      'collector_complete',
      'collector_limited',
    ]);
  });

  it('is measured whole when the bound is raised', async () => {
    const rig = machine(netDev(many), { maxDevices: 70 });
    expect(named(await keysOf(rig), 'system.network.io', 'device')).toHaveLength(70);
    expect(rig.events).toEqual([]);
  });
});

describe('sensors of one name', () => {
  /** Two drives, which the kernel found in one order or the other. */
  async function temperatures(order: readonly [string, string]) {
    const rig = machine({ 'sys/class/hwmon': null });
    mkdirSync(join(rig.root, 'sys/class/hwmon'), { recursive: true });
    for (const [index, place] of order.entries()) {
      const chip = `sys/devices/pci0000:00/${place}/nvme/nvme${index}/hwmon${index}`;
      rig.change({
        [`${chip}/name`]: 'nvme\n',
        [`${chip}/temp1_label`]: 'Composite\n',
        [`${chip}/temp1_input`]: place === '0000:01:00.0' ? '41000\n' : '42000\n',
      });
      symlinkSync(join(rig.root, chip), join(rig.root, `sys/class/hwmon/hwmon${index}`));
    }
    const values = valuesOf(await firstValueFrom(rig.samples$));
    return Object.entries(values)
      .filter(([key]) => key.startsWith('hw.temperature'))
      .sort();
  }

  /** Two chips of a name, each with a value of its own, found in one order or the other. */
  async function chipsAt(name: string, places: readonly (readonly [string, number])[], more = {}) {
    const rig = machine({ 'sys/class/hwmon': null, ...more });
    mkdirSync(join(rig.root, 'sys/class/hwmon'), { recursive: true });
    for (const [index, [place, value]] of places.entries()) {
      const chip = `sys/devices/${place}/hwmon/hwmon${index}`;
      rig.change({ [`${chip}/name`]: `${name}\n`, [`${chip}/temp1_input`]: `${value}000\n` });
      symlinkSync(join(rig.root, 'sys/devices', place), join(rig.root, chip, 'device'));
      symlinkSync(join(rig.root, chip), join(rig.root, `sys/class/hwmon/hwmon${index}`));
    }
    const values = valuesOf(await firstValueFrom(rig.samples$));
    return Object.fromEntries(Object.entries(values).filter(([key]) => key.startsWith('hw.temperature')));
  }

  it('of disks are told apart by what the disk calls itself, not by the number of its port', async () => {
    const pci = 'pci0000:00/0000:00:17.0';
    const disk = (host: number) => `${pci}/ata${host + 1}/host${host}/target${host}:0:0/${host}:0:0:0`;
    const wwids = (first: string, second: string) => ({
      [`sys/devices/${disk(0)}/wwid`]: `naa.${first}\n`,
      [`sys/devices/${disk(1)}/wwid`]: `t10.ATA     ${second}\n`,
    });
    const found = await chipsAt(
      'drivetemp',
      [
        [disk(0), 30],
        [disk(1), 31],
      ],
      wwids('aa', 'bb'),
    );
    expect(found).toEqual({
      'hw.temperature{id=drivetemp/temp1@naa.aa}': 30,
      'hw.temperature{id=drivetemp/temp1@t10.ATA_bb}': 31,
    });
  });

  it('on buses that are numbered as they are found are told apart without that number', async () => {
    const found = await chipsAt('jc42', [
      ['pci0000:00/0000:00:1f.4/i2c-7/7-0018', 30],
      ['pci0000:00/0000:00:1f.4/i2c-7/7-0019', 31],
      ['pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/0003:1B1C:0C10.0005', 32],
    ]);
    expect(found).toEqual({
      'hw.temperature{id=jc42/temp1@0000:00:1f.4/0018}': 30,
      'hw.temperature{id=jc42/temp1@0000:00:1f.4/0019}': 31,
      'hw.temperature{id=jc42/temp1@1-2:1.0}': 32,
    });
  });

  it('of zones are told apart by what ACPI calls the zone', async () => {
    const zone = (index: number, name: string) => ({
      [`sys/class/thermal/thermal_zone${index}/type`]: 'acpitz\n',
      [`sys/class/thermal/thermal_zone${index}/temp`]: `${30 + index}000\n`,
      [`sys/class/thermal/thermal_zone${index}/device/path`]: `\\_TZ_.${name}\n`,
    });
    const rig = machine({ 'sys/class/hwmon': null, ...zone(0, 'TZ01'), ...zone(1, 'TZ00') });
    expect(valuesOf(await firstValueFrom(rig.samples$))).toMatchObject({
      'hw.temperature{id=acpitz@_TZ_.TZ01}': 30,
      'hw.temperature{id=acpitz@_TZ_.TZ00}': 31,
    });
  });

  it('keep their names whatever order the kernel finds them in', async () => {
    const expected = [
      ['hw.temperature{id=nvme/Composite@0000:01:00.0}', 41],
      ['hw.temperature{id=nvme/Composite@0000:02:00.0}', 42],
    ];
    expect(await temperatures(['0000:01:00.0', '0000:02:00.0'])).toEqual(expected);
    expect(await temperatures(['0000:02:00.0', '0000:01:00.0'])).toEqual(expected);
  });
});

describe('what is measured on request', () => {
  it('is each core, file systems in memory and pressure, and nothing of them unasked', async () => {
    const changes = {
      'proc/mounts': '/dev/sda1 / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\ntmpfs /var tmpfs rw 0 0\n',
      'proc/pressure/cpu': 'some avg10=1.00 avg60=0 avg300=0 total=5000\n',
      'proc/pressure/io': 'some avg10=0 avg60=0 avg300=0 total=5\nfull avg10=0 avg60=0 avg300=0 total=4\n',
    };
    const extra = /cpu=0|mountpoint=\/(run|var)|system\.pressure/;
    expect((await keysOf(machine(changes))).filter((key) => extra.test(key))).toEqual([]);
    const rig = machine(changes, { perCore: true, tmpfs: true, pressure: true });
    mkdirSync(join(rig.root, 'run'), { recursive: true });
    const keys = await keysOf(rig);
    expect(keys.filter((key) => extra.test(key) && !key.includes('usage'))).toEqual([
      'system.cpu.utilization{cpu=0}',
      'system.filesystem.utilization{mountpoint=/run}',
      'system.filesystem.utilization{mountpoint=/var}',
      'system.pressure{kind=some,resource=cpu}',
      'system.pressure{kind=some,resource=io}',
      'system.pressure{kind=full,resource=io}',
    ]);
  });

  it('tells use of each core and pressure since the sample before', async () => {
    const { samples$, change } = machine(
      { 'proc/pressure/cpu': 'some avg10=0 avg60=0 avg300=0 total=1000\n' },
      { perCore: true, pressure: true },
    );
    const [, second] = await observe(samples$, 2, () =>
      change({
        'proc/stat': 'cpu  130 0 110 860 0 0 0 0 0 0\ncpu0 130 0 110 860 0 0 0 0 0 0\nprocesses 1\n',
        'proc/pressure/cpu': 'some avg10=0 avg60=0 avg300=0 total=900001000\n',
      }),
    );
    expect(second).toMatchObject({
      'system.cpu.utilization{cpu=0}': 0.4,
      'system.pressure{kind=some,resource=cpu}': 1,
    });
  });

  it('says when there is no pressure to read', async () => {
    const { samples$, events } = machine({}, { pressure: true });
    await firstValueFrom(samples$);
    expect(events).toEqual([expect.objectContaining({ type: 'collector_limited', collector: 'pressure' })]);
  });
});

describe('the cache of ZFS', () => {
  it('is shown, and what it would give back is not counted as used', async () => {
    const { samples$ } = machine({
      'proc/spl/kstat/zfs/arcstats':
        '13 1 0x01 123 33456 7 8\nname type data\nhits 4 55\nc_min 4 51200\nc_max 4 500000\nsize 4 153600\n',
    });
    expect(valuesOf(await firstValueFrom(samples$))).toMatchObject({
      'system.memory.zfs_arc.usage': 153_600,
      'system.memory.zfs_arc.limit': 500_000,
      'system.memory.usage{state=used}': 400 * 1024 - (153_600 - 51_200),
    });
  });
});
