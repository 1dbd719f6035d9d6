import { type CollectorFactory, MAX_DEVICES, type Reading } from '../collector.ts';
import { numbersIn } from '../text.ts';

/** The loop-back, and the inner ends that container engines and hypervisors make and drop by the dozen. */
const NOT_AN_UPLINK = /^(lo$|veth|docker|br-|virbr|vnet|cali|flannel|cni|ifb|dummy|tunl|sit|gre|ip6)/;

/** Columns of /proc/net/dev after the name. */
const RECEIVE_BYTES = 0;
const RECEIVE_ERRORS = 2;
const TRANSMIT_BYTES = 8;
const TRANSMIT_ERRORS = 10;

/** Traffic and errors of interfaces since they came up; those that never carried anything are left out. */
export const network: CollectorFactory = ({ files, series }) => {
  const push = (readings: Reading[], device: string, columns: readonly number[]) => {
    const one = (metric: string, unit: string, direction: string, column: number) =>
      readings.push({
        series: series(`system.network.${metric}`, unit, { device, direction }),
        value: columns[column] ?? 0,
      });
    one('io', 'By', 'receive', RECEIVE_BYTES);
    one('io', 'By', 'transmit', TRANSMIT_BYTES);
    one('errors', '{error}', 'receive', RECEIVE_ERRORS);
    one('errors', '{error}', 'transmit', TRANSMIT_ERRORS);
  };
  return {
    name: 'network',
    paths: ['/proc/net/dev'],
    collect: () => {
      const readings: Reading[] = [];
      let devices = 0;
      for (const [, device = '', columns = ''] of files
        .read('/proc/net/dev')
        .matchAll(/^ *([^:|\s]+): *(\d.*)$/gm)) {
        if (NOT_AN_UPLINK.test(device)) continue;
        const numbers = numbersIn(columns);
        if ((numbers[RECEIVE_BYTES] ?? 0) + (numbers[TRANSMIT_BYTES] ?? 0) === 0) continue;
        if (devices === MAX_DEVICES) break;
        devices += 1;
        push(readings, device, numbers);
      }
      return readings;
    },
  };
};
