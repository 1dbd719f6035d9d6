import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { firstValueFrom, lastValueFrom, map, type Observable, of, take, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/support/temporary.ts';
import { createSystemClock } from '../../../platform/clock.ts';
import { systemRandom } from '../../../platform/random.ts';
import { seriesKey } from '../../../protocol/schema-ref.ts';
import { eachSample } from '../../testing/each-sample.ts';
import { createSource } from '../registry.ts';
import type { RawSample } from '../source.ts';

/** A machine on paper; each number can be found again in a test. */
const MACHINE: Readonly<Record<string, string>> = {
  'proc/stat': 'cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 100 0 100 800 0 0 0 0 0 0\nprocesses 4242\n',
  'proc/loadavg': '0.50 0.40 0.30 2/345 6789\n',
  'proc/uptime': '1234.56 2000.00\n',
  'proc/meminfo':
    'MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 600 kB\nBuffers: 50 kB\nCached: 200 kB\nSReclaimable: 40 kB\nSwapTotal: 400 kB\nSwapFree: 300 kB\n',
  'proc/vmstat': 'pswpin 7\npswpout 8\npgmajfault 9\n',
  'proc/mounts':
    '/dev/sda1 / ext4 rw 0 0\n/dev/sda1 /var/lib ext4 rw 0 0\nserver:/x /net nfs4 rw 0 0\nproc /proc proc rw 0 0\n',
  'proc/diskstats':
    '   8 0 sda 10 0 100 5 20 0 200 5 0 1500 0\n   8 1 sda1 10 0 100 5 20 0 200 5 0 1500 0\n   7 0 loop0 5 0 5 0 0 0 0 0 0 0 0\n   8 16 sdb 0 0 0 0 0 0 0 0 0 0 0\n',
  'sys/block/sda/size': '1',
  'sys/block/sdb/size': '1',
  'proc/net/dev':
    'Inter-| Receive | Transmit\n face |bytes packets errs\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  eth0: 1000 10 1 0 0 0 0 0 2000 20 2 0 0 0 0 0\n  eth1: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\nveth12: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n',
  'proc/net/snmp': 'Ip: Forwarding\nIp: 1\nTcp: RtoMin CurrEstab InSegs\nTcp: 200 17 99\n',
  'proc/net/sockstat': 'sockets: used 9\nTCP: inuse 3 orphan 0 tw 5 alloc 4 mem 1\nUDP: inuse 2 mem 0\n',
  'proc/net/sockstat6': 'TCP6: inuse 1\nUDP6: inuse 1\n',
  'proc/1/stat': '',
  'proc/22/stat': '',
  'proc/self/cgroup': '0::/\n',
  'sys/fs/cgroup/memory.current': '5000\n',
  'sys/fs/cgroup/memory.max': '8000\n',
  'sys/fs/cgroup/cpu.stat': 'usage_usec 1000000\nuser_usec 1\n',
  'sys/fs/cgroup/cpu.max': '150000 100000\n',
  'sys/class/hwmon/hwmon0/name': 'k10temp\n',
  'sys/class/hwmon/hwmon0/temp1_input': '45250\n',
  'sys/class/hwmon/hwmon0/temp1_label': 'Tctl\n',
  'sys/class/hwmon/hwmon0/temp2_input': '30000\n',
};

function write(root: string, files: Readonly<Record<string, string>>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

type Event = { readonly type: string; readonly [field: string]: unknown };
function machine(changes: Readonly<Record<string, string | null>> = {}) {
  const root = temporaryFolder();
  write(root, MACHINE);
  mkdirSync(join(root, 'var/lib'), { recursive: true });
  for (const [path, text] of Object.entries(changes)) {
    if (text === null) rmSync(join(root, path), { recursive: true });
    else write(root, { [path]: text });
  }
  const events: Event[] = [];
  const env = {
    clock: createSystemClock(),
    random: systemRandom,
    emit: (event: Event) => void events.push(event),
  };
  const source = createSource({ kind: 'host', every: 50, root }, env);
  return { root, events, source, samples$: source.samples(of(true)).pipe(eachSample()) };
}
const valuesOf = ({ schema, values }: RawSample): Record<string, number | null | undefined> =>
  Object.fromEntries(schema.series.map((series, index) => [seriesKey(series), values[index]]));

describe('the host source', () => {
  it('reads a machine under OpenTelemetry names', async () => {
    const values = valuesOf(await firstValueFrom(machine().samples$));
    expect(values).toMatchObject({
      'system.cpu.load_average.1m': 0.5,
      'system.cpu.load_average.15m': 0.3,
      'system.memory.utilization': 0.4,
      'system.memory.usage{state=used}': 400 * 1024,
      'system.memory.usage{state=cached}': 240 * 1024,
      'system.memory.limit': 1000 * 1024,
      'system.paging.utilization': 0.25,
      'system.paging.usage{state=used}': 100 * 1024,
      'system.paging.operations{direction=page_out}': 8,
      'system.paging.faults{type=major}': 9,
      'system.disk.io{device=sda,direction=read}': 100 * 512,
      'system.disk.io{device=sda,direction=write}': 200 * 512,
      'system.disk.operations{device=sda,direction=write}': 20,
      'system.disk.io_time{device=sda}': 1.5,
      'system.network.io{device=eth0,direction=receive}': 1000,
      'system.network.io{device=eth0,direction=transmit}': 2000,
      'system.network.errors{device=eth0,direction=transmit}': 2,
      'system.network.connections{protocol=tcp,state=established}': 17,
      'system.network.connections{protocol=tcp,state=time_wait}': 5,
      'system.network.connections{protocol=udp}': 3,
      'system.processes.count': 2,
      'system.processes.created': 4242,
      'system.uptime': 1234.56,
      'hw.temperature{id=k10temp/Tctl}': 45.25,
      'hw.temperature{id=k10temp/temp2}': 30,
      'container.memory.usage': 5000,
      'container.memory.limit': 8000,
      'container.cpu.limit': 1.5,
    });
  });

  it('asks each local file system once and network ones never', async () => {
    const keys = Object.keys(valuesOf(await firstValueFrom(machine().samples$)));
    expect(keys.filter((key) => key.startsWith('system.filesystem.utilization'))).toEqual([
      'system.filesystem.utilization{mountpoint=/}',
    ]);
  });

  it('leaves out what is no disk or uplink, or was never used', async () => {
    const keys = Object.keys(valuesOf(await firstValueFrom(machine().samples$))).join(' ');
    expect(keys).not.toMatch(/device=(lo|eth1|veth12|loop0|sda1|sdb)[,}]/);
  });

  it('tells CPU use since the sample before, in all and by state', async () => {
    const { root, samples$ } = machine();
    const [first, second] = await observe(samples$, 2, () => {
      write(root, { 'proc/stat': 'cpu  130 10 110 840 10 0 0 0 0 0\nprocesses 4243\n' });
    });
    expect(first?.['system.cpu.utilization']).toBeNull();
    expect(second).toMatchObject({
      'system.cpu.utilization': 0.5,
      'system.cpu.utilization{state=user}': 0.4,
      'system.cpu.utilization{state=system}': 0.1,
      'system.cpu.utilization{state=iowait}': 0.1,
    });
  });

  it('gives null for a collector whose file is gone, reports it once, and takes its series up again', async () => {
    const { root, samples$, events } = machine();
    const schemas = new Set<unknown>();
    const seen = await observe(samples$, 5, (index, sample) => {
      schemas.add(sample.schema);
      if (index === 0) rmSync(join(root, 'proc/loadavg'));
      if (index === 2) write(root, { 'proc/loadavg': '9.00 0.40 0.30 2/345 6789\n' });
    });
    expect(seen.map((values) => values['system.cpu.load_average.1m'])).toEqual([0.5, null, null, 9, 9]);
    expect(seen.every((values) => values['system.uptime'] === 1234.56)).toBe(true);
    expect(schemas.size).toBe(1);
    expect(events.map(({ type, collector }) => `${type} ${collector}`)).toEqual([
      'collector_failed load',
      'collector_recovered load',
    ]);
  });

  it('gives a new schema when a device comes, and the old one again when it goes', async () => {
    const { root, samples$ } = machine();
    const before = String(MACHINE['proc/net/dev']);
    const refs: string[] = [];
    const seen = await observe(samples$, 3, (index, sample) => {
      refs.push(sample.schema.ref);
      const usb = ' usb0: 77 1 0 0 0 0 0 0 88 1 0 0 0 0 0 0\n';
      write(root, { 'proc/net/dev': index === 0 ? before + usb : before });
    });
    const key = 'system.network.io{device=usb0,direction=receive}';
    expect(seen.map((values) => values[key])).toEqual([undefined, 77, undefined]);
    expect(refs[1]).not.toBe(refs[0]);
    expect(refs[2]).toBe(refs[0]);
  });

  it('does without swap, sensors, a control group and sockets', async () => {
    const bare = machine({
      'proc/meminfo': 'MemTotal: 1000 kB\nMemFree: 300 kB\nSwapTotal: 0 kB\n',
      'sys/class': null,
      'sys/fs': null,
      'proc/self': null,
      'proc/net/sockstat': null,
      'proc/net/sockstat6': null,
    });
    const sample = await firstValueFrom(bare.samples$);
    expect(Object.keys(valuesOf(sample)).join(' ')).not.toMatch(/paging\.u|temperature|container|time_wait/);
    expect(bare.events).toEqual([]);
    expect(sample.diagnostics).toEqual([]);
  });

  it('falls back to thermal zones where there are no sensor chips', async () => {
    const { samples$ } = machine({
      'sys/class/hwmon': null,
      'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
      'sys/class/thermal/thermal_zone0/temp': '51000\n',
    });
    expect(valuesOf(await firstValueFrom(samples$))).toMatchObject({ 'hw.temperature{id=cpu-thermal}': 51 });
  });

  it('reads limits of control groups of version 1', async () => {
    const { samples$ } = machine({
      'proc/self/cgroup': '4:memory:/docker/abc\n2:cpuacct:/docker/abc\n1:cpu:/docker/abc\n0::/\n',
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '111\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      'sys/fs/cgroup/cpuacct/cpuacct.usage': '5000000\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    });
    const values = valuesOf(await firstValueFrom(samples$));
    expect(values).toMatchObject({ 'container.memory.usage': 111, 'container.cpu.limit': 0.5 });
    expect(values).not.toHaveProperty('container.memory.limit');
  });

  it('tells nothing of a control group that sets no limits outside of a container', async () => {
    const { samples$ } = machine({
      'proc/self/cgroup': '0::/user.slice\n',
      'sys/fs/cgroup/user.slice/memory.current': '5\n',
      'sys/fs/cgroup/user.slice/memory.max': 'max\n',
      'sys/fs/cgroup/user.slice/cpu.max': 'max 100000\n',
    });
    expect(Object.keys(valuesOf(await firstValueFrom(samples$))).join(' ')).not.toContain('container');
  });

  it('knows which of its series only grow', () => {
    const { traits } = machine().source;
    const of = (name: string, unit: string) => traits({ name, unit, attributes: {} });
    expect(of('system.network.io', 'By').cumulative).toBe(true);
    expect(of('system.memory.usage', 'By').cumulative).toBeUndefined();
    expect(of('system.cpu.utilization', '1')).toMatchObject({ min: 0, max: 1 });
  });

  it('seeks no anomalies in caches and sizes, and none below the usual unrest of the others', () => {
    const { traits } = machine().source;
    const of = (name: string, unit: string) => traits({ name, unit, attributes: {} });
    expect(of('system.memory.usage', 'By').anomalies).toBe(false);
    expect(of('system.filesystem.usage', 'By').anomalies).toBe(false);
    const ended = {
      name: 'system.network.connections',
      unit: '{connection}',
      attributes: { state: 'time_wait' },
    };
    expect(traits(ended).anomalies).toBe(false);
    expect(of('system.memory.utilization', '1')).toMatchObject({ minStddev: 0.02 });
    expect(of('system.filesystem.utilization', '1')).toMatchObject({ minStddev: 0.005 });
    expect(of('system.cpu.load_average.1m', '{thread}').minStddev).toBeGreaterThanOrEqual(0.25);
    expect(of('container.memory.usage', 'By').minStddev).toBeGreaterThan(2 ** 20);
  });

  it('works on the machine that it runs on', async () => {
    const source = createSource(
      { kind: 'host', every: 50, root: '/' },
      { clock: createSystemClock(), random: systemRandom, emit: () => {} },
    );
    const samples = await lastValueFrom(source.samples(of(true)).pipe(eachSample(), take(2), toArray()));
    const values = valuesOf(samples[1] as RawSample);
    expect(values['system.memory.usage{state=used}']).toBeGreaterThan(0);
    expect(Object.keys(values).length).toBeGreaterThan(10);
  });
});

/** Takes `count` samples; `onSample` runs between one sample and the next round. */
async function observe(
  samples$: Observable<RawSample>,
  count: number,
  onSample: (index: number, sample: RawSample) => void,
) {
  const samples = await lastValueFrom(
    samples$.pipe(
      take(count),
      map((sample, index) => {
        onSample(index, sample);
        return sample;
      }),
      toArray(),
    ),
  );
  return samples.map(valuesOf);
}
