import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { firstValueFrom, lastValueFrom, of, take, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../../../platform/clock.ts';
import { systemRandom } from '../../../platform/random.ts';
import { eachSample } from '../../testing/each-sample.ts';
import { createSource } from '../registry.ts';
import type { RawSample } from '../source.ts';
import { parseSourceSpec } from '../spec.ts';
import { MACHINE, machine, observe, valuesOf, write } from './testing/machine.ts';

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
      'container.memory.working_set': 3000,
      'container.memory.limit': 8000,
      'container.cpu.limit': 1.5,
      'container.cpu.throttled.periods': 12,
      'container.cpu.throttled.time': 3.5,
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
      'sys/fs/cgroup/memory/memory.stat': 'inactive_file 5\ntotal_cache 60\ntotal_inactive_file 11\n',
      'sys/fs/cgroup/cpuacct/cpuacct.usage': '5000000\n',
      'sys/fs/cgroup/cpu/cpu.stat': 'nr_periods 9\nnr_throttled 4\nthrottled_time 2500000000\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    });
    const values = valuesOf(await firstValueFrom(samples$));
    expect(values).toMatchObject({
      'container.memory.usage': 111,
      'container.memory.working_set': 100,
      'container.cpu.limit': 0.5,
      'container.cpu.throttled.periods': 4,
      'container.cpu.throttled.time': 2.5,
    });
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
    const own = of('container.memory.usage', 'By').minStddev ?? 0;
    expect(own).toBeGreaterThan(2 ** 20);
    // A container of a large machine has its own measure.
    expect(own).toBeLessThanOrEqual(of('system.memory.limit', 'By').minStddev ?? 0);
    expect(of('container.memory.oom_kills', '{kill}').cumulative).toBe(true);
  });

  it('works on the machine that it runs on', async () => {
    const source = createSource(parseSourceSpec('host:every=50'), {
      clock: createSystemClock(),
      random: systemRandom,
      emit: () => {},
    });
    const samples = await lastValueFrom(source.samples(of(true)).pipe(eachSample(), take(2), toArray()));
    const values = valuesOf(samples[1] as RawSample);
    expect(values['system.memory.usage{state=used}']).toBeGreaterThan(0);
    expect(Object.keys(values).length).toBeGreaterThan(10);
  });
});
