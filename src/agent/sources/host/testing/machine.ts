import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lastValueFrom, map, type Observable, of, take, toArray } from 'rxjs';
import { temporaryFolder } from '../../../../../tests/support/temporary.ts';
import { createSystemClock } from '../../../../platform/clock.ts';
import { systemRandom } from '../../../../platform/random.ts';
import { seriesKey } from '../../../../protocol/series-key.ts';
import { eachSample } from '../../../testing/each-sample.ts';
import { createSource } from '../../registry.ts';
import type { RawSample } from '../../source.ts';
import { readSource } from '../../spec.ts';

/** A machine on paper; each number can be found again in a test. */
export const MACHINE: Readonly<Record<string, string>> = {
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
  'sys/fs/cgroup/memory.stat': 'anon 2000\nfile 3000\ninactive_file 2000\nactive_file 1000\n',
  'sys/fs/cgroup/cpu.stat':
    'usage_usec 1000000\nuser_usec 1\nnr_periods 90\nnr_throttled 12\nthrottled_usec 3500000\n',
  'sys/fs/cgroup/cpu.max': '150000 100000\n',
  'sys/class/hwmon/hwmon0/name': 'k10temp\n',
  'sys/class/hwmon/hwmon0/temp1_input': '45250\n',
  'sys/class/hwmon/hwmon0/temp1_label': 'Tctl\n',
  'sys/class/hwmon/hwmon0/temp2_input': '30000\n',
};

export function write(root: string, files: Readonly<Record<string, string>>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

type Event = { readonly type: string; readonly [field: string]: unknown };
/** `changes`: of its files; null takes one away. `options`: of the source. */
export function machine(
  changes: Readonly<Record<string, string | null>> = {},
  options: Readonly<Record<string, unknown>> = {},
) {
  const root = temporaryFolder();
  write(root, MACHINE);
  mkdirSync(join(root, 'var/lib'), { recursive: true });
  const change = (paths: Readonly<Record<string, string | null>>) => {
    for (const [path, text] of Object.entries(paths)) {
      if (text === null) rmSync(join(root, path), { recursive: true });
      else write(root, { [path]: text });
    }
  };
  change(changes);
  const events: Event[] = [];
  const env = {
    clock: createSystemClock(),
    random: systemRandom,
    emit: (event: Event) => void events.push(event),
  };
  const source = createSource(readSource({ kind: 'host', every: 50, root, ...options }), env);
  return { root, change, events, source, samples$: source.samples(of(true)).pipe(eachSample()) };
}
export const valuesOf = ({ schema, values }: RawSample): Record<string, number | null | undefined> =>
  Object.fromEntries(schema.series.map((series, index) => [seriesKey(series), values[index]]));

/** Takes `count` samples; `onSample` runs between one sample and the next round. */
export async function observe(
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
