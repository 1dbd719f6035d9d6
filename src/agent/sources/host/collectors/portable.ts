/** What systeminformation tells where there is no /proc. Imported when it is first asked: it takes megabytes. */
import { defer, map, type Observable } from 'rxjs';
import {
  bounded,
  type Collector,
  type CollectorFactory,
  type Reading,
  ratio,
  rounded,
} from '../collector.ts';

type Systeminformation = typeof import('systeminformation');

/** It starts programs and asks slow interfaces. */
const TIMEOUT_MS = 15_000;

function collector(name: string, ask: (si: Systeminformation) => Promise<readonly Reading[]>): Collector {
  const collect = (): Observable<readonly Reading[]> =>
    defer(async () => {
      const { default: si } = await import('systeminformation');
      return ask(si);
    }).pipe(map((readings) => readings.filter(({ value }) => value === null || Number.isFinite(value))));
  return { name, collect, timeoutMs: TIMEOUT_MS };
}

export const portableCollectors: readonly CollectorFactory[] = [
  ({ series }) =>
    collector('cpu', async (si) => {
      const { currentLoad, currentLoadUser, currentLoadSystem } = await si.currentLoad();
      const share = (percent: number) => rounded(percent / 100, 4);
      return [
        { series: series('system.cpu.utilization', '1'), value: share(currentLoad) },
        { series: series('system.cpu.utilization', '1', { state: 'user' }), value: share(currentLoadUser) },
        {
          series: series('system.cpu.utilization', '1', { state: 'system' }),
          value: share(currentLoadSystem),
        },
      ];
    }),
  ({ series }) =>
    collector('memory', async (si) => {
      const { total, available, free } = await si.mem();
      return [
        { series: series('system.memory.utilization', '1'), value: ratio(total - available, total) },
        { series: series('system.memory.usage', 'By', { state: 'used' }), value: total - available },
        { series: series('system.memory.usage', 'By', { state: 'free' }), value: free },
        { series: series('system.memory.limit', 'By'), value: total },
      ];
    }),
  (host) =>
    collector('filesystem', async (si) =>
      bounded(host, 'filesystem', await si.fsSize()).flatMap(({ mount: mountpoint, used, available }) => [
        {
          series: host.series('system.filesystem.utilization', '1', { mountpoint }),
          value: ratio(used, used + available),
        },
        { series: host.series('system.filesystem.usage', 'By', { mountpoint, state: 'used' }), value: used },
        {
          series: host.series('system.filesystem.usage', 'By', { mountpoint, state: 'free' }),
          value: available,
        },
      ]),
    ),
  (host) =>
    collector('network', async (si) =>
      bounded(host, 'network', await si.networkStats('*')).flatMap(
        ({ iface: device, rx_bytes, tx_bytes }) => [
          {
            series: host.series('system.network.io', 'By', { device, direction: 'receive' }),
            value: rx_bytes,
          },
          {
            series: host.series('system.network.io', 'By', { device, direction: 'transmit' }),
            value: tx_bytes,
          },
        ],
      ),
    ),
  ({ series }) =>
    collector('uptime', async (si) => [{ series: series('system.uptime', 's'), value: si.time().uptime }]),
  ({ series }) =>
    collector('temperature', async (si) => {
      const { main } = await si.cpuTemperature();
      return main === null ? [] : [{ series: series('hw.temperature', 'Cel', { id: 'cpu' }), value: main }];
    }),
];
