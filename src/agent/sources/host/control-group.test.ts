/** What a container says of itself, by where its control group is found. */
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { machine, observe, valuesOf } from './testing/machine.ts';

const NONE = { 'proc/self/cgroup': null, 'sys/fs': null };
const V2_MOUNT = (root: string) => `30 24 0:27 ${root} /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n`;
const V1_MOUNT = (root: string, controllers: string) =>
  `31 24 0:28 ${root} /sys/fs/cgroup/${controllers} ro - cgroup cgroup rw,${controllers}\n`;

/** Files of a group, at a place. */
const files = (place: string, texts: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [`${place}/${name}`, text]));

async function containerOf(changes: Readonly<Record<string, string | null>>, options = {}) {
  const rig = machine(NONE, options);
  rig.change(changes);
  const values = valuesOf(await firstValueFrom(rig.samples$));
  return Object.fromEntries(Object.entries(values).filter(([key]) => key.startsWith('container.')));
}

const V2 = {
  'memory.current': '5000\n',
  'memory.max': 'max\n',
  'memory.stat': 'anon 2000\ninactive_file 2000\n',
  'cpu.stat': 'usage_usec 9\nnr_periods 90\nnr_throttled 12\nthrottled_usec 3500000\n',
  'cpu.max': 'max 100000\n',
};

describe('a control group of version 2', () => {
  it.each([
    ['in a namespace of its own', '0::/\n', '/', 'sys/fs/cgroup'],
    ['that is mounted as the root', '0::/docker/abc\n', '/docker/abc', 'sys/fs/cgroup'],
    ['below what is mounted', '0::/docker/abc/in\n', '/docker/abc', 'sys/fs/cgroup/in'],
  ])('%s is found', async (_what, cgroup, root, place) => {
    const found = await containerOf({
      'proc/self/cgroup': cgroup,
      'proc/self/mountinfo': V2_MOUNT(root),
      ...files(place, V2),
    });
    expect(found).toEqual({
      'container.memory.usage': 5000,
      'container.memory.working_set': 3000,
      'container.cpu.usage': null,
    });
  });

  it.each([
    ['lies elsewhere', '0::/other\n', '/docker/abc'],
    ['is outside of the namespace', '0::/../other\n', '/'],
  ])('that %s is none of another', async (_what, cgroup, root) => {
    const found = await containerOf({
      'proc/self/cgroup': cgroup,
      'proc/self/mountinfo': V2_MOUNT(root),
      ...files('sys/fs/cgroup', { ...V2, 'memory.max': '7\n' }),
    });
    expect(found).toEqual({});
  });

  it('tells its limits, how often they were met, and what it cost', async () => {
    const found = await containerOf({
      'proc/self/cgroup': '0::/\n',
      'proc/self/mountinfo': V2_MOUNT('/'),
      ...files('sys/fs/cgroup', {
        ...V2,
        'memory.max': '8000\n',
        'memory.high': '7000\n',
        'memory.events': 'low 0\nhigh 4\nmax 3\noom 2\noom_kill 1\n',
        'cpu.max': '150000 100000\n',
      }),
    });
    expect(found).toEqual({
      'container.memory.usage': 5000,
      'container.memory.working_set': 3000,
      'container.memory.limit': 8000,
      'container.memory.throttle_limit': 7000,
      'container.memory.throttled': 4,
      'container.memory.oom_kills': 1,
      'container.cpu.usage': null,
      'container.cpu.limit': 1.5,
      'container.cpu.periods': 90,
      'container.cpu.throttled.periods': 12,
      'container.cpu.throttled.time': 3.5,
    });
  });

  it('tells its own pressure on request', async () => {
    const place = 'sys/fs/cgroup';
    const rig = machine(
      {
        [`${place}/memory.pressure`]: 'some avg10=0 avg60=0 avg300=0 total=5\nfull avg10=0 avg60=0 total=4\n',
      },
      { pressure: true },
    );
    const [, second] = await observe(rig.samples$, 2, () =>
      rig.change({
        [`${place}/memory.pressure`]: 'some avg10=0 avg60=0 avg300=0 total=900000005\nfull avg10=0 total=4\n',
      }),
    );
    expect(second).toMatchObject({
      'container.pressure{kind=some,resource=memory}': 1,
      'container.pressure{kind=full,resource=memory}': 0,
    });
  });
});

describe('a control group of version 1', () => {
  const memory = { 'memory.usage_in_bytes': '111\n', 'memory.limit_in_bytes': '900\n' };

  it('is found for each controller, also where two share a hierarchy', async () => {
    const found = await containerOf({
      'proc/self/cgroup': '4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n',
      'proc/self/mountinfo': V1_MOUNT('/docker/abc', 'memory') + V1_MOUNT('/docker/abc', 'cpu,cpuacct'),
      ...files('sys/fs/cgroup/memory', { ...memory, 'memory.oom_control': 'under_oom 0\noom_kill 6\n' }),
      ...files('sys/fs/cgroup/cpu,cpuacct', {
        'cpuacct.usage': '5000000\n',
        'cpu.cfs_quota_us': '50000\n',
        'cpu.cfs_period_us': '100000\n',
        'cpu.stat': 'nr_periods 9\nnr_throttled 4\nthrottled_time 2500000000\n',
      }),
    });
    expect(found).toEqual({
      'container.memory.usage': 111,
      'container.memory.limit': 900,
      'container.memory.oom_kills': 6,
      'container.cpu.usage': null,
      'container.cpu.limit': 0.5,
      'container.cpu.periods': 9,
      'container.cpu.throttled.periods': 4,
      'container.cpu.throttled.time': 2.5,
    });
  });

  it('is not given the processor time of the whole machine', async () => {
    const found = await containerOf({
      'proc/self/cgroup': '4:memory:/system.slice/agent.service\n2:cpuacct:/\n1:cpu:/\n',
      'proc/self/mountinfo': V1_MOUNT('/', 'memory') + V1_MOUNT('/', 'cpu') + V1_MOUNT('/', 'cpuacct'),
      ...files('sys/fs/cgroup/memory/system.slice/agent.service', memory),
      ...files('sys/fs/cgroup/cpuacct', { 'cpuacct.usage': '5000000\n' }),
      ...files('sys/fs/cgroup/cpu', { 'cpu.cfs_quota_us': '-1\n' }),
    });
    expect(found).toEqual({ 'container.memory.usage': 111, 'container.memory.limit': 900 });
  });

  it('that is that of the whole machine is none', async () => {
    const found = await containerOf({
      'proc/self/cgroup': '4:memory:/\n2:cpuacct:/\n1:cpu:/\n',
      'proc/self/mountinfo': V1_MOUNT('/', 'memory') + V1_MOUNT('/', 'cpu') + V1_MOUNT('/', 'cpuacct'),
      ...files('sys/fs/cgroup/memory', { ...memory, 'memory.limit_in_bytes': '9223372036854771712\n' }),
      ...files('sys/fs/cgroup/cpuacct', { 'cpuacct.usage': '5000000\n' }),
    });
    expect(found).toEqual({});
  });
});
