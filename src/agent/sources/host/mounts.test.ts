/** Which file systems are measured: those that are there to be asked, and of each device one. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { machine, valuesOf } from './testing/machine.ts';

type Line = readonly [path: string, type: string, device: string, number?: string];

/** `own`: number of the device that the files of the test lie on. */
async function measured(
  linesOf: (own: string) => readonly Line[],
  options = {},
  changes: Readonly<Record<string, string>> = {},
) {
  const rig = machine(changes, options);
  const { dev } = statSync(rig.root);
  const own = `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & ~0xff)}`;
  const lines = linesOf(own);
  for (const [path] of lines) mkdirSync(join(rig.root, path), { recursive: true });
  const text = lines.map(
    ([path, type, device, number = own], index) =>
      `${index + 20} 1 ${number} / ${path} rw - ${type} ${device} rw\n`,
  );
  rig.change({ 'proc/self/mountinfo': text.join('') });
  const values = valuesOf(await firstValueFrom(rig.samples$));
  const mountpoints = Object.keys(values).flatMap(
    (key) => /^system\.filesystem\.utilization\{mountpoint=(.*)\}$/.exec(key)?.[1] ?? [],
  );
  return { mountpoints, events: rig.events };
}

describe('mounts of the own machine', () => {
  it('that lie behind another are not given its space; the device is asked where it can be seen', async () => {
    const { mountpoints, events } = await measured(() => [
      ['/', 'ext4', '/dev/sda1'],
      ['/data', 'xfs', '/dev/sdb1', '250:17'],
      ['/covered', 'xfs', '/dev/sdc1', '250:18'],
    ]);
    expect(mountpoints).toEqual(['/']);
    expect(events).toEqual([
      expect.objectContaining({
        type: 'collector_limited',
        collector: 'filesystem',
        reason: expect.stringContaining('/data /covered'),
      }),
    ]);
    const twice = await measured((own) => [
      ['/b', 'xfs', '/dev/sdb1', '250:17'],
      ['/longer', 'xfs', '/dev/sdb1', own],
    ]);
    expect(twice).toEqual({ mountpoints: ['/longer'], events: [] });
  });

  it('are local by the device that /sys knows, whatever their type', async () => {
    const { mountpoints } = await measured(
      (own) => [
        ['/', 'ext4', '/dev/sda1'],
        ['/old', 'nilfs2', '/dev/sdd1', own],
        ['/far', 'ceph', 'server:/', '0:99'],
        ['/disc', 'iso9660', '/dev/sr0', own],
      ],
      {},
      Object.fromEntries(['8:1', ...ownNumbers()].map((number) => [`sys/dev/block/${number}/size`, '1'])),
    );
    expect(mountpoints).toEqual(['/', '/old']);
  });

  it('of an overlong name are named in the log', async () => {
    const long = `/${'x'.repeat(130)}/${'y'.repeat(130)}`;
    const { mountpoints, events } = await measured(() => [
      ['/', 'ext4', '/dev/sda1'],
      [long, 'xfs', '/dev/sdb1'],
    ]);
    expect(mountpoints).toEqual(['/']);
    expect(events).toEqual([
      expect.objectContaining({ reason: expect.stringContaining('more than 256 characters') }),
    ]);
  });

  it('in memory are measured on request, but not what engines hide with', async () => {
    const lines = (own: string): Line[] => [
      ['/', 'ext4', '/dev/sda1'],
      ['/run', 'tmpfs', 'tmpfs', own],
      ['/proc/acpi', 'tmpfs', 'tmpfs', own],
      ['/sys/firmware', 'tmpfs', 'tmpfs', own],
    ];
    expect((await measured(lines)).mountpoints).toEqual(['/']);
    expect((await measured(lines, { tmpfs: true })).mountpoints).toEqual(['/', '/run']);
  });
});

function ownNumbers(): string[] {
  const { dev } = statSync(machine().root);
  return [`${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & ~0xff)}`];
}
