/** What `root` names is measured, and nothing else in its place. */
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstValueFrom, lastValueFrom, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/support/temporary.ts';
import { createSystemClock } from '../../../platform/clock.ts';
import { systemRandom } from '../../../platform/random.ts';
import { createSource } from '../registry.ts';
import { readSource } from '../spec.ts';
import { MACHINE, machine, valuesOf } from './testing/machine.ts';

const NET_DEV = 'Inter-| Receive | Transmit\n face |bytes packets errs\n';
const busy = (device: string, bytes: number) => `${device}: ${bytes} 1 0 0 0 0 0 0 ${bytes} 1 0 0 0 0 0 0\n`;

/** `major:minor` of a device, as the kernel writes it. */
function shown(device: number): string {
  return `${(device >> 8) & 0xfff}:${(device & 0xff) | ((device >> 12) & ~0xff)}`;
}

/** A host whose / is bound into a container: process 1 is the host's, process 42 the agent in its own namespaces. */
function hostInContainer(changes: Readonly<Record<string, string | null>> = {}) {
  const container = {
    'proc/42/net/dev': `${NET_DEV}${busy('eth7', 7)}`,
    'proc/42/net/snmp': 'Tcp: CurrEstab\nTcp: 7\n',
    'proc/42/mounts': '/dev/sdc1 /data xfs rw 0 0\n',
    'proc/42/cgroup': '0::/inner\n',
    'sys/fs/cgroup/inner/memory.current': '77\n',
    'sys/fs/cgroup/inner/memory.max': '99\n',
  };
  const host = {
    'proc/1/net/dev': `${NET_DEV}${busy('eno1', 1000)}`,
    'proc/1/net/snmp': 'Tcp: CurrEstab\nTcp: 1000\n',
    'proc/1/cgroup': '0::/init.scope\n',
  };
  const rig = machine({ ...container, ...host, 'proc/net': null, 'proc/mounts': null, 'proc/self': null });
  symlinkSync('42', join(rig.root, 'proc/self'));
  symlinkSync('self/net', join(rig.root, 'proc/net'));
  symlinkSync('self/mounts', join(rig.root, 'proc/mounts'));
  mkdirSync(join(rig.root, 'var/lib'), { recursive: true });
  const own = shown(statSync(rig.root).dev);
  rig.change({
    'proc/1/mountinfo':
      `21 1 ${own} / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n` +
      `22 21 250:19 / /var/lib rw,relatime - xfs /dev/sdb1 rw\n` +
      `23 21 0:5 / /dev rw - devtmpfs devtmpfs rw\n`,
    ...changes,
  });
  return rig;
}

describe('a host that is seen from a container', () => {
  it('is measured in the namespaces of its process 1, not in those of the agent', async () => {
    const values = valuesOf(await firstValueFrom(hostInContainer().samples$));
    expect(values).toMatchObject({
      'system.network.io{device=eno1,direction=receive}': 1000,
      'system.network.connections{protocol=tcp,state=established}': 1000,
    });
    expect(Object.keys(values).join(' ')).not.toMatch(/eth7|\/data|container/);
  });

  it('has no values for mounts that were not passed on into the container, and says so', async () => {
    const { samples$, events } = hostInContainer();
    const sample = await firstValueFrom(samples$);
    const mounts = Object.keys(valuesOf(sample)).filter((key) =>
      key.startsWith('system.filesystem.utilization'),
    );
    expect(mounts).toEqual(['system.filesystem.utilization{mountpoint=/}']);
    const limited = events.filter(({ type }) => type === 'collector_limited');
    expect(limited).toEqual([
      expect.objectContaining({
        collector: 'filesystem',
        reason: expect.stringContaining('cannot be seen below'),
      }),
    ]);
    expect(sample.diagnostics).toEqual([
      expect.objectContaining({ code: 'stale', detail: expect.stringContaining('/var/lib') }),
    ]);
  });

  it('fails a collector rather than read what is the agent’s own', async () => {
    const { samples$, events } = hostInContainer({ 'proc/1/net': null });
    const values = valuesOf(await firstValueFrom(samples$));
    expect(Object.keys(values).join(' ')).not.toContain('system.network');
    expect(events.map(({ type, collector }) => `${type} ${collector}`)).toContain('collector_failed network');
  });
});

describe('a root without a machine in it', () => {
  it.each([
    ['that is not there', () => '/no/such/host'],
    ['that is empty', temporaryFolder],
  ])('%s is an error that names it', async (_what, rootOf) => {
    const root = rootOf();
    const env = { clock: createSystemClock(), random: systemRandom, emit: () => {} };
    const source = createSource(readSource({ kind: 'host', every: 50, root }), env);
    await expect(lastValueFrom(source.samples(of(true)))).rejects.toThrow(`${root}/proc/stat`);
  });

  it('that is a file is said to be one', async () => {
    const root = join(temporaryFolder(), 'passwd');
    writeFileSync(root, 'x');
    const env = { clock: createSystemClock(), random: systemRandom, emit: () => {} };
    const source = createSource(readSource({ kind: 'host', every: 50, root }), env);
    await expect(lastValueFrom(source.samples(of(true)))).rejects.toThrow(`root: ${root} is a file`);
  });

  it('that is a copy of files is read as it stands', async () => {
    expect(valuesOf(await firstValueFrom(machine().samples$))).toHaveProperty(
      'system.network.io{device=eth0,direction=receive}',
      1000,
    );
    expect(MACHINE['proc/net/dev']).toContain('eth0: 1000');
  });
});

describe('processes that /proc hides', () => {
  it('are not counted, and a word says why', async () => {
    const { samples$, events } = machine({ 'proc/1': null });
    const sample = await firstValueFrom(samples$);
    expect(valuesOf(sample)).toMatchObject({
      'system.processes.count': null,
      'system.processes.created': 4242,
    });
    expect(sample.diagnostics).toEqual([
      expect.objectContaining({ detail: expect.stringContaining('hidepid') }),
    ]);
    expect(events.filter(({ type }) => type === 'collector_limited')).toHaveLength(1);
  });
});
