import { bounded, type CollectorFactory, type HostAccess, type Reading } from '../collector.ts';
import { numbersIn } from '../text.ts';

/**
 * The inner ends and bridges that container engines and hypervisors make and drop by the dozen, by the whole of the
 * names that they give, and what stands in for tunnels of a kind that is not used. Their traffic is also that of an
 * uplink.
 */
const MADE_BY_ENGINES = new RegExp(
  `^(${[
    'veth[0-9a-f]*(@.*)?',
    'veth(\\d+_[0-9A-Za-z]{4,6}|\\d+i\\d+)',
    'docker\\d+',
    'docker_gwbridge',
    'br-[0-9a-f]{12}',
    'virbr\\d+(-nic)?',
    'vnet\\d+',
    'tap\\d+i\\d+',
    'fw(br|ln|pr)\\d+[ip]\\d+',
    'nerdctl\\d+',
    'incusbr\\d+',
    'ovs-system',
    '(genev|vxlan)_sys_\\d+',
    '(azv|eni)[0-9a-f]{11}',
    'podman\\d+',
    'lxcbr\\d+',
    'lxdbr\\d+',
    'cali[0-9a-f]{11}',
    'vxlan\\.calico',
    'flannel(\\.\\d+|-.*)',
    'cni\\d+',
    'cni-podman\\d+',
    'cilium_(host|net|vxlan)',
    'lxc([0-9a-f]{8,}|_health)',
    'kube-(bridge|ipvs\\d+)',
    'nodelocaldns',
    'weave',
    'vethwe.*',
    'ifb\\d+',
    'dummy\\d+',
    '(tunl|sit|gre|gretap|erspan|ip_vti|ip6tnl|ip6_vti|ip6gre)0',
  ].join('|')})$`,
);

/** As LXC names the end of a container; people may give such a name to something else, which /sys tells. */
const LIKE_MADE = /^veth[0-9A-Za-z]{6}$/;

/** Loop-back in /sys/class/net/*\/type (ARPHRD_LOOPBACK). */
const LOOPBACK = '772';

/** Columns of /proc/net/dev after the name. */
const RECEIVE_BYTES = 0;
const RECEIVE_ERRORS = 2;
const TRANSMIT_BYTES = 8;
const TRANSMIT_ERRORS = 10;

type Interface = { readonly device: string; readonly columns: readonly number[] };

/** Traffic and errors of interfaces since they came up; those that never carried anything are left out. */
export const network: CollectorFactory = (host) => {
  const { files, series } = host;
  const readingsOf = ({ device, columns }: Interface): readonly Reading[] => {
    const one = (metric: string, unit: string, direction: string, column: number) => ({
      series: series(`system.network.${metric}`, unit, { device, direction }),
      value: columns[column] ?? 0,
    });
    return [
      one('io', 'By', 'receive', RECEIVE_BYTES),
      one('io', 'By', 'transmit', TRANSMIT_BYTES),
      one('errors', '{error}', 'receive', RECEIVE_ERRORS),
      one('errors', '{error}', 'transmit', TRANSMIT_ERRORS),
    ];
  };
  /** /sys is asked about an interface once, and again when it has come back. */
  let uplinks = new Map<string, boolean>();
  return {
    name: 'network',
    paths: ['/proc/net/dev'],
    collect: () => {
      const found: Interface[] = [];
      const before = uplinks;
      uplinks = new Map();
      for (const [, device = '', columns = ''] of files
        .read('/proc/net/dev')
        .matchAll(/^ *([^:|\s]+): *(\d.*)$/gm)) {
        const isUplink = before.get(device) ?? isUplinkOf(host, device);
        uplinks.set(device, isUplink);
        if (!isUplink) continue;
        const numbers = numbersIn(columns);
        if ((numbers[RECEIVE_BYTES] ?? 0) + (numbers[TRANSMIT_BYTES] ?? 0) > 0)
          found.push({ device, columns: numbers });
      }
      return bounded(host, 'network', found).flatMap(readingsOf);
    },
  };
};

function isUplinkOf({ files }: HostAccess, device: string): boolean {
  const place = `/sys/class/net/${device}`;
  // A piece of hardware is measured whatever its name.
  if (files.has(`${place}/device`)) return true;
  const type = files.readOptional(`${place}/type`)?.trim() ?? (device === 'lo' ? LOOPBACK : '');
  if (type === LOOPBACK || MADE_BY_ENGINES.test(device)) return false;
  return !(LIKE_MADE.test(device) && isEndOfPair(files, place));
}

/** Its other end has another number; what a VLAN or a tunnel stands on shows as an interface below it. */
function isEndOfPair(files: HostAccess['files'], place: string): boolean {
  const own = files.readOptional(`${place}/ifindex`)?.trim();
  const other = files.readOptional(`${place}/iflink`)?.trim();
  if (own === undefined || other === undefined || own === other) return false;
  return !files.list(place).some((name) => name.startsWith('lower_'));
}
