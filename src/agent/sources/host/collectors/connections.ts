import type { CollectorFactory, Reading } from '../collector.ts';

/**
 * Connections by protocol and state, from the kernel's own counts: reading the tables of /proc/net/tcp would cost a
 * megabyte for every 7,000 connections. The kernel's `CurrEstab` counts CLOSE-WAIT as established (RFC 4022).
 */
export const connections: CollectorFactory = ({ files, series }) => {
  const of = (attributes: Readonly<Record<string, string>>) =>
    series('system.network.connections', '{connection}', attributes);
  const established = of({ protocol: 'tcp', state: 'established' });
  const timeWait = of({ protocol: 'tcp', state: 'time_wait' });
  const udp = of({ protocol: 'udp' });
  return {
    name: 'connections',
    paths: ['/proc/net/snmp', '/proc/net/sockstat', '/proc/net/sockstat6'],
    collect: () => {
      const current = tcpField(files.read('/proc/net/snmp'), 'CurrEstab');
      const readings: Reading[] = [
        { series: established, value: current === undefined ? null : Number(current) },
      ];
      const sockstat = files.readOptional('/proc/net/sockstat') ?? '';
      const waiting = /^TCP: .*\btw (\d+)/m.exec(sockstat)?.[1];
      if (waiting !== undefined) readings.push({ series: timeWait, value: Number(waiting) });
      const v4 = /^UDP: inuse (\d+)/m.exec(sockstat)?.[1];
      const v6 = /^UDP6: inuse (\d+)/m.exec(files.readOptional('/proc/net/sockstat6') ?? '')?.[1];
      if (v4 !== undefined) readings.push({ series: udp, value: Number(v4) + Number(v6 ?? 0) });
      return readings;
    },
  };
};

/** /proc/net/snmp has two lines for each protocol: names, then values. */
function tcpField(snmp: string, name: string): string | undefined {
  const [names, values] = [...snmp.matchAll(/^Tcp: (.+)$/gm)].map((match) => (match[1] ?? '').split(' '));
  return values?.[names?.indexOf(name) ?? -1];
}
