/**
 * The ordered ways to HQ that the settings name: the addresses of `hq`, then those of `uplink.routes` that are not
 * among them.
 */
import { shown } from '../../../platform/plain-error.ts';
import { addressProblem, sameAddress, shownAddress } from '../hq-address.ts';
import { MAX_LANES, type MaxLane, type Way } from '../link.ts';

export type Route = { readonly url: string; readonly maxLane: MaxLane };
export type ConfiguredWay = { readonly way: Way; readonly address: string };

/** A route as one text: `ADDRESS` or `ADDRESS,maxLane=live`. */
export function parseRoute(text: string): { readonly route: Route } | { readonly problem: string } {
  const [url = '', ...options] = text.split(',').map((part) => part.trim());
  const problem = addressProblem(url);
  if (problem !== null) return { problem };
  let maxLane: MaxLane = 'backlog';
  for (const option of options) {
    const value = MAX_LANES.find((one) => option === `maxLane=${one}`);
    if (value === undefined)
      return { problem: `a route takes only maxLane=${MAX_LANES.join('|')}, got ${shown(option)}` };
    maxLane = value;
  }
  return { route: { url, maxLane } };
}

export type WaySettings = {
  readonly hq: string | readonly string[];
  readonly uplink: { readonly routes: readonly Route[] };
};

const addressesOf = ({ hq }: WaySettings) => (typeof hq === 'string' ? [hq] : hq);

/** At least one; a route to an address of `hq` is no way of its own. */
export function configuredWays(settings: WaySettings): readonly ConfiguredWay[] {
  const { routes } = settings.uplink;
  const byAddress = new Map<string, string>();
  for (const address of [...addressesOf(settings), ...routes.map(({ url }) => url)]) {
    const same = sameAddress(address);
    if (!byAddress.has(same)) byAddress.set(same, address);
  }
  return [...byAddress].map(([same, address], index) => ({
    address,
    way: {
      index,
      url: shownAddress(address),
      maxLane: routes.find(({ url }) => sameAddress(url) === same)?.maxLane ?? 'backlog',
    },
  }));
}

/**
 * A sentence for each address that is named twice where once says it: of two places and limits nobody can say which is
 * meant.
 */
export function wayProblems(settings: WaySettings): readonly string[] {
  const routes = settings.uplink.routes.map(({ url }) => url);
  return [...twiceIn('hq', addressesOf(settings)), ...twiceIn('uplink.routes', routes)];
}

function twiceIn(setting: string, addresses: readonly string[]): readonly string[] {
  const firsts = new Map<string, string>();
  return addresses.flatMap((address) => {
    const first = firsts.get(sameAddress(address));
    firsts.set(sameAddress(address), first ?? address);
    if (first === undefined) return [];
    const again = first === address ? '' : `, the second time as ${address}`;
    return [
      `${setting} names ${first} twice${again}; each way to HQ is another address, so remove one of them.`,
    ];
  });
}
