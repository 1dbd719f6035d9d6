import { forkJoin, map } from 'rxjs';
import type { CollectorFactory, Reading } from '../collector.ts';

/**
 * Connections by protocol and state, from the kernel's own counts: reading the tables of /proc/net/tcp would cost a megabyte
 * for every 7,000 connections. The kernel's `CurrEstab` counts CLOSE-WAIT as established (RFC 4022).
 */
export const connections: CollectorFactory = ({ files, series }) => ({
  name: 'connections',
  collect: () =>
    forkJoin([
      files.read('/proc/net/snmp'),
      files.readOptional('/proc/net/sockstat'),
      files.readOptional('/proc/net/sockstat6'),
    ]).pipe(
      map(([snmp, sockstat, sockstat6]) => {
        const of = (protocol: string, state: string) =>
          series('system.network.connections', '{connection}', { protocol, state });
        const [names, values] = [...snmp.matchAll(/^Tcp: (.+)$/gm)].map((match) =>
          (match[1] ?? '').split(' '),
        );
        const established = values?.[names?.indexOf('CurrEstab') ?? -1];
        const readings: Reading[] = [
          { series: of('tcp', 'established'), value: established === undefined ? null : Number(established) },
        ];
        const waiting = /^TCP: .*\btw (\d+)/m.exec(sockstat ?? '')?.[1];
        if (waiting !== undefined) readings.push({ series: of('tcp', 'time_wait'), value: Number(waiting) });
        const udp = /^UDP: inuse (\d+)/m.exec(sockstat ?? '')?.[1];
        const udp6 = /^UDP6: inuse (\d+)/m.exec(sockstat6 ?? '')?.[1];
        if (udp !== undefined) {
          readings.push({
            series: series('system.network.connections', '{connection}', { protocol: 'udp' }),
            value: Number(udp) + Number(udp6 ?? 0),
          });
        }
        return readings;
      }),
    ),
});
