/** The link to HQ over all ways that the settings name. */
import { defer } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { createCountedAgent } from '../counted-sockets.ts';
import type { Link } from '../link.ts';
import { type Environment, proxyFor } from '../proxy/proxy-settings.ts';
import { createSocketIoLink } from '../socketio-link.ts';
import { createAutoLink } from '../transports/auto-link.ts';
import { probeUpgrade } from '../transports/probe-upgrade.ts';
import type { Transport, TransportSetting } from '../transports/transport.ts';
import { adviseOnUpgrades } from '../transports/upgrade-failure.ts';
import type { ConfiguredWay } from './configured-ways.ts';
import { createFailingWays, type FailingWay } from './failing-ways.ts';
import { type ProbeOptions, probeHq } from './probe-hq.ts';
import { createRoutedLink } from './routed-link.ts';

export type HqLinkOptions = {
  readonly ways: readonly ConfiguredWay[];
  readonly token: () => string | undefined;
  readonly instance: string;
  readonly connectTimeoutMs: number;
  readonly returnAfterMs: number;
  readonly transport: TransportSetting;
  readonly clock: Pick<Clock, 'scheduler' | 'precise' | 'now'>;
  /** Identity of the only HQ that this agent may deliver to; null: no matter which. */
  readonly hq: () => string | null;
  /** Told of a better way that does not work when a lower one does, once an episode. */
  readonly onFailing: (failing: FailingWay) => void;
  /** Proxies are named there. */
  readonly environment: Environment;
};

export type HqLink = {
  readonly link: Link;
  /** The better ways that do not work while a lower one is taken. */
  readonly failing: () => readonly FailingWay[];
};

export function createHqLink(options: HqLinkOptions): HqLink {
  const { token, instance, connectTimeoutMs, returnAfterMs, clock } = options;
  const watch = createFailingWays(clock.now, options.onFailing);
  const link = createRoutedLink({
    returnAfterMs,
    clock,
    watch,
    ways: options.ways.map(({ way, address }) => {
      const proxy = proxyFor(address, options.environment);
      const probing: ProbeOptions = {
        address,
        agentOf: (onSocket) => createCountedAgent({ secure: address.startsWith('https:'), onSocket, proxy }),
        timeoutMs: connectTimeoutMs,
        clock,
      };
      const by = (transport: Transport) =>
        createSocketIoLink({ url: address, way, proxy, transport, token, instance, connectTimeoutMs, clock });
      const link =
        options.transport === 'auto'
          ? createAutoLink({
              websocket: by('websocket'),
              polling: by('polling'),
              probe: () => probeUpgrade(probing),
              clock,
            })
          : options.transport === 'websocket'
            ? adviseOnUpgrades(by('websocket'))
            : by('polling');
      return { way, link, probe: () => defer(() => probeHq(probing, options.hq())) };
    }),
  });
  return { link, failing: watch.list };
}
