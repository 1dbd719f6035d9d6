/** The ordered ways to HQ that the settings name: the addresses of `hq`, then those of `uplink.routes` that are not among them. */
import { addressProblem, shownAddress } from '../hq-address.ts';
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
    if (value === undefined) return { problem: `a route takes only maxLane=${MAX_LANES.join('|')}` };
    maxLane = value;
  }
  return { route: { url, maxLane } };
}

export type WaySettings = {
  readonly hq: string | readonly string[];
  readonly uplink: { readonly routes: readonly Route[] };
};

/** At least one; an address counts once. */
export function configuredWays({ hq, uplink: { routes } }: WaySettings): readonly ConfiguredWay[] {
  const addresses = typeof hq === 'string' ? [hq] : hq;
  const all = [...new Set([...addresses, ...routes.map(({ url }) => url)])];
  return all.map((address, index) => ({
    address,
    way: {
      index,
      url: shownAddress(address),
      maxLane: routes.find(({ url }) => url === address)?.maxLane ?? 'backlog',
    },
  }));
}
